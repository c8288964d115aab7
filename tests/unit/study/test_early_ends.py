"""A search in which early stopping ends trials, from beginning to ensemble."""

import numpy as np
import pytest
from torch import nn

import ripieno as rp
from ripieno.ledger import SqlLedger
from ripieno.recipes import measure, predict_probabilities
from ripieno.study.members import load_models

SPACE = rp.Space(
    lr=rp.Float(0.05, 1.0, log=True), optimizer=rp.Constant("sgd"), momentum=rp.Constant(0.9),
    early_stopping=rp.Constant(2), batch_size=rp.Constant(16),
)  # fmt: skip


def model(config):
    return nn.Sequential(nn.Linear(4, 16), nn.Tanh(), nn.Linear(16, 2))


@pytest.fixture(scope="module")
def arrays():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(160, 4)).astype(np.float32)
    return x, (x[:, 0] + 0.8 * rng.normal(size=160) > 0).astype(int)


@pytest.fixture(scope="module", params=["loop", "leaves"])
def study(request, arrays, tmp_path_factory):
    out = tmp_path_factory.mktemp("study") / "s"
    return rp.tune(model, arrays, SPACE, trials=9, epochs=9, scheduler="hyperband", workers=1,
                   tier=request.param, out=out, progress=False)  # fmt: skip


def study_events(study):
    ledger = SqlLedger.open(study.folder.url)
    events = ledger.events()
    ledger.close()
    return events


def test_trials_end_early_and_are_ranked_by_their_best_epoch(study):
    early = [trial for trial in study.trials if "stopped early" in (trial.notes or "")]
    assert early
    for trial in study.trials:
        losses = [row["last_log_loss"] for row in trial.history]
        assert trial.metrics["log_loss"] == min(losses)
        since = len(losses) - 1 - int(np.argmin(losses))
        assert since <= 2
        assert trial.epochs <= 9
        if trial in early:
            assert since == 2
    assert study.best.metrics["log_loss"] == min(t.metrics["log_loss"] for t in study.trials)


def test_values_predictions_and_models_are_those_of_the_best_epoch(study):
    validation = study.job.data.validation
    for trial in study.trials:
        stored = study.artifacts.read(trial.predictions)[0]["probabilities"]
        loss = measure(stored, validation.y)["log_loss"]
        assert loss == pytest.approx(trial.metrics["log_loss"], rel=1e-5)
        (module,) = load_models(study.job, trial, study.artifacts)
        answer = predict_probabilities(module, validation.x)
        np.testing.assert_allclose(answer, stored, rtol=1e-4, atol=1e-6)


def test_there_is_an_ensemble_and_a_report(study, tmp_path):
    chosen = study.results().ensemble
    assert chosen.validation["log_loss"] <= study.best.metrics["log_loss"] + 1e-6
    assert study.report(tmp_path / "report.html").stat().st_size > 10_000


def test_the_record_is_read_back_and_is_finished(study):
    with rp.open(study.folder.path, read_only=True) as again:
        assert again.trials == study.trials
        assert again.finished
    orders = [event for event in study_events(study) if isinstance(event, rp.Order)]
    outcomes = [event for event in study_events(study) if isinstance(event, rp.Outcome)]
    assert len(orders) == len(outcomes)
    assert any(len(outcome.metrics) < outcome.order.epochs for outcome in outcomes)
