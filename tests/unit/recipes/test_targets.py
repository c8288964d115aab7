import json

import numpy as np
import pytest
import torch

from ripieno.errors import DataError
from ripieno.recipes import Coding, Data
from ripieno.recipes.targets import output_names, read_targets


def rows(count=200, features=3, seed=0):
    return np.random.default_rng(seed).normal(size=(count, features))


def test_regression_is_trained_on_standardised_targets_of_the_training_part():
    x = rows()
    y = x @ [1.0, 2.0, 3.0] * 1e4 + 1e6
    data = Data.from_arrays(x, y)
    assert data.task == "regression"
    assert (data.outputs, data.classes) == (1, (0,))
    encoded = data.coding.encode(data.train.y, torch.float64)
    assert encoded.shape == (len(data.train), 1)
    assert encoded.mean().abs() < 1e-12
    assert encoded.std(correction=0) == pytest.approx(1.0)
    assert data.coding.mean[0] == pytest.approx(data.train.y.mean())
    assert np.isin(data.validation.y, y).all()


@pytest.mark.parametrize("scaled", [True, False])
def test_scores_are_in_the_targets_own_units_again(scaled):
    y = rows(50, 2) * [1.0, 1e6] + [5.0, 1e9]
    targets = Coding.fit(y, task="regression", scaled=scaled)
    encoded = targets.encode(y, torch.float64)
    np.testing.assert_allclose(targets.scores(encoded).numpy(), y, rtol=1e-15)
    stack = torch.stack([encoded, 2 * encoded])
    np.testing.assert_allclose(targets.scores(stack)[0].numpy(), y, rtol=1e-15)
    assert targets.predictions(y) is y
    assert (targets.scale == (1.0, 1.0)) is not scaled


def test_labels_are_trained_as_floats_and_predicted_as_sigmoids():
    y = (rows() > 0.5).astype(bool)
    data = Data.from_arrays(rows(), y, target_names=["a", "b", "c"])
    assert (data.task, data.outputs, data.classes) == ("multilabel", 3, ("a", "b", "c"))
    assert data.train.y.dtype == np.int64
    encoded = data.coding.encode(data.train.y, torch.float32)
    assert encoded.dtype == torch.float32
    assert torch.equal(encoded.long(), torch.from_numpy(data.train.y))
    scores = np.array([[-800.0, 0.0, 800.0]])
    np.testing.assert_array_equal(data.coding.predictions(scores), [[0.0, 0.5, 1.0]])


def test_classes_are_trained_as_numbers_and_predicted_as_a_softmax():
    targets = Coding()
    y = np.array([0, 2, 1])
    assert targets.encode(y, torch.float32).tolist() == [0, 2, 1]
    logits = torch.tensor([[1.0, 2.0, 3.0]])
    probabilities = targets.predictions(targets.scores(logits).numpy())
    np.testing.assert_allclose(probabilities, logits.softmax(1), rtol=1e-6)
    assert probabilities.dtype == np.float32


@pytest.mark.parametrize("y", [rows(9, 1)[:, 0], rows(9, 1)])
def test_one_column_of_values_is_a_vector(y):
    assert read_targets(y, task="regression", where="test").shape == (9,)
    two = read_targets(rows(9, 2), task="regression", where="test")
    assert two.shape == (9, 2)


@pytest.mark.parametrize(
    ("y", "task", "problem"),
    [
        (["a", "b"], "regression", "no numbers for regression"),
        ([1.0, np.nan], "regression", "missing in 1 of 2 rows, first in row 2"),
        ([[1.0, 2.0], [np.inf, 1.0]], "regression", "missing in 1 of 2 rows, first in row 2"),
        ([[0, 1], [2, 1]], "multilabel", "hold 2, and labels are 0 or 1"),
        ([[[0.5]]], "regression", "no numbers"),
        ([0.0, -1e200, 5.0], "regression", "reach 1e\\+200, and errors of that size have no sq"),
    ],
)
def test_what_does_not_suit_the_task_is_refused(y, task, problem):
    with pytest.raises(DataError, match=problem):
        read_targets(np.asarray(y), task=task, where="test")


def test_a_constant_target_is_refused():
    y = rows(40, 2)
    y[:, 1] = 7.0
    with pytest.raises(DataError, match="every target of the training part is 7 in column 1"):
        Data.from_arrays(rows(40), y)


@pytest.mark.parametrize(
    ("given", "task", "problem"),
    [
        (["a"], "multilabel", r"1 names \(1 different ones\) for 2 columns"),
        (["a", "a"], "regression", r"2 names \(1 different ones\)"),
        (["a", "b"], "classification", "classes are named by the targets"),
    ],
)
def test_names_that_do_not_fit_are_refused(given, task, problem):
    with pytest.raises(DataError, match=problem):
        output_names(np.zeros((4, 2), dtype=int), task=task, given=given, where="test")


def test_a_task_that_is_given_goes_before_what_the_targets_look_like():
    y = np.arange(60) % 7
    assert Data.from_arrays(rows(60), y).task == "classification"
    assert Data.from_arrays(rows(60), y, task="regression").task == "regression"
    assert Data.from_arrays(rows(60), y / 2.0, task="classification").outputs == 7
    one = Data.from_arrays(rows(60), np.eye(3)[y % 3], task="multilabel")
    assert (one.task, one.outputs) == ("multilabel", 3)


def test_a_given_test_part_has_the_same_columns():
    x, y = rows(), rows(200, 2)
    data = Data.from_arrays(x, y, x_test=x[:9], y_test=y[:9])
    np.testing.assert_array_equal(data.test.y, y[:9])
    with pytest.raises(DataError, match="1 columns, and the training rows 2"):
        Data.from_arrays(x, y, x_test=x[:9], y_test=y[:9, 0])


def test_the_columns_of_a_table_of_targets_name_the_outputs():
    import pandas as pd

    table = pd.DataFrame(rows(60, 2), columns=["width", "height"])
    assert Data.from_arrays(rows(60), table).classes == ("width", "height")


def test_targets_come_back_from_json_as_they_were():
    targets = Coding.fit(rows(), task="regression")
    assert Coding.from_dict(json.loads(json.dumps(targets.to_dict()))) == targets
    with pytest.raises(DataError, match="no task 'ranking'"):
        Coding.from_dict({"task": "ranking", "mean": [], "scale": []})


def test_targets_whose_squares_are_zero_are_not_scaled():
    coding = Coding.fit(np.array([0.0, 3e-240]), task="regression")
    assert coding.scale == (1.0,)
