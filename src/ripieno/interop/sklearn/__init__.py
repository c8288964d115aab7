"""A search as an estimator of scikit-learn."""

from ripieno.interop.sklearn.classifier import TunedClassifier
from ripieno.interop.sklearn.regressor import TunedRegressor

__all__ = ["TunedClassifier", "TunedRegressor"]
