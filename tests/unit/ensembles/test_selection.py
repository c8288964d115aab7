import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.metrics import balanced_accuracy_score

from ripieno.ensembles import (
    Predictions,
    accuracy,
    brier,
    gain_interval,
    greedy_selection,
    log_loss,
    selection_metric,
)
from ripieno.errors import EnsembleError
from ripieno.recipes import measure

LOSSES = {
    "log_loss": log_loss,
    "accuracy": lambda p, y: 1.0 - accuracy(p, y),
    "brier": brier,
}


def library(members, rows=24, classes=3, *, seed=0, skills=(0.0, 1.5)):
    rng = np.random.default_rng(seed)
    y = rng.integers(classes, size=rows)
    skill = rng.uniform(*skills, members)
    scores = rng.normal(size=(members, rows, classes))
    scores[:, np.arange(rows), y] += skill[:, None]
    p = np.exp(scores)
    p /= p.sum(axis=2, keepdims=True)
    return Predictions(p, y, tuple(f"m{i}" for i in range(members)), "rows")


def of_truth(*columns):
    """Two classes, every target 0: one member a tuple of probabilities of the truth."""
    p = np.array(columns, dtype=float)
    stacked = np.stack([p, 1 - p], axis=2)
    names = tuple(f"m{i}" for i in range(len(columns)))
    return Predictions(stacked, np.zeros(p.shape[1], dtype=int), names, "rows")


def brute_force(predictions, *, rounds, sorted_start, metric):
    """Caruana's selection as its paper tells it: loops, lists and no running sums."""
    loss, own = LOSSES[metric], log_loss
    p, y = predictions.probabilities, predictions.targets

    def of(bag):
        return loss(np.mean([p[m] for m in bag], axis=0), y)

    def better(value, bar):
        return value < bar - 1e-12

    ranking = sorted(range(len(p)), key=lambda m: (of([m]), own(p[m], y), m))
    bag, best, best_loss = [], [], np.inf
    for size in range(1, min(sorted_start, len(p)) + 1):
        value = of(ranking[:size])
        if better(value, best_loss) or (metric == "accuracy" and not better(best_loss, value)):
            bag, best, best_loss = ranking[:size], ranking[:size], value
    for _ in range(rounds):
        lowest = min(of([*bag, m]) for m in range(len(p)))
        tied = [m for m in ranking if not better(lowest, of([*bag, m]))]
        pick = min(tied, key=lambda m: (m not in bag, own(p[m], y), m))
        bag = [*bag, pick]
        value = of(bag)
        if better(value, best_loss) or (metric == "accuracy" and not better(best_loss, value)):
            best, best_loss = bag, value
    return np.bincount(best, minlength=len(p)) / len(best)


@pytest.mark.parametrize("metric", ["log_loss", "accuracy", "brier"])
@pytest.mark.parametrize("sorted_start", [0, 1, 3, 25])
@pytest.mark.parametrize(("members", "seed"), [(1, 0), (2, 1), (5, 2), (9, 3)])
def test_one_selection_equals_the_brute_force_one(metric, sorted_start, members, seed):
    predictions = library(members, seed=seed)
    weights = greedy_selection(
        predictions, rounds=12, bags=0, sorted_start=sorted_start, metric=metric
    )
    expected = brute_force(predictions, rounds=12, sorted_start=sorted_start, metric=metric)
    np.testing.assert_allclose(weights, expected, atol=1e-15)


def test_two_members_worked_by_hand():
    # Alone: -(ln .9 + ln .1)/2 = 1.204 and -(ln .2 + ln .6)/2 = 1.060; both: (.55, .35) 0.824.
    # A third pick of the second member gives (.4333, .4333) 0.836, of the first
    # (.6667, .2667) 0.864: the pair is the best prefix.
    weights = greedy_selection(of_truth((0.9, 0.1), (0.2, 0.6)), rounds=1, bags=0)
    np.testing.assert_array_equal(weights, [0.5, 0.5])


def test_replacement_reaches_uneven_weights_worked_by_hand():
    # Truth probabilities w·0.9 + (1-w)·0.3 and w·0.2 + (1-w)·0.6 have the greatest product
    # at w = 0.5; with 0.2 and 0.9 on the second row it is at w = 1/3: weights of thirds.
    p = of_truth((0.9, 0.2), (0.3, 0.9))
    grid = {w: np.log(0.3 + 0.6 * w) + np.log(0.9 - 0.7 * w) for w in (0, 1 / 4, 1 / 3, 2 / 5)}
    assert max(grid, key=grid.get) == 2 / 5
    weights = greedy_selection(p, rounds=3, bags=0, sorted_start=0)
    np.testing.assert_allclose(weights, [1 / 3, 2 / 3])
    weights = greedy_selection(p, rounds=5, bags=0, sorted_start=0)
    np.testing.assert_allclose(weights, [2 / 5, 3 / 5])


def test_the_best_prefix_is_kept_and_not_the_last():
    # Any second model spoils the faultless first one.
    predictions = of_truth((1.0, 1.0, 1.0), (0.1, 0.9, 0.5), (0.2, 0.2, 0.2))
    np.testing.assert_array_equal(greedy_selection(predictions, bags=0), [1.0, 0.0, 0.0])


def test_a_sorted_start_takes_the_models_whose_mean_is_best():
    predictions = library(30, rows=60, seed=5)
    ranking = np.argsort([log_loss(p, predictions.targets) for p in predictions.probabilities])
    means = [
        log_loss(predictions.probabilities[ranking[: n + 1]].mean(axis=0), predictions.targets)
        for n in range(25)
    ]
    weights = greedy_selection(predictions, rounds=0, bags=0)
    chosen = ranking[: int(np.argmin(means)) + 1]
    np.testing.assert_array_equal(np.flatnonzero(weights), np.sort(chosen))
    np.testing.assert_allclose(weights[chosen], 1 / len(chosen))


def test_identical_members_take_the_vote_of_the_first_in_the_library():
    p = library(1).probabilities
    predictions = Predictions(np.repeat(p, 4, axis=0), library(1).targets, tuple("abcd"), "rows")
    weights = greedy_selection(predictions, bags=0)
    np.testing.assert_array_equal(weights, [1.0, 0.0, 0.0, 0.0])


def test_ties_go_to_a_member_that_is_in_already():
    # By accuracy the second round is a tie of all: the first pick is in already.
    predictions = of_truth((0.6, 0.6), (0.9, 0.9), (0.7, 0.7))
    weights = greedy_selection(predictions, metric="accuracy", rounds=4, bags=0, sorted_start=0)
    np.testing.assert_array_equal(weights, [0.0, 1.0, 0.0])


def test_ties_by_accuracy_go_to_the_lower_log_loss():
    predictions = of_truth((0.6, 0.4), (0.9, 0.4), (0.7, 0.4))
    weights = greedy_selection(predictions, metric="accuracy", rounds=1, bags=0, sorted_start=0)
    np.testing.assert_array_equal(weights, [0.0, 1.0, 0.0])


@given(seed=st.integers(0, 10_000), members=st.integers(1, 12), metric=st.sampled_from([*LOSSES]))
@settings(max_examples=40, deadline=None)
def test_no_selection_is_worse_on_its_rows_than_the_best_single_model(seed, members, metric):
    predictions = library(members, rows=10, seed=seed)
    best = min(LOSSES[metric](p, predictions.targets) for p in predictions.probabilities)
    for bags in (0, 3):
        weights = greedy_selection(predictions, rounds=8, bags=bags, metric=metric)
        assert weights.sum() == pytest.approx(1.0, abs=1e-12)
        assert (weights >= 0).all()
        assert LOSSES[metric](predictions.mean(weights), predictions.targets) <= best + 1e-12


@given(seed=st.integers(0, 10_000), members=st.integers(2, 14), bags=st.sampled_from([0, 4]))
@settings(max_examples=40, deadline=None)
@example(seed=0, members=13, bags=4)
def test_the_order_of_the_library_does_not_matter(seed, members, bags):
    predictions = library(members, seed=seed)
    order = np.random.default_rng(seed).permutation(members)
    weights = greedy_selection(predictions, rounds=10, bags=bags)
    shuffled = greedy_selection(predictions.subset(order), rounds=10, bags=bags)
    np.testing.assert_allclose(shuffled, weights[order], atol=1e-15)


def test_bags_average_selections_from_random_halves():
    predictions = library(12, rows=200, seed=7, skills=(1.4, 1.6))
    weights = greedy_selection(predictions, bags=6, seed=4)
    ranking = np.argsort([log_loss(p, predictions.targets) for p in predictions.probabilities])
    rng = np.random.default_rng(4)
    expected = np.zeros(12)
    for _ in range(6):
        models = ranking[np.sort(rng.choice(12, 6, replace=False))]
        expected[models] += greedy_selection(predictions.subset(models), bags=0) / 6
    np.testing.assert_allclose(weights, expected, atol=1e-15)


def test_a_library_too_small_for_bags_is_selected_from_as_a_whole():
    predictions = library(5, rows=200, seed=2, skills=(1.4, 1.6))
    np.testing.assert_allclose(
        greedy_selection(predictions, bags=10), greedy_selection(predictions, bags=0), atol=1e-15
    )


def test_a_bagged_average_worse_than_the_best_single_model_is_not_returned():
    # One faultless model among poor ones: every bag without it is poor.
    columns = [(1.0, 1.0, 1.0), *[(0.1 + 0.01 * i, 0.2, 0.3) for i in range(11)]]
    weights = greedy_selection(of_truth(*columns), bags=3, seed=0)
    np.testing.assert_array_equal(weights, np.eye(12)[0])


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    predictions = library(20, rows=100, seed=1)
    first = greedy_selection(predictions, seed=1)
    np.testing.assert_array_equal(first, greedy_selection(predictions, seed=1))
    assert not np.array_equal(first, greedy_selection(predictions, seed=2))


def test_probabilities_of_zero_are_no_obstacle():
    predictions = of_truth(*[tuple(np.roll([0.0, 1.0, 0.0], i)) for i in range(3)])
    weights = greedy_selection(predictions, bags=0)
    np.testing.assert_allclose(weights, [1 / 3, 1 / 3, 1 / 3])


def test_many_rows_of_certain_mistakes_do_not_underflow():
    p = np.zeros((2, 1000))
    p[0, ::2] = 1.0
    p[1, 1::2] = 1.0
    np.testing.assert_array_equal(greedy_selection(of_truth(*p), bags=0), [0.5, 0.5])


@pytest.mark.parametrize("metric", ["accuracy", "brier"])
def test_single_precision_gives_the_weights_of_double_precision(metric):
    double = library(6, rows=50, seed=3)
    single = Predictions(
        double.probabilities.astype(np.float32), double.targets, double.ids, "rows"
    )
    np.testing.assert_allclose(
        greedy_selection(single, metric=metric), greedy_selection(double, metric=metric)
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"rounds": -1},
        {"bags": -1},
        {"sorted_start": -1},
        {"rounds": 0, "sorted_start": 0},
        {"bag_share": 0.0},
        {"bag_share": 1.5},
        {"metric": "auc"},
    ],
)
def test_an_argument_out_of_range_is_refused(wrong):
    with pytest.raises(EnsembleError):
        greedy_selection(library(3), **wrong)


@pytest.mark.parametrize(
    ("task", "metric"), [("regression", "rmse"), ("regression", "mae"), ("multilabel", "brier")]
)
def test_errors_are_selected_by_their_own_measure(task, metric):
    rng = np.random.default_rng(4)
    y = rng.normal(size=(30, 2)) if task == "regression" else rng.integers(2, size=(30, 2))
    members = y + rng.normal(size=(5, 30, 2)) * rng.uniform(0.3, 2.0, (5, 1, 1))
    p = members if task == "regression" else 1 / (1 + np.exp(-members))
    predictions = Predictions(p, y, tuple("abcde"), "rows", task)

    def loss(models):
        return measure(p[list(models)].mean(axis=0), y, metrics=(metric,), task=task)[metric]

    weights = greedy_selection(predictions, rounds=1, bags=0, sorted_start=0, metric=metric)
    assert int(weights.argmax()) == min(range(5), key=lambda m: loss([m]))
    # Two rounds: the best pair with the first, or the first alone.
    two = greedy_selection(predictions, rounds=2, bags=0, sorted_start=0, metric=metric)
    first = int(weights.argmax())
    bags = [[first], *([first, m] for m in range(5))]
    best = min(bags, key=loss)
    np.testing.assert_allclose(two, np.bincount(best, minlength=5) / len(best))


def test_balanced_accuracy_is_selected_by_itself():
    # Two experts and a crowd that always names the frequent class.
    y = np.array([0] * 80 + [1] * 15 + [2] * 5)
    rng = np.random.default_rng(2)
    members = rng.dirichlet([1.0, 1.0, 1.0], (6, 100))
    members[:4] = 0.1 * members[:4] + 0.9 * np.eye(3)[0]
    members[4:] = 0.6 * members[4:] + 0.4 * np.eye(3)[y]
    predictions = Predictions(members, y, tuple("abcdef"), "rows")

    def balanced(weights):
        answers = np.tensordot(weights, members, 1).argmax(axis=1)
        return balanced_accuracy_score(y, answers)

    for options in ({}, {"bags": 0}):
        weights = greedy_selection(predictions, metric="balanced_accuracy", **options)
        assert balanced(weights) >= max(map(balanced, np.eye(6)))
        assert balanced(weights) >= balanced(greedy_selection(predictions, **options))
    told = gain_interval(members[0], members[4], y, metric="balanced_accuracy")
    assert told.value == pytest.approx(balanced(np.eye(6)[4]) - balanced(np.eye(6)[0]))


@pytest.mark.parametrize(
    ("wanted", "task", "taken"),
    [
        ("log_loss", "classification", "log_loss"),
        ("accuracy", "classification", "accuracy"),
        ("brier", "classification", "brier"),
        ("auroc", "classification", "log_loss"),
        ("balanced_accuracy", "classification", "balanced_accuracy"),
        ("profit", "classification", "log_loss"),
        ("brier", "multilabel", "brier"),
        ("f1_macro", "multilabel", "log_loss"),
        ("mae", "regression", "mae"),
        ("pinball", "regression", "mae"),
        ("pinball_0.9", "regression", "rmse"),
        ("r2", "regression", "rmse"),
        ("train_loss", "regression", "rmse"),
    ],
)
def test_what_is_wanted_is_selected_by_where_it_can_be(wanted, task, taken):
    assert selection_metric(wanted, task) == taken
