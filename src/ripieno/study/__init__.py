"""The assembly: tune, search and open, and the study that a user holds."""

from ripieno.study.combining import Combined, combine
from ripieno.study.diagnosing import diagnose_data
from ripieno.study.fixing import read_values
from ripieno.study.models import Models, refit
from ripieno.study.opening import open  # noqa: A004 - rp.open, as one says it
from ripieno.study.prediction import load_ensemble, predict_file
from ripieno.study.results import BestTrial, EnsembleResult, FrontTrial, Results
from ripieno.study.settings import Settings
from ripieno.study.starting import search, starting_folder, tune
from ripieno.study.study import Study

__all__ = [
    "BestTrial",
    "Combined",
    "EnsembleResult",
    "FrontTrial",
    "Models",
    "Results",
    "Settings",
    "Study",
    "combine",
    "diagnose_data",
    "load_ensemble",
    "open",
    "predict_file",
    "read_values",
    "refit",
    "search",
    "starting_folder",
    "tune",
]
