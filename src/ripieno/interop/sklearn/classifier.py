"""The classifier."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import ClassifierMixin

from ripieno.interop.sklearn.searching import TunedEstimator
from ripieno.recipes import TaskName

__all__ = ["TunedClassifier"]


class TunedClassifier(ClassifierMixin, TunedEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """Searches the hyperparameters of a network, and answers with what it trained.

    Args:
        model: ``"mlp"``, ``"cnn"``, ``"resnet"``, a recipe, or a function ``model(config)``
            that returns an ``nn.Module``.
        param_grid: What is searched, as ``GridSearchCV`` takes it: a dictionary of lists or
            several of them. Every config is trained to the end, unless a searcher or a
            scheduler is named. A :class:`ripieno.Space` may stand here too.
        space: What is searched: a :class:`ripieno.Space`. The model's own space where both
            are absent.
        cv: A number of (stratified) folds, a splitter or an iterable of splits, as in
            scikit-learn; a trial is then one model a split. None splits off a fifth of the
            rows, once, with ``random_state``.
        scoring: A scorer or its name. It is told predictions only: a scorer of your own that
            looks at the features finds row numbers in their place. The accuracy if None.
        trials: Configs at most; the whole grid, or what suits the scheduler, if None.
        epochs: Epochs that a trial is trained for at most; what suits the rows if None.
        minutes: Wall time of the search at most.
        searcher: Which config next, by name (see :func:`ripieno.tune`), or a function
            ``searcher(space, objective, seed)`` that returns a new searcher for each fit.
        scheduler: Who trains how long, by name.
        ensemble: Answer with the ensemble of the trials instead of the best one alone.
        refit: Train what answers once more, on all rows. Without it the models of the search
            answer, of which each was trained without its validation rows; with several
            splits that is one model a split.
        random_state: Of the split, the search and every training.
        n_jobs: Processes; 1 if None, and all cores for -1.
        verbose: Show the search's progress on standard error if above 0.

    Attributes:
        best_params_, best_score_, best_index_: Of the best trial.
        best_estimator_: It alone, as an :class:`ripieno.Ensemble` of its models.
        ensemble_: The :class:`ripieno.Ensemble` of the trials, with ``ensemble=True``.
        cv_results_: One entry a trial, with the keys of ``GridSearchCV`` and ``epochs``.
        study_: The :class:`ripieno.Study`. A pickle leaves it behind.
        classes_: The classes, ascending; of several labels a row, their numbers.
        n_splits_, n_features_in_, feature_names_in_: As in scikit-learn.
    """

    _classifier = True

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803 - as scikit-learn
        """Return the likeliest class of each row, or 0 and 1 for each label.

        Raises:
            NotFittedError: The estimator is not fitted.
            ValueError: The rows have other features than those it was fitted on.
        """
        probabilities = self.predict_proba(X)
        if self._answering().task == "multilabel":
            return (probabilities > 0.5).astype(np.int64)
        return np.asarray(self.classes_[probabilities.argmax(axis=1)])

    def predict_proba(self, X: Any) -> NDArray[np.float32]:  # noqa: N803 - as scikit-learn
        """Return the probabilities of the classes, shape ``(rows, classes)``; or of labels.

        Raises:
            NotFittedError: The estimator is not fitted.
            ValueError: The rows have other features than those it was fitted on.
        """
        return self._answering().predict_proba(self._new(X))

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:  # noqa: N803 - sklearn
        """Return the value of ``scoring``; the accuracy where it is absent.

        Raises:
            NotFittedError: The estimator is not fitted.
            ValueError: The rows or targets cannot be used.
        """
        if self.scoring is None:
            return float(super().score(X, y, sample_weight))
        return self._score(X, y, sample_weight)

    def __sklearn_tags__(self) -> Any:
        """Say what kinds of rows and targets are taken."""
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_label = True
        return tags

    def _note_targets(self, y: NDArray[Any], task: TaskName) -> None:
        self.classes_ = np.arange(y.shape[1]) if task == "multilabel" else np.unique(y)
