"""One transaction's worth of rows, prepared in memory before anything is written."""

import json
from collections import ChainMap
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqlalchemy import Connection, Table, bindparam, delete, insert, select, update

from ripieno.errors import LedgerError
from ripieno.ledger import tables
from ripieno.records import Change, Metrics, Order, Outcome, OutcomeStatus

__all__ = ["Draft", "OpenOrder"]

_INSERT_TRIALS = insert(tables.trials)
_INSERT_ORDERS = insert(tables.orders)
_INSERT_OUTCOMES = insert(tables.outcomes)
_INSERT_CHANGES = insert(tables.changes)
_INSERT_METRICS = insert(tables.metrics)
_SET_CLOCK = update(tables.study).values(clock=bindparam("now"))
_FORGET_METRICS = delete(tables.metrics).where(
    tables.metrics.c.trial == bindparam("of_trial"), tables.metrics.c.epoch > bindparam("after")
)


@dataclass(frozen=True, slots=True)
class OpenOrder:
    """An order without a final outcome.

    Args:
        seq: Its number in the record.
        given: The order as the scheduler gave it.
        rest: What is left of it: from the last stored state on.
        metrics: Rows of the epochs after ``given.start`` that were recorded so far.
        seconds: Wall time spent on them.
    """

    seq: int
    given: Order
    rest: Order
    metrics: tuple[Metrics, ...] = ()
    seconds: float = 0.0

    def merged(self, outcome: Outcome) -> Outcome:
        """Return what the order gave in all its parts, ``outcome`` being the last one.

        Rows that the last part trained again replace the earlier ones.
        """
        kept = self.metrics[: outcome.order.start - self.given.start]
        return replace(
            outcome,
            order=self.given,
            metrics=(*kept, *outcome.metrics),
            seconds=self.seconds + outcome.seconds,
        )

    def stopped(self, outcome: Outcome) -> "OpenOrder":
        """Return the order as it stands after a part that was stopped.

        Only a stored state carries it forward: rows without one are trained again.
        """
        whole = self.merged(outcome)
        rest = self.rest
        if outcome.state is not None and outcome.reached < self.given.stop:
            rest = replace(self.given, start=outcome.reached, state=outcome.state)
        return replace(self, rest=rest, metrics=whole.metrics, seconds=whole.seconds)


class Draft:
    """Rows to be written in one transaction, and what will be known after it.

    Args:
        states: Trials known so far, with the key of their latest state; left unchanged.
        open_orders: Open orders by trial; left unchanged.
        seq: The number of the last order or outcome.
        where: What a message says about the place of the record.
    """

    def __init__(
        self,
        states: dict[int, str | None],
        open_orders: dict[int, OpenOrder | None],
        *,
        seq: int,
        where: str,
    ) -> None:
        self.seq = self._seq_before = seq
        self.new_states: dict[int, str | None] = {}
        self.new_open: dict[int, OpenOrder | None] = {}
        self._states = ChainMap(self.new_states, states)
        self._open = ChainMap(self.new_open, open_orders)
        self._where = where
        self._trials: list[dict[str, Any]] = []
        self._orders: list[dict[str, Any]] = []
        self._outcomes: list[dict[str, Any]] = []
        self._changes: list[dict[str, Any]] = []
        self._metrics: dict[tuple[int, int], str] = {}
        self._forgotten: list[dict[str, Any]] = []

    def add_order(self, order: Order, clock: float) -> None:
        """Open an order; a trial that is not known yet comes into being."""
        known = order.trial in self._states
        if known and self._open.get(order.trial) is not None:
            raise LedgerError(
                f"trial {order.trial} was given an order while another one is open.",
                where=self._where,
                fix="give a trial its next order after the outcome of the last one.",
            )
        source = order.trial if known else order.parent
        state = order.state or (None if source is None else self._states.get(source))
        if not known:
            self.new_states[order.trial] = None
            self._trials.append(
                {
                    "id": order.trial,
                    "config": json.dumps(dict(order.config), separators=(",", ":")),
                    "parent": order.parent,
                    "first_epoch": order.start,
                }
            )
        self.seq += 1
        given = order if order.state is None else replace(order, state=None)
        rest = order if order.state == state else replace(order, state=state)
        self.new_open[order.trial] = OpenOrder(self.seq, given, rest)
        self._orders.append(
            {
                "seq": self.seq,
                "trial": order.trial,
                "start": order.start,
                "stop": order.stop,
                "parent": order.parent,
                "state": state,
                "clock": clock,
            }
        )

    def add_outcome(self, outcome: Outcome, clock: float) -> Outcome | None:
        """Record what an order gave; return it merged if it is final, else None."""
        trial, start = outcome.order.trial, outcome.order.start
        found = self._open.get(trial)
        if found is None or found.given.stop != outcome.order.stop or start < found.given.start:
            raise LedgerError(
                f"trial {trial} has an outcome for epochs {start} to {outcome.order.stop}, "
                "but no such order is open.",
                where=self._where,
                fix="record an order before its outcome, and each final outcome once.",
            )
        outcome = replace(outcome, error=_storable(outcome.error), notes=_storable(outcome.notes))
        if len(found.metrics) > start - found.given.start:
            self._forget_metrics(trial, after=start)
        for epoch, row in enumerate(outcome.metrics, start + 1):
            self._metrics[trial, epoch] = _row(row)
        self.seq += 1
        self._outcomes.append(
            {
                "seq": self.seq,
                "order_seq": found.seq,
                "status": outcome.status.value,
                "reached": outcome.reached,
                "seconds": outcome.seconds,
                "clock": clock,
                "state": outcome.state,
                "predictions": outcome.predictions,
                "error": outcome.error,
                "notes": outcome.notes,
            }
        )
        if outcome.state is not None:
            self.new_states[trial] = outcome.state
        if outcome.status is OutcomeStatus.STOPPED:
            self.new_open[trial] = found.stopped(outcome)
            return None
        self.new_open[trial] = None
        return found.merged(outcome)

    def add_change(self, change: Change, clock: float) -> None:
        """Record what a user changed in the study, or whose states were given up."""
        self.seq += 1
        self.new_states.update(dict.fromkeys(change.freed))
        self._changes.append({"seq": self.seq, "content": change.to_json(), "clock": clock})

    def _forget_metrics(self, trial: int, *, after: int) -> None:
        """Drop rows of a stopped part that are being trained again."""
        self._forgotten.append({"of_trial": trial, "after": after})
        for key in [key for key in self._metrics if key[0] == trial and key[1] > after]:
            del self._metrics[key]

    def write(self, connection: Connection, clock: float) -> None:
        """Send the rows; the caller has begun the transaction and ends it."""
        if self._forgotten:
            connection.execute(_FORGET_METRICS, self._forgotten)
        if self._trials:
            connection.execute(_INSERT_TRIALS, self._trials)
        if self._orders:
            connection.execute(_INSERT_ORDERS, self._orders)
        if self._outcomes:
            connection.execute(_INSERT_OUTCOMES, self._outcomes)
        if self._changes:
            connection.execute(_INSERT_CHANGES, self._changes)
        if self._metrics:
            connection.execute(
                _INSERT_METRICS,
                [{"trial": t, "epoch": e, "row": row} for (t, e), row in self._metrics.items()],
            )
        if not self._orders and not self._outcomes:
            connection.execute(_SET_CLOCK, {"now": clock})

    def write_again(self, connection: Connection, clock: float) -> None:
        """Send the rows, if the try whose end was not heard of did not write them."""
        counted = (
            (tables.orders, self._orders),
            (tables.outcomes, self._outcomes),
            (tables.changes, self._changes),
        )
        written = any(rows for _, rows in counted) and all(
            self._holds(connection, table, rows) for table, rows in counted
        )
        if not written:
            self.write(connection, clock)

    def _holds(self, connection: Connection, table: Table, rows: list[dict[str, Any]]) -> bool:
        """Say whether a table ends with just these rows, to the last bit."""
        seq = table.c.seq
        found = connection.execute(select(table).where(seq > self._seq_before).order_by(seq))
        return [dict(row) for row in found.mappings()] == rows


def _storable(text: str | None) -> str | None:
    """Return a text without what a database refuses: NUL, and halves of characters."""
    if text is None:
        return None
    return text.replace("\0", "\N{REPLACEMENT CHARACTER}").encode("utf-8", "replace").decode()


def _row(metrics: Mapping[str, float]) -> str:
    # `float` takes in NumPy's scalars, which `json` does not know.
    return json.dumps(dict(metrics), separators=(",", ":"), default=float)
