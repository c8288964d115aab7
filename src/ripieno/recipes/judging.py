"""What the end of an epoch counts for: the epoch itself, or the best one so far."""

from dataclasses import replace

from ripieno.recipes.keeping import Finished
from ripieno.recipes.knobs import Knobs
from ripieno.recipes.metrics import MAXIMIZED
from ripieno.recipes.recipe import Recipe
from ripieno.recipes.watch import Best, Watch, watches

__all__ = ["early_end", "judge"]

_NOT_MEASURED = frozenset({"train_loss", "learning_rate"})


def judge(finished: Finished, watch: Watch | None, *, recipe: Recipe, knobs: Knobs) -> Finished:
    """Return what an epoch leaves where its trial watches its validation metric.

    Where the best epoch is kept, the validation metrics and the predictions are those of the
    best epoch so far, which is what the trial answers with; the epoch's own stand beside
    them as ``last_<metric>``, with the number of the ``best_epoch``.

    Args:
        finished: What the epoch gave.
        watch: The trial's watch before it; None at the beginning.
        recipe: Whose ``monitor`` is watched.
        knobs: The trial's knobs.
    """
    if not watches(knobs):
        return finished
    own = {n: v for n, v in finished.metrics.items() if n not in _NOT_MEASURED}
    value = own[recipe.monitored]
    epoch = Best(own, finished.probabilities, finished.state.model)
    after = (watch or Watch()).after(
        -value if recipe.monitored in MAXIMIZED else value, epoch, knobs
    )
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


def early_end(watch: Watch | None, *, recipe: Recipe, knobs: Knobs) -> str | None:
    """Say why early stopping ends a trial here, or None if it goes on."""
    if watch is None or not watch.ended(knobs):
        return None
    return f"stopped early: no better {recipe.monitored} for {watch.epochs_since_best} epochs"
