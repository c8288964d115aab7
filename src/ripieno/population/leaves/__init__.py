"""Member-aware leaves: torch's functions for a stack of models."""

from ripieno.population.leaves.dropout import Masks
from ripieno.population.leaves.kernels import Kernels
from ripieno.population.leaves.mode import StackedMode
from ripieno.population.leaves.per_row import CumulativeMomentum, PerRow

__all__ = ["CumulativeMomentum", "Kernels", "Masks", "PerRow", "StackedMode"]
