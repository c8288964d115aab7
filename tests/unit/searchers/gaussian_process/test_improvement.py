import math

import mpmath
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm

from ripieno.searchers.gaussian_process.improvement import log_expected_improvement, log_h


@pytest.mark.parametrize(("mean", "spread", "best"), [(0.0, 1.0, 0.5), (2.0, 0.7, 0.4), (-1, 2, 0)])
def test_the_expectation_is_that_of_numerical_integration(mean, spread, best):
    density = norm(mean, spread).pdf
    expected, _ = quad(lambda f: (best - f) * density(f), -20.0, best, epsabs=1e-14)
    found = log_expected_improvement(
        torch.tensor([[mean]], dtype=torch.float64),
        torch.tensor([spread**2], dtype=torch.float64),
        torch.tensor([best], dtype=torch.float64),
    )
    assert found.item() == pytest.approx(math.log(expected), abs=1e-8)


@pytest.mark.parametrize("z", [3.0, 0.0, -0.9999, -1.0001, -5.0, -30.0, -1e3, -9.9e4, -1.1e5, -1e8])
def test_the_logarithm_keeps_its_digits_far_below_zero(z):
    with mpmath.workdps(60):
        x = mpmath.mpf(z)
        exact = mpmath.npdf(x) + x * mpmath.ncdf(x)
        expected = float(mpmath.log(exact)) if exact > 0 else -(z**2) / 2 - 2 * math.log(-z)
    found = log_h(torch.tensor(z, dtype=torch.float64)).item()
    assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)


def test_the_slope_is_finite_everywhere_and_never_falls():
    z = torch.linspace(-300.0, 10.0, 2_000, dtype=torch.float64).requires_grad_()
    (slope,) = torch.autograd.grad(log_h(z).sum(), z)
    assert torch.isfinite(slope).all()
    assert (slope > 0.0).all()


def test_scenarios_are_averaged_before_the_logarithm_is_taken():
    means = torch.tensor([[0.0, 1.0, 3.0]], dtype=torch.float64)
    variance = torch.tensor([0.5], dtype=torch.float64)
    best = torch.tensor([0.2, 0.0, 1.0], dtype=torch.float64)
    each = [
        log_expected_improvement(means[:, i : i + 1], variance, best[i : i + 1]).exp().item()
        for i in range(3)
    ]
    together = log_expected_improvement(means, variance, best).exp().item()
    assert together == pytest.approx(sum(each) / 3.0, rel=1e-12)
