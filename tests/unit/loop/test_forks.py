"""Forks through ledger, artifacts and loop: a copy of its parent's state at the right epoch."""

import numpy as np
import pytest

from ripieno.ledger import SqlLedger
from ripieno.loop import Budget, replay
from ripieno.records import Objective, Order, config_by_epoch, history_by_epoch
from ripieno.schedulers import PopulationBased
from ripieno.searchers import Random
from ripieno.space import Float, Space

SPACE = Space(x=Float(-1.0, 1.0), y=Float(-1.0, 1.0))


def journal(config, report):
    """Save the x of each epoch that the state was trained for, forks' ancestors included."""
    saved = report.load()
    xs = [] if saved is None else list(saved["xs"])
    assert len(xs) == report.start
    for epoch in range(report.start, report.epochs):
        xs.append(config.x)
        report.save(epoch=epoch + 1, xs=np.array(xs))
        report(epoch=epoch + 1, loss=float(np.mean(np.square(xs))))


def scheduler():
    return PopulationBased(
        Random(SPACE, seed=5), Objective("loss"), space=SPACE, epochs=8, population=6, interval=2
    )


@pytest.fixture
def evolving(search):
    study = search(journal)
    study.scheduler = scheduler
    return study


def test_a_fork_starts_from_its_parents_state_and_the_record_tells_its_schedule(evolving):
    evolving.session()
    trials = evolving.read("trials")
    forks = [trial for trial in trials if trial.parent is not None]
    assert len(forks) >= 3
    for trial in trials:
        arrays, _ = evolving.artifacts.read(trial.state)
        schedule = config_by_epoch(trials, trial.id)
        assert [config.x for config in schedule] == list(arrays["xs"])
        rows = history_by_epoch(trials, trial.id)
        expected = [float(np.mean(np.square(arrays["xs"][:n]))) for n in range(1, len(rows) + 1)]
        assert [row["loss"] for row in rows] == pytest.approx(expected)


def test_forking_in_many_short_sessions_gives_the_study_of_one(evolving, search):
    evolving.session()
    parts = search(journal)
    parts.scheduler = scheduler
    for epochs in range(5, 60, 5):
        parts.session(budget=Budget(epochs=epochs))
    assert parts.table() == evolving.table()
    events = parts.read("events")
    assert sum(isinstance(event, Order) and event.parent is not None for event in events) >= 3
    rebuilt = scheduler()
    ledger = SqlLedger.open(parts.folder / "study.db")
    replay(rebuilt, ledger)
    ledger.close()
    assert rebuilt.ask(9) == []
