import numpy as np
import pytest
from sklearn import metrics as sk

from ripieno.errors import RecipeError
from ripieno.recipes import METRICS, Coding, Metric, find_metric, measure, measure_scores


@pytest.fixture
def predictions():
    rng = np.random.default_rng(0)
    return rng.dirichlet(np.ones(6), 300), rng.integers(6, size=300)


def test_measures_equal_scikit_learns(predictions):
    probabilities, y = predictions
    measured = measure(probabilities, y)
    assert measured["log_loss"] == pytest.approx(sk.log_loss(y, probabilities), rel=1e-12)
    assert measured["accuracy"] == sk.accuracy_score(y, probabilities.argmax(1))


def test_log_loss_of_log_probabilities_does_not_saturate():
    logs = np.array([[0.0, -2000.0], [0.0, -2000.0]])
    measured = measure_scores(logs, np.array([0, 1]), task="classification")
    assert measured == {"log_loss": 1000.0, "accuracy": 0.5}


def test_a_probability_of_zero_costs_much_but_not_everything():
    value = measure(np.array([[1.0, 0.0]], dtype=np.float32), np.array([1]))["log_loss"]
    assert value == pytest.approx(-np.log(np.finfo(np.float32).tiny))


def test_float32_probabilities_are_averaged_in_float64(predictions):
    probabilities, y = predictions
    single = probabilities.astype(np.float32)
    expected = -np.log(single.astype(np.float64)[np.arange(300), y]).mean()
    assert measure(single, y)["log_loss"] == pytest.approx(expected, rel=1e-14)


def profit(y, p):
    return float((p[:, 1] * (y == 1)).sum())


def test_a_users_own_metric_gets_classes_and_probabilities_or_answers():
    y, p = np.array([0, 1, 1]), np.array([[0.75, 0.25], [0.5, 0.5], [0.25, 0.75]])
    own = Metric(profit, direction="maximize")
    told = Metric(sk.matthews_corrcoef, direction="maximize", of="labels", name="mcc")
    measured = measure(p, y, metrics=("accuracy", own, told))
    expected = sk.matthews_corrcoef(y, [0, 0, 1])
    assert measured == {"accuracy": 2 / 3, "profit": 1.25, "mcc": pytest.approx(expected)}
    scored = measure_scores(np.log(p), y, metrics=(own, told), task="classification")
    assert scored == {"profit": pytest.approx(1.25), "mcc": pytest.approx(expected)}


def test_a_users_own_metric_of_values_gets_them_as_the_targets_are():
    shapes = []

    def widest(y, values):
        shapes.append((y.shape, values.shape))
        return float(np.abs(y - values).max())

    own = Metric(widest, direction="minimize")
    one = measure_scores(np.array([[1.0], [5.0]]), np.array([1.0, 2.0]),
                         metrics=(own,), task="regression")  # fmt: skip
    assert one == {"widest": 3.0}
    measure_scores(np.ones((2, 3)), np.ones((2, 3)), metrics=(own,), task="regression")
    assert shapes == [((2,), (2,)), ((2, 3), (2, 3))]


def test_labels_are_answered_where_their_probability_is_above_one_half():
    scores, y = np.array([[0.0, 1e-3], [-1.0, 700.0]]), np.array([[0, 1], [0, 1]])
    measured = measure_scores(scores, y, metrics=("subset_accuracy", "log_loss"), task="multilabel")
    assert measured["subset_accuracy"] == 1.0
    stored = Coding("multilabel").predictions(scores)
    again = measure(stored, y, metrics=("subset_accuracy", "log_loss"), task="multilabel")
    assert again["subset_accuracy"] == 1.0
    assert again["log_loss"] == pytest.approx(measured["log_loss"], rel=1e-6)


@pytest.mark.parametrize(
    ("function", "problem"),
    [(lambda y, p: 1 / 0, "failed with ZeroDivisionError"), (lambda y, p: p, "failed with Type")],
)
def test_a_metric_that_fails_is_named(function, problem):
    own = Metric(function, direction="minimize", name="mine")
    with pytest.raises(RecipeError, match=f"'mine' {problem}"):
        measure(np.full((3, 2), 0.5), np.array([0, 1, 1]), metrics=(own,))


@pytest.mark.parametrize(
    ("fields", "problem"),
    [
        ({"function": 3}, "cannot be called"),
        ({"direction": "up"}, "'up' is neither"),
        ({"of": "classes"}, "'classes' is neither"),
        ({"name": "train_loss"}, "'train_loss' is taken"),
    ],
)
def test_an_impossible_metric_is_refused(fields, problem):
    with pytest.raises(RecipeError, match=problem):
        Metric(**{"function": profit, "direction": "maximize", **fields})


@pytest.mark.parametrize(
    ("name", "task", "problem", "fix"),
    [
        ("acuracy", "classification", "no metric 'acuracy'", "'accuracy'"),
        ("r2", "classification", "'r2' is for regression", "rp.Metric"),
        ("accuracy", "multilabel", "'accuracy' is for classification", "'subset_accuracy'"),
        ("pinball_0.5", "multilabel", "no metric 'pinball_0.5'", "name one"),
        ("pinball_1.5", "regression", "no metric 'pinball_1.5'", "'pinball'"),
    ],
)
def test_a_metric_that_the_task_lacks_is_answered_with_those_it_has(name, task, problem, fix):
    with pytest.raises(RecipeError, match=problem) as caught:
        find_metric(name, task)
    assert fix in caught.value.fix
    assert next(iter(METRICS[task])) in caught.value.where
