"""Optuna's samplers as searchers, and studies on the way to Optuna and back.

Needs ``pip install "ripieno[optuna]"``.
"""

from ripieno.interop.optuna.exporting import export_study
from ripieno.interop.optuna.importing import Imported, import_study
from ripieno.interop.optuna.searcher import OptunaSearcher

__all__ = ["Imported", "OptunaSearcher", "export_study", "import_study"]
