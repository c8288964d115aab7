"""The regressor."""

from typing import Any

from sklearn.base import RegressorMixin

from ripieno.interop.sklearn.searching import TunedEstimator

__all__ = ["TunedRegressor"]


class TunedRegressor(RegressorMixin, TunedEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Searches the hyperparameters of a network, and answers with what it trained.

    Targets are one number a row or several. Parameters and attributes are those of
    :class:`TunedClassifier`, without ``classes_``; ``scoring`` is R² if None, and a number of
    folds takes the rows as they stand, as scikit-learn does.
    """

    _classifier = False

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:  # noqa: N803 - sklearn
        """Return the value of ``scoring``; R² where it is absent.

        Raises:
            NotFittedError: The estimator is not fitted.
            ValueError: The rows or targets cannot be used.
        """
        if self.scoring is None:
            return float(super().score(X, y, sample_weight))
        return self._score(X, y, sample_weight)
