"""Ensembles of labels and of values: combined, selected, measured, saved."""

import numpy as np
import pytest
import torch
from sklearn import metrics as sk
from torch import nn

from ripieno.ensembles import (
    Ensemble,
    Predictions,
    ambiguity,
    disagreement,
    gain_interval,
    greedy_selection,
    q_statistic,
)
from ripieno.errors import EnsembleError
from ripieno.recipes import Coding, Data, MlpFactory, measure

RNG = np.random.default_rng(0)
X = RNG.normal(size=(150, 4))


def labels(members=6, rows=200, columns=3, seed=0):
    rng = np.random.default_rng(seed)
    y = (rng.random((rows, columns)) < 0.3).astype(np.int64)
    noise = rng.normal(size=(members, rows, columns)) * 1.5
    p = 1 / (1 + np.exp(-(4.0 * y - 2.0 + noise)))
    return p.astype(np.float32), y


def values(members=6, rows=200, columns=2, seed=0):
    rng = np.random.default_rng(seed)
    y = rng.normal(size=(rows, columns)) * [1.0, 100.0][:columns] + 1e5
    noise = rng.normal(size=(members, rows, columns)) * rng.uniform(0.2, 1.0, (members, 1, 1))
    return y + noise * [1.0, 100.0][:columns], y


def library(task):
    p, y = labels() if task == "multilabel" else values()
    return Predictions(p, y, tuple(f"m{i}" for i in range(len(p))), "f", task)


def loss(task, p, y):
    if task == "regression":
        return sk.root_mean_squared_error(y, p)
    return measure(p, y, metrics=("log_loss",), task="multilabel")["log_loss"]


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_the_selection_is_no_worse_than_the_best_and_its_weights_are_a_mean(task):
    found = library(task)
    weights = greedy_selection(found)
    alone = [loss(task, p, found.targets) for p in found.probabilities]
    assert weights.sum() == pytest.approx(1.0)
    assert loss(task, found.mean(weights), found.targets) < min(alone)


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_one_round_of_the_selection_takes_the_member_that_is_best_alone(task):
    found = library(task)
    weights = greedy_selection(found, rounds=1, bags=0, sorted_start=0)
    alone = [loss(task, p, found.targets) for p in found.probabilities]
    assert weights.argmax() == int(np.argmin(alone))
    assert weights.max() == 1.0


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_each_round_adds_what_makes_the_mean_best(task):
    found = library(task)
    weights = greedy_selection(found, rounds=3, bags=0, sorted_start=0)
    chosen: list[int] = []
    best = (np.inf, 0)
    for _ in range(3):
        means = [found.probabilities[[*chosen, m]].mean(axis=0, dtype=np.float64)
                 for m in range(found.members)]  # fmt: skip
        losses = [loss(task, mean, found.targets) for mean in means]
        chosen.append(int(np.argmin(losses)))
        best = min(best, (min(losses), len(chosen)))
    expected = np.bincount(chosen[: best[1]], minlength=found.members) / best[1]
    np.testing.assert_allclose(weights, expected)


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_the_gain_is_the_difference_of_the_metric(task):
    found = library(task)
    mean, single = found.probabilities.mean(axis=0), found.probabilities[0]
    gain = gain_interval(single, mean, found.targets, task=task, resamples=300)
    assert gain.metric == ("rmse" if task == "regression" else "log_loss")
    expected = loss(task, single, found.targets) - loss(task, mean, found.targets)
    assert gain.value == pytest.approx(expected, rel=1e-6)
    assert 0 < gain.low < gain.value < gain.high
    back = gain_interval(mean, single, found.targets, task=task, resamples=300)
    assert back.value == pytest.approx(-gain.value)
    same = gain_interval(single, single, found.targets, task=task, resamples=9)
    assert (same.value, same.low, same.high) == (0.0, 0.0, 0.0)


def test_the_interval_of_a_gain_in_rmse_covers_the_true_gain():
    hits = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        y = np.zeros((300, 1))
        single, ensemble = rng.normal(size=(300, 1)) * 1.1, rng.normal(size=(300, 1))
        gain = gain_interval(single, ensemble, y, task="regression", resamples=200, seed=seed)
        hits += gain.low <= 0.1 <= gain.high
    assert hits >= 34  # 38 of 40 are expected


@pytest.mark.parametrize(
    ("task", "metric"),
    [("multilabel", "accuracy"), ("regression", "log_loss"), ("classification", "rmse")],
)
def test_a_metric_of_another_task_is_refused(task, metric):
    p = np.full((2, 9, 2), 0.5)
    y = {"classification": np.zeros(9, int), "multilabel": np.zeros((9, 2), int)}
    found = Predictions(p, y.get(task, np.zeros((9, 2))), ("a", "b"), "f", task)
    with pytest.raises(EnsembleError, match=f"'{metric}' is not a metric"):
        greedy_selection(found, metric=metric)
    with pytest.raises(EnsembleError, match=f"'{metric}' has no"):
        gain_interval(p[0], p[1], found.targets, metric=metric, task=task)


@pytest.mark.parametrize(
    ("task", "p", "y", "problem"),
    [
        ("multilabel", 1.5, 0, "a probability above 1"),
        ("multilabel", -0.5, 0, "a negative probability"),
        ("regression", np.nan, 0.5, "not finite"),
        ("multilabel", 0.5, 2, "neither 0 nor 1"),
        ("regression", 0.5, np.inf, "targets hold numbers that are not finite"),
    ],
)
def test_what_no_model_of_the_task_says_is_refused(task, p, y, problem):
    with pytest.raises(EnsembleError, match=problem):
        Predictions(np.full((1, 4, 2), p), np.full((4, 2), y), ("a",), "f", task)


def test_targets_of_another_shape_and_unknown_tasks_are_refused():
    p = np.full((1, 4, 2), 0.5)
    with pytest.raises(EnsembleError, match="targets have the shape"):
        Predictions(p, np.zeros((4, 3)), ("a",), "f", "regression")
    with pytest.raises(EnsembleError, match="no task 'ranking'"):
        Predictions(p, np.zeros((4, 2)), ("a",), "f", "ranking")
    one = Predictions(p[:, :, :1], np.zeros(4), ("a",), "f", "regression")
    assert one.targets.shape == (4, 1)


def test_predictions_of_different_tasks_are_never_stacked():
    p, y = np.full((1, 4, 2), 0.5), np.zeros((4, 2), dtype=int)
    parts = [Predictions(p, y, (task,), "f", task) for task in ("multilabel", "regression")]
    with pytest.raises(EnsembleError, match="is of regression, 'multilabel' of multilabel"):
        Predictions.stack(parts)
    assert Predictions.stack(parts[:1]).task == "multilabel"
    assert parts[1].subset(rows=[0, 1]).task == "regression"


@pytest.mark.parametrize("measure_of", [disagreement, q_statistic, lambda p: ambiguity(p, [1.0])])
def test_diversity_of_answers_needs_classes(measure_of):
    with pytest.raises(EnsembleError, match="answers that are classes"):
        measure_of(Predictions(np.ones((1, 4, 1)), np.zeros(4), ("a",), "f", "regression"))


def data(task):
    y = (X[:, :3] > 0.4) if task == "multilabel" else X[:, :2] * [1.0, 50.0] + 1e4
    return Data.from_arrays(X, y, target_names=["a", "b", "c"][: y.shape[1]])


def ensemble(task, members=3):
    part = data(task)
    torch.manual_seed(0)
    configs = [{"depth": 1, "width": 8, "activation": "tanh", "norm": "none", "dropout": 0.0}]
    configs *= members
    factory = MlpFactory(part.shape, part.outputs)
    from ripieno.space import Config

    facts = {"input_shape": list(part.shape), "members": [
        {"id": str(i), "recipe": "mlp", "config": c} for i, c in enumerate(configs)]}  # fmt: skip
    return part, Ensemble(
        [factory(Config(c)) for c in configs], np.arange(1.0, members + 1), classes=part.classes,
        preprocess=part.preprocess, facts=facts, coding=part.coding,
    ).eval()  # fmt: skip


def test_labels_are_the_mean_of_sigmoid_probabilities():
    part, together = ensemble("multilabel")
    x = torch.from_numpy(part.test.x)
    with torch.no_grad():
        alone = [member(x).sigmoid() for member in together.members]
        expected = sum(w * p for w, p in zip(together.weights, alone, strict=True))
        torch.testing.assert_close(together(x).sigmoid(), expected)
    raw = X[:5]
    p = together.predict_proba(raw)
    assert p.shape == (5, 3)
    np.testing.assert_array_equal(together.predict(raw), (p > 0.5).astype(int))
    np.testing.assert_allclose(together.predict_proba(part.test), expected, rtol=1e-5)
    assert "3 labels" in repr(together)


def test_log_odds_of_the_mean_do_not_overflow():
    certain = nn.Linear(1, 1)
    nn.init.constant_(certain.weight, 500.0)
    nn.init.zeros_(certain.bias)
    together = Ensemble([certain, certain], [1, 1], classes=[0], coding=Coding("multilabel"))
    with torch.no_grad():
        found = together(torch.tensor([[1.0], [-1.0]]))
    assert found.flatten().tolist() == pytest.approx([500.0, -500.0])


def test_values_are_the_weighted_mean_in_the_targets_own_units():
    part, together = ensemble("regression")
    x = torch.from_numpy(part.test.x)
    with torch.no_grad():
        scaled = sum(w * m(x) for w, m in zip(together.weights, together.members, strict=True))
        expected = scaled.double().numpy() * part.coding.scale + part.coding.mean
        np.testing.assert_allclose(together(x), expected, rtol=1e-6)
    np.testing.assert_allclose(together.predict(part.test), expected, rtol=1e-8)
    assert together.predict(part.test).dtype == np.float64
    with pytest.raises(EnsembleError, match="no probabilities"):
        together.predict_proba(part.test)


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_an_ensemble_comes_back_from_its_folder(task, tmp_path):
    part, together = ensemble(task)
    together.save(tmp_path / "e")
    loaded = Ensemble.load(tmp_path / "e")
    assert loaded.codings == together.codings
    assert loaded.classes == part.classes
    np.testing.assert_array_equal(loaded.predict(X[:9]), together.predict(X[:9]))


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_the_score_is_measured_by_the_tasks_own_metrics(task):
    part, together = ensemble(task)
    found = together.score(part.test)
    if task == "regression":
        predicted = together.predict(part.test)
        assert found["rmse"] == pytest.approx(sk.root_mean_squared_error(part.test.y, predicted))
        assert found["r2"] == pytest.approx(sk.r2_score(part.test.y, predicted))
    else:
        said = together.predict(part.test)
        assert found["f1_macro"] == pytest.approx(sk.f1_score(part.test.y, said, average="macro"))
    y = (X[:, :3] > 0.4) if task == "multilabel" else X[:, :2] * [1.0, 50.0] + 1e4
    assert together.score(X, y) == pytest.approx(together.score(X, y.tolist()))
    with pytest.raises(EnsembleError, match="targets have the shape"):
        together.score(X, y[:, :1])


def test_a_regression_of_one_column_answers_and_scores_a_vector():
    part = Data.from_arrays(X, X[:, 0] * 2.5)
    line = nn.Linear(4, 1)
    together = Ensemble(
        [line], [1], classes=part.classes, preprocess=part.preprocess, coding=part.coding
    )
    assert together.predict(X[:7]).shape == (7,)
    assert together.score(X, X[:, 0] * 2.5)["rmse"] > 0
