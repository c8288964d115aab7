"""The assembly: tune, search and open, and the study that a user holds."""

from ripieno.study.combining import Combined, combine
from ripieno.study.diagnosing import diagnose_data
from ripieno.study.prediction import load_ensemble, predict_file
from ripieno.study.results import BestTrial, EnsembleResult, Results
from ripieno.study.settings import Settings
from ripieno.study.starting import open, search, starting_folder, tune  # noqa: A004 - rp.open, as one says it
from ripieno.study.study import Study

__all__ = [
    "BestTrial",
    "Combined",
    "EnsembleResult",
    "Results",
    "Settings",
    "Study",
    "combine",
    "diagnose_data",
    "load_ensemble",
    "open",
    "predict_file",
    "search",
    "starting_folder",
    "tune",
]
