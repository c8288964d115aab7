"""A trial as several models, its replicas: one for each fold and each repeated seed.

Replica ``fold + folds * repeat`` is validated on fold ``fold`` and trained on the others. The
seed of replica 0 is the trial's own, so that one fold and one seed are the trial as it always
was, and more seeds add models to those that fewer seeds train.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import fmean, stdev
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import RecipeError
from ripieno.recipes.data import Data
from ripieno.recipes.draws import Purpose, fold, trial_seed
from ripieno.recipes.keeping import DivergedError, Finished
from ripieno.recipes.recipe import Recipe
from ripieno.recipes.state import State
from ripieno.recipes.watch import Watch
from ripieno.records import Metrics, spread_name

__all__ = [
    "Replica", "Replicated", "Training", "check_seeds", "in_equal_epochs", "join", "mean_metrics",
    "mean_predictions", "replicas_of", "split_state",
]  # fmt: skip

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True)
class Replica:
    """One model of a trial.

    Args:
        fold: Number of the fold that it is validated on, which says its data.
        repeat: Number of the repeated seed.
        seed: What all of its draws come from.
        name: What a message calls it; empty where it is the only one.
    """

    fold: int
    repeat: int
    seed: int
    name: str = ""


def replicas_of(trial: int, *, study_seed: int, folds: int, seeds: int) -> tuple[Replica, ...]:
    """Return the models that a trial consists of, by number."""
    own = trial_seed(study_seed, trial)
    return tuple(
        Replica(
            fold=number % folds,
            repeat=number // folds,
            seed=own if number == 0 else fold(own, Purpose.REPLICA, number),
            name=_name(number % folds if folds > 1 else None, number // folds, seeds),
        )
        for number in range(folds * seeds)
    )


def _name(number: int | None, repeat: int, seeds: int) -> str:
    parts = [] if number is None else [f"fold {number + 1}"]
    return ", ".join(parts + ([f"seed {repeat + 1}"] if seeds > 1 else []))


def check_seeds(seeds: int, where: str) -> None:
    """Refuse a number of repeated seeds that trains nothing.

    Raises:
        RecipeError: It is no whole number, or below 1.
    """
    if type(seeds) is not int or seeds < 1:
        raise RecipeError(
            f"seeds = {seeds!r} trains no model.",
            where=where,
            fix="give a whole number of repeated seeds, at least 1, such as 3.",
        )


def in_equal_epochs(recipe: Recipe, data: Data) -> Recipe:
    """Return the recipe with epochs that are equally long in all folds of the data."""
    if data.folds is None:
        return recipe
    rows = data.folds.epoch_rows
    return replace(recipe, epoch_rows=min(rows, recipe.epoch_rows or rows))


class Training(Protocol):
    """A model, or several, on the way through the epochs of an order."""

    def start(self, stored: State | None) -> None:
        """Build what is trained, and load the stored state."""

    def epoch(self, epoch: int, values: Sequence[float]) -> Finished:
        """Train one epoch, measure, and copy the state.

        Args:
            epoch: Epochs trained before this one.
            values: What the trial's validation metric was after each of them, less is
                better, where the schedule looks at it.
        """


class Replicated:
    """The replicas of a trial, trained one after the other epoch by epoch, as one training.

    The trial diverges with the first replica that does.

    Args:
        replicas: Which models.
        trainings: One each.
        data: What they are trained on.
        measured: Metrics of the validation part, whose spread is recorded.
    """

    def __init__(
        self,
        replicas: Sequence[Replica],
        trainings: Sequence[Training],
        *,
        data: Data,
        measured: Sequence[str],
    ) -> None:
        self._replicas = replicas
        self._trainings = trainings
        self._data = data
        self._measured = measured

    def start(self, stored: State | None) -> None:
        """Build every model, and load its part of the stored state."""
        count = len(self._trainings)
        states = [None] * count if stored is None else split_state(stored, count)
        for training, state in zip(self._trainings, states, strict=True):
            training.start(state)

    def epoch(self, epoch: int, values: Sequence[float]) -> Finished:
        """Train every model for one epoch; the row holds means and spreads."""
        found = []
        for replica, training in zip(self._replicas, self._trainings, strict=True):
            try:
                found.append(training.epoch(epoch, values))
            except DivergedError as error:
                raise DivergedError(f"{replica.name}: {error}") from error
            except Exception as error:
                error.add_note(f"In {replica.name}.")
                raise
        return join(found, self._data, measured=self._measured)


def join(found: Sequence[Finished], data: Data, *, measured: Sequence[str]) -> Finished:
    """Return what an epoch of all replicas leaves, as that of one trial.

    Args:
        found: What each replica left, by number.
        data: What they were trained on.
        measured: See :func:`mean_metrics`.

    Returns:
        The mean metrics; the states side by side, which :func:`split_state` takes apart; and
        for every row that a replica was validated on the mean predictions of those that
        were, in the order of ``data.targets``.
    """
    parts = range(len(data.parts))
    answers = [mean_predictions([one.predictions for one in found[p :: len(parts)]]) for p in parts]
    return Finished(
        metrics=mean_metrics([one.metrics for one in found], measured=measured),
        state=_side_by_side([one.state for one in found]),
        predictions=answers[0] if data.folds is None else data.folds.out_of_fold(answers),
    )


def mean_metrics(rows: Sequence[Metrics], *, measured: Iterable[str]) -> dict[str, float]:
    """Return the means over replicas of one epoch's metrics.

    Args:
        rows: The metrics of each replica, at least two.
        measured: Metrics after whose mean ``<metric>_spread`` stands: the standard deviation
            over the replicas (of a sample, ``n - 1``), not the error of the mean.
    """
    means: dict[str, float] = {}
    measured = frozenset(measured)
    for name in rows[0]:
        values = [row[name] for row in rows]
        # What all have in common, as the learning rate, is not rounded.
        means[name] = values[0] if len(set(values)) == 1 else fmean(values)
        if name in measured:
            means[spread_name(name)] = stdev(values)
    return means


def split_state(state: State, count: int) -> tuple[State, ...]:
    """Return the replicas' own states out of a trial's stored one.

    Raises:
        RecipeError: The state is not that of so many replicas.
    """
    if count == 1:
        return (state,)
    names = {name.partition("/")[0] for name in (*state.model, *state.optimizer)}
    if names != {_prefix(number)[:-1] for number in range(count)}:
        raise RecipeError(
            f"the stored state is not that of a trial of {count} models.",
            where=f"a state that holds {', '.join(sorted(names)[:4]) or 'nothing'}",
            fix="continue a trial with the folds and seeds that it was started with.",
        )
    return tuple(
        State(
            model=_own(state.model, number),
            optimizer=_own(state.optimizer, number),
            epoch=state.epoch,
            watch=None if state.watch is None else _own_watch(state.watch, number),
        )
        for number in range(count)
    )


def _own_watch(watch: Watch, number: int) -> Watch:
    """Return a trial's watch with the best epoch's weights of one replica."""
    if watch.best is None:
        return watch
    return replace(watch, best=replace(watch.best, model=_own(watch.best.model, number)))


def _side_by_side(states: Sequence[State]) -> State:
    numbered = list(enumerate(states))
    return State(
        model={_prefix(i) + name: t for i, state in numbered for name, t in state.model.items()},
        optimizer={
            _prefix(i) + name: slots
            for i, state in numbered
            for name, slots in state.optimizer.items()
        },
        epoch=states[0].epoch,
    )


def _own(named: Mapping[str, _T], number: int) -> dict[str, _T]:
    prefix = _prefix(number)
    return {n.removeprefix(prefix): value for n, value in named.items() if n.startswith(prefix)}


def _prefix(number: int) -> str:
    return f"replica-{number}/"


def mean_predictions(answers: Sequence[NDArray[np.floating[Any]]]) -> NDArray[np.floating[Any]]:
    """Return the mean of what several models predict of the same rows, in their own type."""
    if len(answers) == 1:
        return answers[0]
    mean: NDArray[np.floating[Any]] = np.stack(answers).mean(0, dtype=np.float64)
    return mean.astype(answers[0].dtype)
