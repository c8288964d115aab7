"""Orders and outcomes as text, on their way from one process of a study to another."""

import json
from typing import Any

from ripieno.records import Config, Order, Outcome, OutcomeStatus

__all__ = ["read_order", "read_outcome", "write_order", "write_outcome"]


def write_order(order: Order) -> str:
    """Return an order as JSON."""
    return json.dumps(
        {
            "trial": order.trial,
            "config": dict(order.config),
            "start": order.start,
            "stop": order.stop,
            "parent": order.parent,
            "state": order.state,
        },
        separators=(",", ":"),
    )


def read_order(text: str) -> Order:
    """Return what :func:`write_order` wrote.

    Raises:
        ValueError, KeyError, TypeError: It did not write this.
    """
    facts = json.loads(text)
    return Order(
        facts["trial"],
        Config(facts["config"]),
        facts["start"],
        facts["stop"],
        parent=facts["parent"],
        state=facts["state"],
    )


def write_outcome(outcome: Outcome) -> str:
    """Return an outcome as JSON, without its order."""
    facts = {
        "status": outcome.status.value,
        "metrics": [dict(row) for row in outcome.metrics],
        "seconds": outcome.seconds,
        "state": outcome.state,
        "predictions": outcome.predictions,
        "error": outcome.error,
        "notes": outcome.notes,
    }
    # ASCII, so that no text of a user's error is one that a database refuses.
    return json.dumps(facts, separators=(",", ":"), default=float)


def read_outcome(text: str, order: Order) -> Outcome:
    """Return what :func:`write_outcome` wrote, as the outcome of an order.

    Raises:
        ValueError, KeyError, TypeError: It did not write this.
    """
    facts: dict[str, Any] = json.loads(text)
    return Outcome(
        order,
        OutcomeStatus(facts["status"]),
        metrics=tuple(facts["metrics"]),
        seconds=facts["seconds"],
        state=facts["state"],
        predictions=facts["predictions"],
        error=facts["error"],
        notes=facts["notes"],
    )
