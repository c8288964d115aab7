"""Member-aware leaves: torch's functions for a stack of models."""

from ripieno.population.leaves.dropout import Masks
from ripieno.population.leaves.kernels import Kernels
from ripieno.population.leaves.mode import StackedMode
from ripieno.population.leaves.per_row import CumulativeMomentum, PerRow
from ripieno.population.leaves.rowwise import direct
from ripieno.population.leaves.stand_in import Direct, Stacked, UnknownFunctionError

__all__ = [
    "CumulativeMomentum",
    "Direct",
    "Kernels",
    "Masks",
    "PerRow",
    "Stacked",
    "StackedMode",
    "UnknownFunctionError",
    "direct",
]
