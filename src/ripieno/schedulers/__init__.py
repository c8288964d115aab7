"""Who trains how long."""

from ripieno.schedulers.asha import Asha
from ripieno.schedulers.freeze_thaw import FreezeThaw
from ripieno.schedulers.full_budget import FullBudget
from ripieno.schedulers.hyperband import Hyperband
from ripieno.schedulers.making import make_scheduler
from ripieno.schedulers.median_stop import MedianStop
from ripieno.schedulers.population_based import PopulationBased
from ripieno.schedulers.rungs import hyperband_trials
from ripieno.schedulers.scheduler import Concluding, Extendable, Scheduler
from ripieno.schedulers.successive_halving import SuccessiveHalving

__all__ = [
    "Asha",
    "Concluding",
    "Extendable",
    "FreezeThaw",
    "FullBudget",
    "Hyperband",
    "MedianStop",
    "PopulationBased",
    "Scheduler",
    "SuccessiveHalving",
    "hyperband_trials",
    "make_scheduler",
]
