"""Reading back a study that was recorded in every way there is."""

import numpy as np
import pytest

from ripieno.ledger import SqlLedger
from ripieno.records import Config, Order, Outcome, OutcomeStatus


def play(ledger, seed, steps):
    """Record a random study: forks, continued, stopped, failed and diverged orders."""
    rng = np.random.default_rng(seed)
    live = []
    for step in range(steps):
        left = ledger.open_orders()
        if left and rng.random() < 0.6:
            order = left[rng.integers(len(left))]
            status = rng.choice(["done", "done", "stopped", "stopped", "failed", "diverged"])
            count = order.epochs if status == "done" else int(rng.integers(order.epochs))
            outcome = Outcome(
                order,
                OutcomeStatus(str(status)),
                metrics=tuple({"loss": float(rng.normal())} for _ in range(count)),
                seconds=float(rng.random()),
                state=f"s{step}" if status in {"done", "stopped"} and rng.random() < 0.7 else None,
                predictions=f"p{step}" if rng.random() < 0.5 else None,
                error="it broke" if status in {"failed", "diverged"} else None,
            )
            live += ledger.record(outcomes=[outcome], clock=float(step))
            continue
        trials = {trial.id: trial for trial in ledger.trials()}
        idle = [t for t in trials.values() if t.status == "paused"]
        choice = rng.random()
        if idle and choice < 0.4:
            trial = idle[rng.integers(len(idle))]
            order = Order(trial.id, trial.config, trial.epochs, trial.epochs + 3)
        elif idle and choice < 0.7:
            parent = idle[rng.integers(len(idle))]
            config = Config({"x": float(rng.random())})
            start = parent.epochs
            order = Order(len(trials), config, start, start + 2, parent=parent.id)
        else:
            order = Order(len(trials), Config({"x": float(rng.random())}), 0, 4)
        ledger.record(orders=[order], clock=float(step))
        live.append(order)
    return live


@pytest.mark.parametrize("seed", range(8))
def test_events_are_what_was_told_live(tmp_path, seed):
    ledger = SqlLedger.create(tmp_path / "study.db", {})
    live = play(ledger, seed, 60)
    assert list(ledger.events()) == live
    ledger.close()


@pytest.mark.parametrize("seed", range(3))
def test_a_study_that_is_opened_again_at_every_step_goes_the_same_way(tmp_path, seed):
    straight = SqlLedger.create(tmp_path / "straight.db", {})
    play(straight, seed, 30)

    class Reopened:
        """A ledger whose process dies after each call."""

        def __getattr__(self, name):
            ledger = SqlLedger.open(tmp_path / "broken.db")

            def call(*arguments, **named):
                try:
                    return getattr(ledger, name)(*arguments, **named)
                finally:
                    ledger.close()

            return call

    SqlLedger.create(tmp_path / "broken.db", {}).close()
    play(Reopened(), seed, 30)
    broken = SqlLedger.open(tmp_path / "broken.db")
    assert list(broken.events()) == list(straight.events())
    assert broken.open_orders() == straight.open_orders()
    assert repr(broken.trials()) == repr(straight.trials())
    assert broken.clock == straight.clock
    for ledger in (straight, broken):
        ledger.close()


@pytest.mark.parametrize("seed", range(4))
def test_a_history_has_one_row_an_epoch_without_gaps(tmp_path, seed):
    ledger = SqlLedger.create(tmp_path / "study.db", {})
    play(ledger, seed, 60)
    reached = {trial.id: trial.first_epoch for trial in ledger.trials()}
    for event in ledger.events():
        if isinstance(event, Outcome):
            reached[event.order.trial] = event.reached
    left = {order.trial for order in ledger.open_orders()}
    for trial in ledger.trials():
        if trial.id not in left:
            assert trial.epochs == reached[trial.id]
    ledger.close()
