import math

import pytest

import ripieno as rp
from ripieno.diagnostics.range_test import RangeTest
from ripieno.diagnostics.training_checks import (
    dropout_strength,
    fit,
    is_far,
    labels,
    learning_rate,
    nothing_learnt,
)
from ripieno.diagnostics.trials import Run, train
from ripieno.diagnostics.yardstick import Yardstick


def run(*curve, train_loss=0.1, diverged=False):
    history = tuple({"log_loss": value, "train_loss": 2.0} for value in curve)
    last = curve[-1] if curve else math.nan
    return Run(rp.Config({}), history, diverged, curve, train_loss, last, 0.9, 0.9, 2.0)


@pytest.fixture
def stick(recipe, data):
    return Yardstick.of(recipe, data, rp.Config({}))


@pytest.fixture
def constants(stick):
    return stick.constant_loss(stick.data.train.y), stick.constant_loss(stick.data.validation.y)


def test_a_learning_rate_is_blamed_only_where_the_suggested_one_halves_the_loss():
    (high,) = learning_rate(run(2.0), run(0.3), rate=1.0, suggestion=0.01)
    assert high.kind == "learning_rate_too_high"
    (low,) = learning_rate(run(2.0), run(0.3), rate=1e-5, suggestion=0.01)
    assert low.kind == "learning_rate_too_low"
    assert learning_rate(run(0.5), run(0.3), rate=1.0, suggestion=0.01) == []
    # Half the loss, but both are good trainings.
    assert learning_rate(run(0.1), run(0.02), rate=1.0, suggestion=0.01) == []


def test_a_training_that_diverged_is_worse_than_any_other():
    (finding,) = learning_rate(run(diverged=True), run(1.9), rate=1.0, suggestion=0.01)
    assert "diverged" in finding.sentence


def test_a_rate_near_the_suggestion_needs_no_comparison():
    tested = RangeTest((1e-3,), (1.0,), (1.0,), 1e-2, 0.1)
    assert [is_far(rate, tested) for rate in (1e-4, 1e-3, 3e-2, 5e-2)] == [True, False, False, True]


def test_dropout_is_blamed_only_where_training_without_it_is_far_better():
    (finding,) = dropout_strength(run(1.5), run(0.2), strongest=0.9)
    assert finding.evidence == {"dropout": 0.9, "loss": 1.5, "loss_without": 0.2}
    assert dropout_strength(run(0.25), run(0.2), strongest=0.5) == []


def test_labels_are_suspected_where_training_rows_are_learnt_and_others_guessed(stick, constants):
    train_loss, validation = constants
    (finding,) = labels(run(validation, 2 * validation, train_loss=0.3 * train_loss), stick)
    assert finding.kind == "labels_without_signal"
    assert labels(run(0.5 * validation, 2 * validation, train_loss=0.1), stick) == []
    assert labels(run(validation, train_loss=train_loss), stick) == []


def test_a_training_no_better_than_a_constant_answer_has_learnt_nothing(stick, constants):
    train_loss, validation = constants
    assert nothing_learnt(run(validation, train_loss=train_loss), stick)[0].kind == "learns_nothing"
    assert nothing_learnt(run(0.5, train_loss=0.5), stick) == []


def test_a_validation_loss_that_rises_is_overfitting_and_a_ripple_is_not(stick):
    (finding,) = fit(run(0.9, 0.4, 0.6, 0.8, train_loss=0.05), stick)
    assert (finding.kind, finding.evidence["epoch"]) == ("overfitting", 2)
    assert fit(run(0.9, 0.40, 0.42, 0.43, train_loss=0.3), stick) == []


def test_training_rows_that_are_not_fitted_are_underfitting(stick):
    (finding,) = fit(run(1.0, 0.9, train_loss=0.9), stick)
    assert (finding.kind, finding.severity) == ("underfitting", "advice")


def test_a_run_is_measured_on_training_and_validation_rows_as_the_trainer_does(recipe, data):
    found = train(recipe, data, rp.Config({"lr": 0.01}), epochs=6, seed=2)
    assert len(found.history) == 6
    assert found.validation_loss == pytest.approx(found.history[-1]["log_loss"], rel=1e-4)
    assert found.validation_accuracy == pytest.approx(found.history[-1]["accuracy"])
    assert 0.0 < found.train_loss < found.history[0]["train_loss"]
