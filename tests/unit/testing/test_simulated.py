import pytest

from ripieno.ledger import FileArtifacts, SqlLedger
from ripieno.loop import Budget, StopReason, replay, run
from ripieno.records import Objective, Order, OutcomeStatus
from ripieno.schedulers import Asha, Hyperband
from ripieno.searchers import Random
from ripieno.space import Float, Space
from ripieno.testing import Cluster, SimulatedExecutor, simulate_cluster

SPACE = Space(lr=Float(1e-4, 1.0, log=True))
LOSS = Objective("loss")
CLUSTER = Cluster(40, failures=0.1, stragglers=0.1, seed=2)


def hyperband():
    return Hyperband(Random(SPACE, 0), LOSS, epochs=9, trials=60)


def session(folder, scheduler, *, cluster=CLUSTER, **options):
    file = folder / "study.db"
    ledger = SqlLedger.open(file) if file.exists() else SqlLedger.create(file, {})
    artifacts = FileArtifacts(folder / "artifacts")
    executor = SimulatedExecutor(cluster)
    replay(scheduler, ledger)
    reason = run(scheduler, ledger, executor, objective=LOSS, artifacts=artifacts, **options)
    trials = ledger.trials()
    ledger.close()
    return reason, executor, [(t.id, t.config, t.status, t.history) for t in trials]


def told(event):
    """Return an order or outcome as text, without what a study stores."""
    if isinstance(event, Order):
        return repr(event)
    return repr((event.order, event.status, event.metrics, event.seconds))


def test_the_studys_loop_gives_what_the_bare_simulation_gives(tmp_path):
    events = []
    scheduler = Asha(Random(SPACE, 0), LOSS, epochs=9, trials=60)
    done = simulate_cluster(scheduler, CLUSTER, watch=lambda _, event: events.append(event))
    scheduler = Asha(Random(SPACE, 0), LOSS, epochs=9, trials=60)
    reason, executor, _ = session(tmp_path, scheduler)
    ledger = SqlLedger.open(tmp_path / "study.db")
    recorded = ledger.events()
    ledger.close()
    assert reason is StopReason.FINISHED
    assert executor.clock == pytest.approx(done.seconds)
    assert sorted(map(told, recorded)) == sorted(map(told, events))


def test_a_search_in_two_sessions_and_on_other_workers_is_the_search_in_one(tmp_path):
    folders = [tmp_path / name for name in ("one", "two")]
    for folder in folders:
        folder.mkdir()
    _, _, whole = session(folders[0], hyperband())
    reason, _, half = session(folders[1], hyperband(), budget=Budget(epochs=50))
    assert reason is StopReason.BUDGET_EPOCHS
    _, _, rest = session(folders[1], hyperband(), cluster=Cluster(3, failures=0.1, seed=2))
    assert len(half) < len(rest)
    assert repr(rest) == repr(whole)


def test_what_is_stopped_did_nothing_and_takes_no_more_orders():
    executor = SimulatedExecutor(CLUSTER)
    orders = hyperband().ask(5)
    executor.submit(orders)
    assert executor.slots == 35
    executor.stop()
    outcomes = executor.collect()
    assert {outcome.order for outcome in outcomes} == set(orders)
    assert {(outcome.status, outcome.metrics) for outcome in outcomes} == {
        (OutcomeStatus.STOPPED, ())
    }
    assert executor.slots == 0
    assert executor.collect() == []
