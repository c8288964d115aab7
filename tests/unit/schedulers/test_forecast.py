import math

import numpy as np
import pytest

from ripieno.schedulers.forecast import (
    NOISES,
    Forecast,
    expected_improvement,
    forecast,
    posteriors,
)

HORIZON = 100


def ahead(curve, epochs, **settings):
    values = [curve(epoch) for epoch in range(1, epochs + 1)]
    return forecast(values, horizon=HORIZON, **{"location": 0.5, "scale": 0.2, **settings})


@pytest.mark.parametrize(
    "curve",
    [
        lambda t: 0.3 + 0.7 * t**-0.5,
        lambda t: 0.1 + 0.9 / t,
        lambda t: 0.4 + 0.6 * math.exp(-t / 12.5),
        lambda t: 0.4 + 0.6 * math.exp(-t / 6.25),
        lambda t: 0.35,
        lambda t: 0.2 + 0.004 * t**0.25 / t**0.5,
    ],
    ids=["root", "hyperbola", "exponential", "fast", "constant", "flat"],
)
def test_a_curve_of_a_known_asymptote_is_foreseen_from_a_fifth_of_its_epochs(curve):
    expected = ahead(curve, 20)
    assert expected.mean == pytest.approx(curve(HORIZON), abs=0.01)
    assert abs(expected.mean - curve(HORIZON)) <= 3 * expected.sd
    assert expected.sd < 0.02


def test_a_curve_of_another_family_lies_within_the_spread():
    def curve(t):
        return 0.3 + 0.5 / (1 + 0.3 * t) ** 0.8

    expected = ahead(curve, 20)
    assert abs(expected.mean - curve(HORIZON)) < max(3 * expected.sd, 0.03)


def test_the_spread_shrinks_as_the_curve_grows():
    spreads = [ahead(lambda t: 0.3 + 0.7 * t**-0.5, epochs).sd for epochs in (1, 3, 10, 30)]
    assert spreads == sorted(spreads, reverse=True)
    assert spreads[0] > 0.1


def test_a_noisy_curve_is_covered_by_three_spreads():
    for seed in range(20):
        noise = np.random.default_rng(seed).normal(0.0, 0.02, 30)
        values = [0.3 + 0.7 / t**0.5 + noise[t - 1] for t in range(1, 31)]
        expected = forecast(values, horizon=HORIZON, location=0.5, scale=0.2)
        assert abs(expected.mean - 0.37) < 3 * expected.sd + 0.01
        assert expected.mean == pytest.approx(0.37, abs=0.08)


def test_one_component_is_bayesian_linear_regression_by_numpy():
    z = np.array([1.0, 0.4, 0.1])
    shapes = np.array([[1.0, 0.5, 0.2]])
    mean, variance, weight = posteriors(z, shapes=shapes, ends=np.array([0.05]))
    noises, x = NOISES, np.stack([np.ones(3), shapes[0]], axis=1)
    prior, end = np.diag([1.0**2, 2.0**2]), np.array([1.0, 0.05])
    logs = []
    for index, noise in enumerate(noises):
        marginal = x @ prior @ x.T + noise**2 * np.eye(3)
        gain = prior @ x.T @ np.linalg.inv(marginal)
        assert mean[0, index] == pytest.approx(end @ gain @ z, abs=1e-6)
        posterior = prior - gain @ x @ prior
        assert variance[0, index] == pytest.approx(end @ posterior @ end, rel=1e-4)
        logs.append(-0.5 * (np.linalg.slogdet(marginal)[1] + z @ np.linalg.solve(marginal, z)))
    expected = np.exp(np.array(logs) - max(logs))
    np.testing.assert_allclose(weight[0], expected / expected.sum(), rtol=1e-4)


def test_forecasts_do_not_depend_on_units():
    values = [0.3 + 0.7 / t**0.5 for t in range(1, 13)]
    one = forecast(values, horizon=50, location=0.5, scale=0.2)
    other = forecast([3 + 1000 * v for v in values], horizon=50, location=503.0, scale=200.0)
    assert other.mean == pytest.approx(3 + 1000 * one.mean)
    assert other.sd == pytest.approx(1000 * one.sd)


def test_what_has_reached_the_horizon_is_known():
    assert forecast([3.0, 2.0], horizon=2, location=0.0, scale=1.0) == Forecast(2.0, 0.0)


def test_a_wild_start_is_left_out():
    values = [0.3 + 0.7 / t**0.5 for t in range(1, 21)]
    wild = forecast([1e6, 2e3, *values[2:]], horizon=HORIZON, location=0.5, scale=0.2)
    assert wild.mean == pytest.approx(0.37, abs=0.02)


def test_expected_improvement_is_its_integral():
    for mean, sd, best in [(0.5, 0.2, 0.4), (0.1, 0.3, 0.9), (2.0, 0.1, 1.0)]:
        grid = np.linspace(mean - 10 * sd, mean + 10 * sd, 200_001)
        density = np.exp(-0.5 * ((grid - mean) / sd) ** 2) / (sd * math.sqrt(2 * math.pi))
        integral = np.trapezoid(np.maximum(best - grid, 0.0) * density, grid)
        assert expected_improvement(mean, sd, best) == pytest.approx(integral, abs=1e-7)


def test_without_spread_improvement_is_the_difference():
    assert expected_improvement(0.3, 0.0, 0.5) == pytest.approx(0.2)
    assert expected_improvement(0.7, 0.0, 0.5) == 0.0
