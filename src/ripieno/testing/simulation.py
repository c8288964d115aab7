"""A search without training: learning curves from a formula, workers from a seed.

A simulated runner gives every config its own curve, so that the outcome of an order is a
function of the order alone, whoever carries it out and whenever.
"""

import math
from collections.abc import Callable, Sequence

import numpy as np

from ripieno.records import Config, Metrics, Objective, Order, Outcome, OutcomeStatus
from ripieno.schedulers import Scheduler

__all__ = ["OBJECTIVE", "Event", "carry_out", "curve", "fate", "orders_by_trial", "rehearse"]

OBJECTIVE = Objective("loss", "minimize")
"""What a simulated search is after."""

Event = Order | Outcome
"""What a record of a search consists of, in the order in which it happened."""


def curve(config: Config, epoch: int) -> Metrics:
    """Return a config's metrics after an epoch: a loss that falls to the config's own level.

    Curves cross: some configs learn fast and end high, so an early rung may be wrong. The
    metric ``coarse`` is the loss in steps of a half, so that many trials are equal; ``level``
    is what the loss falls to.
    """
    level, pace = _numbers(config)
    loss = level + math.exp(-epoch * (0.02 + 0.5 * pace))
    coarse = round(2.0 * loss) / 2.0
    return {"loss": loss, "accuracy": 1.0 / (1.0 + loss), "coarse": coarse, "level": level}


def fate(order: Order) -> OutcomeStatus:
    """Say how an order ends: about one in eight fails and one in eight diverges."""
    match (int(order.config.digest, 16) + order.stop) % 8:
        case 0:
            return OutcomeStatus.FAILED
        case 1:
            return OutcomeStatus.DIVERGED
    return OutcomeStatus.DONE


def carry_out(
    order: Order,
    *,
    status: OutcomeStatus = OutcomeStatus.DONE,
    metrics: Callable[[Config, int], Metrics] = curve,
    longest: int | None = None,
) -> Outcome:
    """Return what a runner would have given for an order.

    Args:
        order: The order.
        status: How it ends. A diverged order keeps the first half of its epochs, a failed
            one none.
        metrics: A config's row after an epoch.
        longest: Epochs after which early stopping ends every trial: an order has no rows
            beyond. None for never.
    """
    trained = {OutcomeStatus.DONE: order.epochs, OutcomeStatus.DIVERGED: order.epochs // 2}
    last = order.start + trained.get(status, 0)
    last = last if longest is None else max(order.start, min(last, longest))
    rows = tuple(metrics(order.config, epoch) for epoch in range(order.start + 1, last + 1))
    done = status is OutcomeStatus.DONE
    return Outcome(
        order,
        status,
        metrics=rows,
        seconds=float(order.epochs),
        state=f"trial-{order.trial}-epoch-{last}-state" if done else None,
        error=None if done else f"the order was meant to be {status.value}",
    )


def rehearse(
    scheduler: Scheduler,
    *,
    workers: int,
    seed: int = 0,
    ending: Callable[[Order], OutcomeStatus] = lambda _: OutcomeStatus.DONE,
    most: int = 10_000,
    longest: int | None = None,
) -> list[Event]:
    """Run a search to its end on simulated workers, and return its record.

    Each turn asks for a random number of orders, up to the workers that are free, and then
    a random order that is out is finished.

    Args:
        scheduler: A fresh scheduler.
        workers: How many orders may be out at once.
        seed: Seed of the random turns; the outcomes do not depend on it.
        ending: How an order ends.
        most: Stop after so many events: to look at a search half way, or at one that has
            no end.
        longest: Epochs after which early stopping ends every trial.
    """
    rng = np.random.default_rng(seed)
    record: list[Event] = []
    out: list[Order] = []
    while len(record) < most:
        free = workers - len(out)
        orders = scheduler.ask(int(rng.integers(1, free + 1))) if free else []
        record += orders
        out += orders
        if not out:
            break
        if orders and rng.random() < 0.5:
            continue
        order = out.pop(int(rng.integers(len(out))))
        outcome = carry_out(order, status=ending(order), longest=longest)
        scheduler.tell(outcome)
        record.append(outcome)
    return record


def orders_by_trial(record: Sequence[Event]) -> dict[int, list[Order]]:
    """Return each trial's orders, in the order in which they were given."""
    trials: dict[int, list[Order]] = {}
    for event in record:
        if isinstance(event, Order):
            trials.setdefault(event.trial, []).append(event)
    return trials


def _numbers(config: Config) -> tuple[float, float]:
    """Return two numbers in [0, 1) that depend on nothing but the config."""
    return int(config.digest[:8], 16) / 2**32, int(config.digest[8:], 16) / 2**32
