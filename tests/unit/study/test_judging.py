"""A search whose trials are judged by what they add to the ensemble so far."""

from dataclasses import replace

import numpy as np
import pytest

import ripieno as rp
from ripieno.ensembles import Contribution, Predictions, greedy_selection, log_loss
from ripieno.errors import StudyError
from ripieno.ledger import SqlLedger
from ripieno.records import Order, Outcome, OutcomeStatus
from ripieno.study.judging import JUDGED, Judge

OPTIONS = {
    "scheduler": "hyperband", "epochs": 3, "workers": 1, "progress": False, "tier": "loop",
    "objective": "ensemble",
}  # fmt: skip


def test_the_last_epoch_of_every_order_is_judged(arrays, factory, space, tmp_path):
    with rp.tune(factory, arrays, space, trials=8, out=tmp_path / "s", **OPTIONS) as study:
        for trial in study.trials:
            assert JUDGED in trial.metrics
        # The first order found no ensemble: it is judged by its own loss.
        first = study.trials[0].history[-1]
        assert first[JUDGED] == pytest.approx(first["log_loss"], rel=1e-5)
        differing = [
            t.id for t in study.trials if abs(t.metrics[JUDGED] - t.metrics["log_loss"]) > 1e-6
        ]
        assert differing
        assert study.settings.objective.metric == "log_loss"
        assert study.best.metrics["log_loss"] == min(t.metrics["log_loss"] for t in study.trials)


def test_a_judge_that_is_made_from_the_record_says_what_was_recorded(
    arrays, factory, space, tmp_path
):
    rp.tune(factory, arrays, space, trials=8, out=tmp_path / "s", **OPTIONS).close()
    with rp.open(tmp_path / "s", model=factory, data=arrays, space=space) as study:
        assert study.finished  # the scheduler, replayed, gives the recorded orders
        ledger = SqlLedger.open(study.folder.url)
        events = list(ledger.events())
        ledger.close()
        compared = 0
        for place, event in enumerate(events):
            last = isinstance(event, Outcome) and event.order.stop == 3 and event.predictions
            if not last:
                continue  # predictions of earlier epochs have been replaced since
            judge = Judge(study.job, study.artifacts, epochs=3, events=events[:place])
            *rows, told = event.metrics
            plain = {name: value for name, value in told.items() if name != JUDGED}
            again = judge.judge(replace(event, metrics=(*rows, plain)))
            assert again.metrics[-1][JUDGED] == told[JUDGED]
            compared += 1
        assert compared >= 3


def test_a_stopped_order_is_judged_when_it_has_come_to_its_end(tuned):
    judge = Judge(tuned.job, tuned.artifacts, epochs=3)
    trial = next(t for t in tuned.trials if t.predictions)
    order = Order(trial=trial.id, config=trial.config, start=0, stop=trial.epochs)
    stopped = Outcome(order, OutcomeStatus.STOPPED, trial.history, predictions=trial.predictions)
    assert judge.judge(stopped) is stopped
    done = judge.judge(replace(stopped, status=OutcomeStatus.DONE))
    assert done.metrics[-1][JUDGED] == pytest.approx(trial.metrics["log_loss"], rel=1e-5)


def test_what_a_model_adds_is_the_loss_of_the_ensemble_with_it():
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=50)
    p = rng.dirichlet(np.ones(3), (4, 50)) + np.eye(3)[y]
    p /= p.sum(axis=2, keepdims=True)
    library = Predictions(p[:3], y, tuple("abc"), "rows")
    new = Predictions(p[3:], y, ("d",), "rows")
    weights = greedy_selection(library, bags=0)
    members = np.count_nonzero(weights)
    mixed = (members * library.mean(weights) + p[3]) / (members + 1)
    assert Contribution.of(library).loss_with(new) == pytest.approx(log_loss(mixed, y))
    assert Contribution.of(None).loss_with(new) == pytest.approx(log_loss(p[3], y))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"scheduler": "median", "objective": "ensemble"}, "'median' cannot judge"),
        ({"objective": "accuracy"}, "objective = 'accuracy' is not known"),
    ],
)
def test_what_cannot_be_judged_is_refused(arrays, factory, space, tmp_path, options, match):
    with pytest.raises(StudyError, match=match):
        rp.tune(factory, arrays, space, out=tmp_path / "s", progress=False, **options)
    assert not (tmp_path / "s").exists()
