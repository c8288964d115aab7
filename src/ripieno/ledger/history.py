"""Reading a study back: trials, events and open orders, in a few plain queries each."""

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import itemgetter
from typing import Any

from sqlalchemy import Column, ColumnElement, Connection, func, select

from ripieno.ledger import tables
from ripieno.ledger.draft import OpenOrder
from ripieno.records import (
    Change,
    Config,
    Metrics,
    Order,
    Outcome,
    OutcomeStatus,
    Trial,
    TrialStatus,
)

__all__ = [
    "read_changes",
    "read_events",
    "read_last",
    "read_open_orders",
    "read_states",
    "read_trials",
]

_STOPPED = OutcomeStatus.STOPPED.value
_STATUS = {
    OutcomeStatus.DONE: TrialStatus.PAUSED,
    OutcomeStatus.DIVERGED: TrialStatus.DIVERGED,
    OutcomeStatus.FAILED: TrialStatus.FAILED,
}


@dataclass(slots=True)
class _Progress:
    """How far the outcomes of one trial carried it; filled in as they are read."""

    status: TrialStatus = TrialStatus.RUNNING
    seconds: float = 0.0
    finished_at: float = math.nan
    state: str | None = None
    predictions: str | None = None
    error: str | None = None
    notes: str | None = None


def read_last(connection: Connection) -> tuple[int, float]:
    """Return the number of the last order, outcome or change, and the latest clock."""
    seq, clock = 0, connection.scalars(select(tables.study.c.clock)).one()
    for table in (tables.orders, tables.outcomes, tables.changes):
        query = select(func.max(table.c.seq), func.max(table.c.clock))
        last_seq, last_clock = connection.execute(query).one()
        seq, clock = max(seq, last_seq or 0), max(clock, last_clock or 0.0)
    return seq, clock


def read_states(connection: Connection) -> dict[int, str | None]:
    """Return every trial with the key of its latest stored state."""
    states: dict[int, str | None] = dict.fromkeys(connection.scalars(select(tables.trials.c.id)))
    rows = connection.execute(
        select(tables.orders.c.trial, tables.outcomes.c.state)
        .join_from(tables.outcomes, tables.orders)
        .where(tables.outcomes.c.state.is_not(None))
        .order_by(tables.outcomes.c.seq)
    )
    states.update((trial, state) for trial, state in rows)
    states.update(dict.fromkeys(_read_freed(connection)))
    return states


def _read_freed(connection: Connection) -> set[int]:
    """Return the trials whose states were given up; such a trial is never trained again."""
    rows = connection.scalars(select(tables.changes.c.content))
    return {trial for content in rows for trial in Change.from_json(content).freed}


def read_open_orders(connection: Connection) -> dict[int, OpenOrder]:
    """Return the orders without a final outcome, by trial, with what their parts gave."""
    columns = (*_order_columns(), tables.orders.c.state)
    rows = connection.execute(
        select(*columns)
        .join_from(tables.orders, tables.trials)
        .where(_is_open())
        .order_by(tables.orders.c.seq)
    )
    found: dict[int, OpenOrder] = {}
    for seq, trial, config, start, stop, parent, state in rows.all():
        given = Order(trial, _config(config), start, stop, parent=parent)
        rest = Order(trial, given.config, start, stop, parent=parent, state=state)
        found[trial] = _with_parts(connection, OpenOrder(seq, given, rest))
    return found


def _with_parts(connection: Connection, order: OpenOrder) -> OpenOrder:
    """Add what the stopped parts of an order gave."""
    columns = tables.outcomes.c
    parts = connection.execute(
        select(columns.reached, columns.seconds, columns.state)
        .where(columns.order_seq == order.seq)
        .order_by(columns.seq)
    ).all()
    if not parts:
        return order
    rows = connection.scalars(
        select(tables.metrics.c.row)
        .where(
            tables.metrics.c.trial == order.given.trial,
            tables.metrics.c.epoch > order.given.start,
        )
        .order_by(tables.metrics.c.epoch)
    ).all()
    metrics = _rows(rows)
    for reached, seconds, state in parts:
        count = reached - order.given.start
        part = Outcome(
            order.given,
            OutcomeStatus.STOPPED,
            metrics=metrics[:count],
            seconds=seconds,
            state=state,
        )
        order = order.stopped(part)
    return order


def read_trials(connection: Connection) -> list[Trial]:
    """Return every trial by number, as far as it got.

    The connection is in a transaction, so that the queries see the same record.
    """
    running = set(connection.scalars(select(tables.orders.c.trial).where(_is_open())))
    progress = _read_progress(connection)
    freed = _read_freed(connection)
    histories = _read_histories(connection)
    columns = tables.trials.c
    rows = connection.execute(
        select(columns.id, columns.config, columns.parent, columns.first_epoch).order_by(columns.id)
    )
    nothing: tuple[Metrics, ...] = ()
    found: list[Trial] = []
    for trial, config, parent, first_epoch in rows:
        seen = progress.get(trial) or _Progress()
        found.append(
            Trial(
                id=trial,
                config=_config(config),
                status=TrialStatus.RUNNING if trial in running else seen.status,
                history=histories.get(trial, nothing),
                first_epoch=first_epoch,
                parent=parent,
                seconds=seen.seconds,
                finished_at=seen.finished_at,
                state=None if trial in freed else seen.state,
                predictions=seen.predictions,
                error=seen.error,
                notes=seen.notes,
            )
        )
    return found


def _read_progress(connection: Connection) -> dict[int, _Progress]:
    columns = tables.outcomes.c
    rows = connection.execute(
        select(
            tables.orders.c.trial,
            columns.status,
            columns.seconds,
            columns.clock,
            columns.state,
            columns.predictions,
            columns.error,
            columns.notes,
        )
        .join_from(tables.outcomes, tables.orders)
        .order_by(columns.seq)
    )
    found: dict[int, _Progress] = {}
    for trial, status, seconds, clock, state, predictions, error, notes in rows:
        seen = found.setdefault(trial, _Progress())
        seen.status = _STATUS.get(status, TrialStatus.RUNNING)
        seen.seconds += seconds
        seen.finished_at = clock
        seen.state = state or seen.state
        seen.predictions = predictions or seen.predictions
        seen.error = error
        seen.notes = notes
    return found


def _read_histories(connection: Connection) -> dict[int, tuple[Metrics, ...]]:
    columns = tables.metrics.c
    rows = connection.execute(
        select(columns.trial, columns.row).order_by(columns.trial, columns.epoch)
    )
    return {
        trial: _rows([row for _, row in group]) for trial, group in groupby(rows, itemgetter(0))
    }


def read_events(connection: Connection) -> list[Order | Outcome | Change]:
    """Return orders, final outcomes and changes in the sequence in which they were recorded."""
    rows = connection.execute(
        select(*_order_columns())
        .join_from(tables.orders, tables.trials)
        .order_by(tables.orders.c.seq)
    )
    configs: dict[int, Config] = {}
    orders: dict[int, Order] = {}
    for seq, trial, config, start, stop, parent in rows:
        if trial not in configs:
            configs[trial] = _config(config)
        orders[seq] = Order(trial, configs[trial], start, stop, parent=parent)
    numbered: list[tuple[int, Order | Outcome | Change]] = [*orders.items()]
    numbered += _read_outcomes(connection, orders)
    numbered += read_changes(connection)
    return [event for _, event in sorted(numbered, key=itemgetter(0))]


def read_changes(connection: Connection) -> list[tuple[int, Change]]:
    """Return what a user changed, each with its number in the record, in sequence."""
    columns = tables.changes.c
    rows = connection.execute(select(columns.seq, columns.content).order_by(columns.seq))
    return [(seq, Change.from_json(content)) for seq, content in rows]


def _read_outcomes(connection: Connection, orders: dict[int, Order]) -> list[tuple[int, Outcome]]:
    """Return the final outcomes with their numbers, each with all its parts."""
    columns = tables.outcomes.c
    histories = _read_histories(connection)
    rows = connection.execute(select(tables.trials.c.id, tables.trials.c.first_epoch))
    firsts: dict[int, int] = dict(map(tuple, rows))
    waited: dict[int, float] = {}
    found: list[tuple[int, Outcome]] = []
    # Unpacked: a name looked up in a row costs more than all else that is done with it.
    wanted = (
        columns.seq, columns.order_seq, columns.status, columns.reached, columns.seconds,
        columns.state, columns.predictions, columns.error, columns.notes,
    )  # fmt: skip
    outcomes = connection.execute(select(*wanted).order_by(columns.seq))
    for seq, order_seq, status, reached, seconds, state, predictions, error, notes in outcomes:
        order = orders[order_seq]
        waited[order_seq] = waited.get(order_seq, 0.0) + seconds
        if status == _STOPPED:
            continue
        first = firsts[order.trial]
        history = histories.get(order.trial, ())
        outcome = Outcome(
            order,
            OutcomeStatus(status),
            metrics=history[order.start - first : reached - first],
            seconds=waited[order_seq],
            state=state,
            predictions=predictions,
            error=error,
            notes=notes,
        )
        found.append((seq, outcome))
    return found


def _is_open() -> ColumnElement[bool]:
    final = select(tables.outcomes.c.order_seq).where(tables.outcomes.c.status != _STOPPED)
    return tables.orders.c.seq.not_in(final)


def _order_columns() -> tuple[Column[Any], ...]:
    columns = tables.orders.c
    return (
        columns.seq,
        columns.trial,
        tables.trials.c.config,
        columns.start,
        columns.stop,
        columns.parent,
    )


def _config(text: str) -> Config:
    values = json.loads(text)
    if type(values) is not dict:
        raise ValueError(f"{text[:80]!r} is no config")
    return Config(values)


def _rows(texts: Sequence[str]) -> tuple[Metrics, ...]:
    # One document for all rows: a fifth of the time of one document a row.
    rows = tuple(json.loads(f"[{','.join(texts)}]"))
    if len(rows) != len(texts) or not all(map(_is_row, rows)):
        raise ValueError(f"{texts[0][:80]!r} or a row beside it holds no metrics")
    return rows


def _is_row(row: object) -> bool:
    """Say whether a document is a row of metrics: names, and numbers that a float can hold."""
    return type(row) is dict and all(
        type(value) is float or (isinstance(value, int) and value.bit_length() < 1000)
        for value in row.values()
    )
