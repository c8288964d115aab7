"""A search whose trials are judged by what they add to the ensemble so far."""

import numpy as np
import pytest

import ripieno as rp
from ripieno.ensembles import Contribution, Predictions, greedy_selection, log_loss
from ripieno.errors import StudyError
from ripieno.study.judging import JUDGED

OPTIONS = {
    "scheduler": "hyperband", "epochs": 3, "workers": 1, "progress": False, "tier": "loop",
    "objective": "ensemble",
}  # fmt: skip


def rows(study):
    return [(t.id, dict(t.config), t.epochs, [dict(row) for row in t.history])
            for t in study.trials]  # fmt: skip


def test_the_last_epoch_of_every_order_is_judged(arrays, factory, space, tmp_path):
    with rp.tune(factory, arrays, space, trials=8, out=tmp_path / "s", **OPTIONS) as study:
        for trial in study.trials:
            assert JUDGED in trial.metrics
        # The first order found no ensemble: it is judged by its own loss.
        first = study.trials[0].history[0]
        assert first[JUDGED] == pytest.approx(first["log_loss"], rel=1e-5)
        differing = [
            t.id for t in study.trials if abs(t.metrics[JUDGED] - t.metrics["log_loss"]) > 1e-6
        ]
        assert differing
        assert study.settings.objective.metric == "log_loss"
        assert study.best.metrics["log_loss"] == min(t.metrics["log_loss"] for t in study.trials)


def test_a_search_that_goes_on_gives_the_same_trials(arrays, factory, space, tmp_path):
    with rp.tune(factory, arrays, space, trials=8, out=tmp_path / "a", **OPTIONS) as whole:
        expected = rows(whole)
    stopped = rp.tune(factory, arrays, space, trials=8, minutes=1e-9, out=tmp_path / "b", **OPTIONS)
    stopped.close()
    with rp.open(tmp_path / "b", model=factory, data=arrays, space=space) as study:
        for _ in range(40):
            study.run(minutes=0.002, workers=1, progress=False)
            if study.finished:
                break
        assert rows(study) == expected


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
