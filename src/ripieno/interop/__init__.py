"""Doors to other libraries: scikit-learn here, Optuna in ``ripieno.interop.optuna``."""

from ripieno.interop.sklearn import TunedClassifier, TunedRegressor

__all__ = ["TunedClassifier", "TunedRegressor"]
