import numpy as np
import pytest
from scipy import stats

from ripieno.ensembles import accuracy, brier, gain_interval, log_loss
from ripieno.errors import EnsembleError
from ripieno.recipes import measure


def pair(rows=400, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.integers(3, size=rows)
    single = rng.dirichlet(np.ones(3), rows)
    single[np.arange(rows), y] += 0.5
    single /= single.sum(axis=1, keepdims=True)
    ensemble = 0.8 * single + 0.2 * np.eye(3)[y]
    return single, ensemble, y


@pytest.mark.parametrize(
    ("metric", "measure", "sign"),
    [("log_loss", log_loss, -1), ("accuracy", accuracy, 1), ("brier", brier, -1)],
)
def test_the_gain_is_the_difference_of_the_metric_and_positive_for_the_better(
    metric, measure, sign
):
    single, ensemble, y = pair()
    gain = gain_interval(single, ensemble, y, metric=metric)
    expected = sign * (measure(ensemble, y) - measure(single, y))
    assert gain.value == pytest.approx(expected, rel=1e-12)
    assert gain.low <= gain.value <= gain.high
    assert gain.value > 0
    assert gain.is_clear


def test_the_interval_agrees_with_that_of_the_t_distribution():
    single, ensemble, y = pair()
    rows = np.arange(len(y))
    better = np.log(ensemble[rows, y] / single[rows, y])
    low, high = stats.t.interval(0.95, len(y) - 1, better.mean(), stats.sem(better))
    gain = gain_interval(single, ensemble, y, resamples=4_000)
    assert gain.low == pytest.approx(low, rel=0.05)
    assert gain.high == pytest.approx(high, rel=0.05)


def test_a_model_gains_nothing_over_itself():
    single, _, y = pair()
    gain = gain_interval(single, single, y)
    assert (gain.value, gain.low, gain.high) == (0.0, 0.0, 0.0)
    assert not gain.is_clear


def test_a_loss_is_a_clear_negative_gain():
    single, ensemble, y = pair()
    gain = gain_interval(ensemble, single, y)
    assert gain.value < 0
    assert gain.high < 0
    assert gain.is_clear


def test_chance_differences_are_not_clear():
    rng = np.random.default_rng(1)
    y = rng.integers(2, size=100)
    gain = gain_interval(
        rng.dirichlet(np.ones(2), 100), rng.dirichlet(np.ones(2), 100), y, metric="accuracy"
    )
    assert not gain.is_clear


def test_the_same_seed_gives_the_same_interval_and_a_wider_one_for_more_confidence():
    single, ensemble, y = pair()
    first = gain_interval(single, ensemble, y, seed=3)
    assert gain_interval(single, ensemble, y, seed=3) == first
    wide = gain_interval(single, ensemble, y, seed=3, confidence=0.99)
    assert wide.low < first.low
    assert wide.high > first.high


def test_many_rows_are_resampled_in_pieces():
    single, ensemble, y = pair(rows=30_000)
    gain = gain_interval(single, ensemble, y, resamples=150)
    assert gain.low < gain.value < gain.high


@pytest.mark.parametrize(
    "wrong", [{"metric": "auc"}, {"confidence": 1.0}, {"confidence": 0.0}, {"resamples": 0}]
)
def test_an_argument_out_of_range_is_refused(wrong):
    single, ensemble, y = pair(rows=10)
    with pytest.raises(EnsembleError):
        gain_interval(single, ensemble, y, **wrong)


def test_rows_that_do_not_match_are_refused():
    single, ensemble, y = pair(rows=10)
    with pytest.raises(EnsembleError, match="shape"):
        gain_interval(single[:9], ensemble, y)


@pytest.mark.parametrize(
    ("task", "metric"),
    [("regression", "rmse"), ("regression", "mae"), ("multilabel", "brier"),
     ("multilabel", "log_loss")],
)  # fmt: skip
def test_the_gain_of_values_and_labels_is_in_the_metric_that_is_asked_for(task, metric):
    rng = np.random.default_rng(0)
    y = rng.normal(size=(200, 2))
    models = [y + rng.standard_t(3, size=y.shape) * scale for scale in (1.0, 0.5)]
    if task == "multilabel":
        y = (y > 0).astype(int)
        models = [1 / (1 + np.exp(-model)) for model in models]
    found = gain_interval(*models, y, metric=metric, task=task)
    one, other = (measure(model, y, metrics=(metric,), task=task)[metric] for model in models)
    assert found.value == pytest.approx(one - other, rel=1e-5)
    assert found.low < found.value < found.high
    assert found.metric == metric
