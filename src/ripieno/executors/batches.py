"""What every executor does with a runner, wherever the runner lives."""

from collections.abc import Callable, Generator, Sequence

from ripieno.errors import WorkerError
from ripieno.records import ArtifactStore, Order, Outcome, OutcomeStatus, Runner

__all__ = ["carry_out", "next_batch", "stopped"]


def stopped(order: Order) -> Outcome:
    """Return the outcome of an order that was not begun before the study stopped."""
    return Outcome(order, OutcomeStatus.STOPPED)


def next_batch(runner: Runner, waiting: Sequence[Order], *, sharers: int = 1) -> list[Order]:
    """Return the first orders that belong together, as many as the runner likes.

    Trials that go on come before new ones: a search is then soon left with good models, and
    what waits for its rung does not wait for what was begun after it.

    Args:
        runner: Says what belongs together.
        waiting: Orders, at least one.
        sharers: Runners that are free; where all orders belong together, each gets a share.
    """
    first = next((order for order in waiting if order.start > 0), waiting[0])
    if runner.width == 1:
        return [first]
    group = runner.group(first)
    others = [o for o in waiting if o is not first and runner.group(o) == group]
    together = [first, *others]
    share = len(together) if len(together) < len(waiting) else -(-len(together) // sharers)
    return together[: min(share, runner.width)]


def carry_out(
    runner: Runner, orders: Sequence[Order], *, artifacts: ArtifactStore, stop: Callable[[], bool]
) -> Generator[Outcome]:
    """Run orders that belong together and yield one outcome each.

    Nothing is begun once ``stop()`` is true: a function that never asks would run to its end.

    Raises:
        WorkerError: The runner gave an outcome that nobody ordered, or none for an order.
    """
    if stop():
        yield from map(stopped, orders)
        return
    waiting = {order.trial for order in orders}
    for outcome in runner.run(orders, artifacts, stop):
        if outcome.order.trial not in waiting:
            raise _broken(runner, f"gave an outcome for trial {outcome.order.trial} unasked")
        waiting.remove(outcome.order.trial)
        yield outcome
    if waiting:
        raise _broken(runner, f"gave no outcome for trial {min(waiting)}")


def _broken(runner: Runner, what: str) -> WorkerError:
    return WorkerError(
        f"the runner {what}.",
        where=f"{type(runner).__qualname__}.run",
        fix="yield exactly one outcome for each order that was given.",
    )
