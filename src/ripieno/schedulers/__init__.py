"""Who trains how long."""

from ripieno.schedulers.full_budget import FullBudget
from ripieno.schedulers.hyperband import Hyperband
from ripieno.schedulers.making import make_scheduler
from ripieno.schedulers.rungs import hyperband_trials
from ripieno.schedulers.scheduler import Scheduler
from ripieno.schedulers.successive_halving import SuccessiveHalving

__all__ = [
    "FullBudget",
    "Hyperband",
    "Scheduler",
    "SuccessiveHalving",
    "hyperband_trials",
    "make_scheduler",
]
