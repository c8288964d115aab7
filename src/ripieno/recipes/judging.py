"""What the end of an epoch counts for: the epoch itself, or the best one so far."""

from collections.abc import Sequence
from dataclasses import replace

from ripieno.recipes.keeping import Finished
from ripieno.recipes.knobs import Knobs
from ripieno.recipes.metrics import direction_of
from ripieno.recipes.recipe import Recipe
from ripieno.recipes.state import State
from ripieno.recipes.watch import Best, Watch, watches
from ripieno.records import is_tuned

__all__ = ["Judging"]

_NOT_MEASURED = frozenset({"train_loss", "learning_rate"})


class Judging:
    """A trial that watches its validation metric, on its way through an order.

    A trial of several models watches their mean: all of them answer with the same epoch and
    stop after the same one.

    Args:
        recipe: Whose ``monitor`` is watched.
        knobs: The trial's knobs.
        watch: What it saw before; None at the beginning.
    """

    def __init__(self, recipe: Recipe, knobs: Knobs, watch: Watch | None = None) -> None:
        self._metric = recipe.monitored
        self._direction = direction_of(self._metric, recipe.metrics or ())
        self._knobs = knobs
        self._watch = watch or Watch()

    @classmethod
    def of(cls, recipe: Recipe, knobs: Knobs, stored: State | None) -> "Judging | None":
        """Return the judging of a trial, or None where it does not watch its metric."""
        if not watches(knobs):
            return None
        return cls(recipe, knobs, None if stored is None else stored.watch)

    @property
    def values(self) -> Sequence[float]:
        """The metric after each epoch so far, in the direction in which less is better."""
        return self._watch.values

    @property
    def early_end(self) -> str | None:
        """Why early stopping ends the trial here, or None if it goes on."""
        if not self._watch.ended(self._knobs):
            return None
        count = self._watch.epochs_since_best
        return f"stopped early: no better {self._metric} for {count} epochs"

    def judge(self, finished: Finished) -> Finished:
        """Return what an epoch leaves, and remember it.

        Where the best epoch is kept, the validation metrics and the predictions are those of
        the best epoch so far, which is what the trial answers with; the epoch's own stand
        beside them as ``last_<metric>``, with the number of the ``best_epoch``.

        Args:
            finished: What the epoch gave.
        """
        kept = [n for n in finished.metrics if n not in _NOT_MEASURED and not is_tuned(n)]
        own = {name: finished.metrics[name] for name in kept}
        value = own[self._metric]
        epoch = Best(own, finished.predictions, finished.state.model)
        less_is_better = value if self._direction == "minimize" else -value
        after = self._watch.after(less_is_better, epoch, self._knobs)
        self._watch = after
        state = replace(finished.state, watch=after)
        if after.best is None:
            return replace(finished, state=state)
        metrics = {
            **finished.metrics,
            **after.best.metrics,
            **{f"last_{name}": number for name, number in own.items()},
            "best_epoch": float(state.epoch - after.epochs_since_best),
        }
        return Finished(metrics, state, after.best.predictions)
