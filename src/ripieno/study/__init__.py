"""The assembly: tune, search and open, and the study that a user holds."""

from ripieno.study.architectures import find_architecture
from ripieno.study.archive import Archived, export_study, import_study
from ripieno.study.combining import Combined, combine
from ripieno.study.diagnosing import diagnose_data
from ripieno.study.fixing import read_values
from ripieno.study.folder import remove_study
from ripieno.study.keeping import Orphans, collect_orphans
from ripieno.study.listing import StudyLine, list_studies
from ripieno.study.models import Models, refit
from ripieno.study.opening import open  # noqa: A004 - rp.open, as one says it
from ripieno.study.prediction import load_ensemble, predict_file
from ripieno.study.results import BestTrial, EnsembleResult, FrontTrial, Results
from ripieno.study.settings import Settings
from ripieno.study.starting import search, starting_folder, tune
from ripieno.study.study import Study

__all__ = [
    "Archived",
    "BestTrial",
    "Combined",
    "EnsembleResult",
    "FrontTrial",
    "Models",
    "Orphans",
    "Results",
    "Settings",
    "Study",
    "StudyLine",
    "collect_orphans",
    "combine",
    "diagnose_data",
    "export_study",
    "find_architecture",
    "import_study",
    "list_studies",
    "load_ensemble",
    "open",
    "predict_file",
    "read_values",
    "refit",
    "remove_study",
    "search",
    "starting_folder",
    "tune",
]
