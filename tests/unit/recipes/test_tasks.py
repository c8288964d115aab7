import numpy as np
import pytest

from ripieno.errors import DataError
from ripieno.recipes import METRICS, TASKS, check_task, find_loss
from ripieno.recipes.tasks import decide_task

INTEGERS_WITH_A_GAP = np.array([1, None, 2], dtype=object)


@pytest.mark.parametrize(
    ("y", "task"),
    [
        (["a", "b"], "classification"),
        ([True, False], "classification"),
        ([0, 1, 2], "classification"),
        (np.arange(500), "classification"),
        ([0.0, 1.0, 1.0], "classification"),
        (np.arange(20) / 1.0, "classification"),
        (np.arange(21) / 1.0, "regression"),
        ([0.0, 1.5, 1.0], "regression"),
        ([0.5, 1.5], "regression"),
        (np.array([0.5, 2, 1], dtype=object), "regression"),
        (INTEGERS_WITH_A_GAP, "classification"),
        ([1.0, float("nan"), 2.5], "regression"),
        ([[1, 0, 1], [0, 0, 0]], "multilabel"),
        ([[1.0, 0.0], [1.0, 1.0]], "multilabel"),
        ([[True, False], [True, True]], "multilabel"),
        ([[1, 0], [2, 0]], "regression"),
        ([[0.5, 0.25], [1.0, 0.0]], "regression"),
        ([[0], [1], [1]], "classification"),
        ([[0.5], [1.25]], "regression"),
    ],
)
def test_the_targets_say_what_they_are(y, task):
    assert decide_task(np.asarray(y), where="test") == task


def test_one_1_in_each_row_may_be_one_class_written_as_many_columns():
    with pytest.raises(DataError, match="exactly one 1 in each row") as caught:
        decide_task(np.eye(3), where="test")
    assert "argmax" in caught.value.fix
    assert "task='multilabel'" in caught.value.fix


@pytest.mark.parametrize("task", TASKS)
def test_the_loss_and_the_metrics_of_a_task_are_of_that_task(task):
    assert task in find_loss(TASKS[task].loss).tasks
    assert all(name in METRICS[task] for name in TASKS[task].metrics)
    assert METRICS[task][TASKS[task].primary].direction == "minimize"


def test_an_unknown_task_is_answered_with_the_closest():
    assert check_task("regression", where="test") == "regression"
    with pytest.raises(DataError, match="no task 'regresion'") as caught:
        check_task("regresion", where="test")
    assert "'regression'" in caught.value.fix


def test_a_target_of_more_digits_than_an_array_holds_is_refused():
    with pytest.raises(DataError, match=r"the target 1000000.* is too large a number"):
        decide_task(np.array([10**400, 2], dtype=object), where="rows.csv")
