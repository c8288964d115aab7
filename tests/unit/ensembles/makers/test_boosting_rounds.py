import numpy as np
import pytest
from sklearn.ensemble import AdaBoostClassifier, AdaBoostRegressor
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from ripieno.ensembles.makers import r2, samme, samme_r


def test_a_round_of_samme_by_hand():
    # Five rows, one wrong, three classes: error 1/5, weight ln 4 + ln 2 = ln 8; the wrong row
    # is multiplied by 8, so that it has 8/12 of the sum.
    found = samme(np.full(5, 0.2), np.array([1, 1, 1, 1, 0], dtype=bool), classes=3)
    assert found.error == pytest.approx(0.2)
    assert found.weight == pytest.approx(np.log(8))
    np.testing.assert_allclose(found.rows, [1 / 12] * 4 + [8 / 12])
    assert not found.last


def test_a_perfect_member_ends_samme_and_one_no_better_than_chance_counts_nothing():
    u = np.full(3, 1 / 3)
    perfect = samme(u, np.ones(3, dtype=bool), classes=3)
    assert (perfect.weight, perfect.last) == (1.0, True)
    chance = samme(u, np.array([True, False, False]), classes=3)
    assert (chance.weight, chance.last) == (None, True)


@pytest.mark.parametrize("rate", [1.0, 0.5])
def test_rounds_of_samme_are_those_of_scikit_learn(rate):
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(150, 3)), rng.integers(0, 3, 150)
    y[x[:, 0] > 0.3] = 1
    model = AdaBoostClassifier(
        DecisionTreeClassifier(max_depth=2), n_estimators=5, learning_rate=rate, random_state=0
    ).fit(x, y)
    u = np.full(150, 1 / 150)
    for number, tree in enumerate(model.estimators_):
        found = samme(u, tree.predict(x) == y, classes=3, rate=rate)
        assert found.error == pytest.approx(model.estimator_errors_[number])
        assert found.weight == pytest.approx(model.estimator_weights_[number])
        u = found.rows


def test_a_round_of_samme_r_by_hand():
    # Two classes: the exponent is -1/2 (ln p_true - ln p_other) = -1/2 ln of the odds.
    p = np.array([[0.8, 0.2], [0.5, 0.5]])
    found = samme_r(np.array([0.5, 0.5]), p, np.array([0, 1]))
    raw = np.array([0.5 * 4**-0.5, 0.5])
    np.testing.assert_allclose(found.rows, raw / raw.sum())
    assert found.error == pytest.approx(0.5)  # a tie goes to the lower class


def test_samme_r_of_three_classes_by_its_formula():
    p = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4]])
    found = samme_r(np.array([0.5, 0.5]), p, np.array([0, 1]), rate=0.5)
    logs = np.log(p)
    coded = np.array([[1, -0.5, -0.5], [-0.5, 1, -0.5]])
    raw = 0.5 * np.exp(-0.5 * 2 / 3 * (coded * logs).sum(1))
    np.testing.assert_allclose(found.rows, raw / raw.sum())


@pytest.mark.parametrize("loss", ["linear", "square", "exponential"])
def test_rounds_of_r2_are_those_of_scikit_learn(loss):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3))
    y = x[:, 0] ** 2 + 0.3 * rng.normal(size=120)
    model = AdaBoostRegressor(
        DecisionTreeRegressor(max_depth=3), n_estimators=5, learning_rate=0.7, loss=loss,
        random_state=0,
    ).fit(x, y)  # fmt: skip
    u = np.full(120, 1 / 120)
    for number, tree in enumerate(model.estimators_):
        found = r2(u, np.abs(tree.predict(x) - y), loss=loss, rate=0.7)
        assert found.error == pytest.approx(model.estimator_errors_[number])
        assert found.weight == pytest.approx(model.estimator_weights_[number])
        u = found.rows


def test_a_member_of_r2_without_any_distance_is_perfect_and_a_bad_one_counts_nothing():
    u = np.full(4, 0.25)
    assert r2(u, np.zeros(4)).last
    assert r2(u, np.array([1.0, 1.0, 1.0, 0.5])).weight is None
