"""Many models trained as one: stacks, member-aware leaves, stacked optimizers, tiers."""

from ripieno.population.answering import StackedAnswers, stack_answers
from ripieno.population.deciding import TierName, check_tier, deciding_names
from ripieno.population.graphs import Function
from ripieno.population.hooks import Hooks, Turn
from ripieno.population.memory import keep_freed_memory
from ripieno.population.open_modules import OpenModules
from ripieno.population.open_stack import OpenStack
from ripieno.population.optimizers import FAMILIES, Optimizer
from ripieno.population.runner import PopulationRunner
from ripieno.population.stepped import SteppedStack

__all__ = [
    "FAMILIES",
    "Function",
    "Hooks",
    "OpenModules",
    "OpenStack",
    "Optimizer",
    "PopulationRunner",
    "StackedAnswers",
    "SteppedStack",
    "TierName",
    "Turn",
    "check_tier",
    "deciding_names",
    "keep_freed_memory",
    "stack_answers",
]
