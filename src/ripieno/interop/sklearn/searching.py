"""The estimator behind both doors: a search that answers like a model."""

import os
from collections.abc import Callable
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator
from sklearn.metrics import check_scoring
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from ripieno.ensembles import Ensemble
from ripieno.errors import StudyError
from ripieno.interop.sklearn.grids import GridInput, space_of
from ripieno.interop.sklearn.results import cv_results
from ripieno.interop.sklearn.rows import check_rows, check_targets, column_names, new_rows
from ripieno.interop.sklearn.scoring import metric_of
from ripieno.recipes import (
    Data,
    Metric,
    Recipe,
    TaskName,
    divide_rows,
    find_metric,
    from_splits,
)
from ripieno.records import Objective
from ripieno.searchers import Searcher
from ripieno.space import Space
from ripieno.study import Models, Study, tune
from ripieno.study import refit as train_again

__all__ = ["TunedEstimator", "workers_of"]

SearcherInput = str | Callable[[Space, Objective, int], Searcher]
"""A searcher by name, or what makes a new one of a space, an objective and a seed."""

_VALIDATION_SHARE = 0.2


class TunedEstimator(BaseEstimator):  # type: ignore[misc]  # scikit-learn has no types
    """What the classifier and the regressor share; see there."""

    _classifier: bool

    def __init__(
        self,
        model: str | Recipe | Callable[..., Any] = "mlp",
        *,
        param_grid: GridInput | None = None,
        space: GridInput | None = None,
        cv: Any = None,
        scoring: str | Callable[..., float] | None = None,
        trials: int | None = None,
        epochs: int | None = None,
        minutes: float | None = None,
        searcher: SearcherInput | None = None,
        scheduler: str | None = None,
        ensemble: bool = True,
        refit: bool = True,
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: int = 0,
    ) -> None:
        self.model = model
        self.param_grid = param_grid
        self.space = space
        self.cv = cv
        self.scoring = scoring
        self.trials = trials
        self.epochs = epochs
        self.minutes = minutes
        self.searcher = searcher
        self.scheduler = scheduler
        self.ensemble = ensemble
        self.refit = refit
        self.random_state = random_state
        self.n_jobs = n_jobs
        self.verbose = verbose

    def fit(self, X: Any, y: Any, *, groups: Any = None) -> Self:  # noqa: N803 - as scikit-learn
        """Search, and leave a fitted estimator.

        Args:
            X: Features, shape ``(rows, features)``; images of three or four axes for a CNN;
                or a DataFrame, which may hold categories. NaN is a missing value.
            y: Targets, shape ``(rows,)``, or ``(rows, columns)``.
            groups: One value a row, for a splitter of groups.

        Raises:
            ValueError: The rows, the targets or a parameter cannot be used; errors of
                Ripieno, which are ValueErrors too, say what, where and how to mend it.
        """
        x = check_rows(self, X, y, reset=True)
        targets, task = check_targets(y, classifier=self._classifier)
        self._columns = column_names(x)
        self._note_targets(targets, task)
        seed = _seed(self.random_state)
        splits = self._splits(x, targets, task=task, groups=groups, seed=seed)
        data = from_splits(x, targets, splits, task=task)
        self.n_splits_ = len(splits)
        classes = getattr(self, "classes_", None)
        metric = metric_of(self._scorer(), self.scoring, task=task, classes=classes)
        self.study_ = self._search(data, metric, seed)
        self._conclude(metric, data)
        self._keep_models(x, targets, task)
        return self

    def predict(self, X: Any) -> NDArray[Any]:  # noqa: N803 - as scikit-learn
        """Return the answer for each row.

        Raises:
            NotFittedError: The estimator is not fitted.
            ValueError: The rows have other features than those it was fitted on.
        """
        answers: NDArray[Any] = self._answering().predict(self._new(X))
        return answers

    def __getstate__(self) -> dict[str, Any]:
        """Leave the study behind: it holds open files."""
        state: dict[str, Any] = super().__getstate__()
        return {name: value for name, value in state.items() if name != "study_"}

    def __sklearn_tags__(self) -> Any:
        """Say what kinds of rows and targets are taken."""
        tags = super().__sklearn_tags__()
        tags.input_tags.allow_nan = True
        tags.target_tags.multi_output = True
        return tags

    def _note_targets(self, y: NDArray[Any], task: TaskName) -> None:
        """Set what is learned from the targets alone."""

    def _scorer(self) -> Any:
        return None if self.scoring is None else check_scoring(self, scoring=self.scoring)

    def _score(self, x: Any, y: Any, sample_weight: Any) -> float:
        weights = {} if sample_weight is None else {"sample_weight": sample_weight}
        return float(self._scorer()(self, x, y, **weights))

    def _splits(
        self, x: Any, y: NDArray[Any], *, task: TaskName, groups: Any, seed: int
    ) -> list[tuple[NDArray[Any], NDArray[Any]]]:
        if self.cv is not None:
            splitter = check_cv(self.cv, y, classifier=self._classifier)
            return list(splitter.split(x, y, groups))
        names, codes = np.unique(y, return_inverse=True) if task == "classification" else ((), y)
        train, held = divide_rows(
            codes,
            [_VALIDATION_SHARE],
            task=task,
            seed=seed,
            names=[name.item() if hasattr(name, "item") else name for name in names],
            where=f"{type(self).__name__}(cv=None).fit",
        )
        return [(train, held)]

    def _search(self, data: Data, metric: str | Metric, seed: int) -> Study:
        space, is_grid = self._space()
        # A grid asks for all of its configs, and that each of them is trained to the end.
        searcher: str | Searcher = "grid" if is_grid else "random"
        if isinstance(self.searcher, str):
            searcher = self.searcher
        elif self.searcher is not None:
            objective = Objective(find_metric(metric, data.task).name, "maximize")
            searcher = self._made_searcher(space, objective, seed)
        return tune(
            self.model,
            data,
            space,
            metric=metric,
            searcher=searcher,
            scheduler=self.scheduler or ("full" if is_grid else "hyperband"),
            trials=int(space.size) if space and is_grid and not self.trials else self.trials,
            epochs=self.epochs,
            minutes=self.minutes,
            workers=workers_of(self.n_jobs),
            seed=seed,
            out=":memory:",
            progress=bool(self.verbose),
        )

    def _made_searcher(self, space: Space | None, objective: Objective, seed: int) -> Searcher:
        if callable(self.searcher) and space is not None:
            made: Searcher = self.searcher(space, objective, seed)
            return made
        raise StudyError(
            f"searcher = {self.searcher!r} makes no searcher of "
            f"{'the space' if space else 'the space of the model, which is not known yet'}.",
            where=f"{type(self).__name__}(searcher=…)",
            fix="give a name, or a function searcher(space, objective, seed) that returns a new "
            "one, beside a param_grid or a space.",
        )

    def _space(self) -> tuple[Space | None, bool]:
        """Return what is searched, None for the model's own space; and whether it is a grid."""
        given = [each for each in (self.param_grid, self.space) if each is not None]
        if len(given) > 1:
            raise StudyError(
                "both a param_grid and a space are given.",
                where=type(self).__name__,
                fix="leave one of them out.",
            )
        if not given:
            return None, False
        return space_of(given[0]), not isinstance(given[0], Space)

    def _conclude(self, metric: str | Metric, data: Data) -> None:
        """Set what is learned of the configs."""
        self.best_index_ = self.study_.best.id
        self.cv_results_ = cv_results(self.study_, data, metric)
        self.best_score_ = float(self.cv_results_["mean_test_score"][self.best_index_])
        self.best_params_ = self.cv_results_["params"][self.best_index_]

    def _keep_models(self, x: Any, y: NDArray[Any], task: TaskName) -> None:
        """Set the models that answer."""
        weights = self._weights()
        models = Models.of(self.study_)
        if self.refit:
            rows = np.arange(len(y))
            data = from_splits(x, y, [(rows, rows)], task=task)
            answering = sorted({self.best_index_, *weights})
            models = train_again(self.study_, data, answering, workers=workers_of(self.n_jobs))
        self.best_estimator_ = models.ensemble({self.best_index_: 1.0})
        if self.ensemble:
            self.ensemble_ = models.ensemble(weights)

    def _weights(self) -> dict[int, float]:
        """Return the ensemble's trials and their weights; none without an ensemble."""
        found = self.study_.results().ensemble if self.ensemble else None
        if found is None:
            return {}
        return dict(zip(found.members, found.weights, strict=True))

    def _answering(self) -> Ensemble:
        check_is_fitted(self)
        answering: Ensemble = self.ensemble_ if self.ensemble else self.best_estimator_
        return answering

    def _new(self, x: Any) -> Any:
        check_is_fitted(self)
        return new_rows(check_rows(self, x, "no_validation", reset=False), self._columns)


def _seed(random_state: Any) -> int:
    """Return a seed: the number itself, or a draw of the generator that was given."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))


def workers_of(n_jobs: int | None) -> int | None:
    """Return how many processes are meant, as joblib counts; None for every usable core."""
    if n_jobs is None:
        return 1
    if n_jobs == 0:
        raise StudyError("n_jobs = 0 can do no work.", where="n_jobs=…", fix="give 1, or -1.")
    if n_jobs == -1:
        return None
    return n_jobs if n_jobs > 0 else max(1, (os.cpu_count() or 1) + 1 + n_jobs)
