"""The assembly: tune, search and open, and the study that a user holds."""

from ripieno.study.architectures import find_architecture
from ripieno.study.diagnosing import diagnose_data
from ripieno.study.fixing import read_values
from ripieno.study.models import Models, refit
from ripieno.study.prediction import load_ensemble, predict_file
from ripieno.study.results import BestTrial, EnsembleResult, Results
from ripieno.study.settings import Settings
from ripieno.study.starting import open, search, starting_folder, tune  # noqa: A004 - rp.open, as one says it
from ripieno.study.study import Study

__all__ = [
    "BestTrial",
    "EnsembleResult",
    "Models",
    "Results",
    "Settings",
    "Study",
    "diagnose_data",
    "find_architecture",
    "load_ensemble",
    "open",
    "predict_file",
    "read_values",
    "refit",
    "search",
    "starting_folder",
    "tune",
]
