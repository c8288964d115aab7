import numpy as np
import pytest
import torch
from scipy.optimize import check_grad

from ripieno.searchers.gaussian_process.fitting import Evidence, Hyper, fit
from ripieno.searchers.gaussian_process.posterior import Posterior

MIXED = torch.tensor([False, False, True])


def data(rows=40, seed=0):
    rng = np.random.default_rng(seed)
    points = np.column_stack([rng.random((rows, 2)), rng.integers(3, size=rows) / 3.0])
    targets = np.sin(7.0 * points[:, 0]) + (points[:, 2] > 0.5) + 0.1 * rng.standard_normal(rows)
    return torch.from_numpy(points), torch.from_numpy((targets - targets.mean()) / targets.std())


def test_the_gradient_of_the_evidence_is_that_of_finite_differences():
    evidence = Evidence(*data(), MIXED)
    rng = np.random.default_rng(1)
    for _ in range(3):
        packed = rng.normal([-0.5, 0.5, 0.5, 0.0, -3.0, 0.0], 0.5)
        slope = evidence(packed)[1]
        error = check_grad(lambda x: evidence(x)[0], lambda x: evidence(x)[1], packed)
        assert error < 1e-5 * np.linalg.norm(slope)


def test_the_evidence_is_the_density_of_the_targets():
    points, targets = data()
    lengthscales = torch.tensor([0.4, 2.0, 1.5], dtype=torch.float64)
    hyper = Hyper(lengthscales, scale=1.2, noise=0.03, mean=0.1)
    evidence = Evidence(points, targets, MIXED)
    packed = np.log([0.4, 2.0, 1.5, 1.2, 0.03, 1.0])
    packed[-1] = 0.1
    posterior = Posterior.of(points, targets, kernel=hyper.kernel(MIXED), hyper=hyper)
    covariance = torch.linalg.inv(posterior.inverse.T @ posterior.inverse)
    normal = torch.distributions.MultivariateNormal(
        torch.full((40,), 0.1, dtype=torch.float64), covariance
    )
    expected = -normal.log_prob(targets).item() - 20.0 * np.log(2.0 * np.pi)
    assert evidence(packed)[0] - evidence.prior(packed)[0] == pytest.approx(expected, abs=1e-6)


def test_a_coordinate_that_does_not_matter_gets_a_long_lengthscale():
    points, targets = data(60)
    found = fit(points, targets, categorical=MIXED, starts=[Hyper.typical(3)], steps=60)
    assert found.lengthscales[1] > 5.0 * found.lengthscales[0]
    # The noise was a tenth, beside a standard deviation of the targets of about 0.9.
    assert 0.003 < found.noise < 0.04


def test_a_fit_that_begins_at_its_end_stays_there():
    points, targets = data()
    found = fit(points, targets, categorical=MIXED, starts=[Hyper.typical(3)], steps=100)
    again = fit(points, targets, categorical=MIXED, starts=[found], steps=100)
    assert again.noise == pytest.approx(found.noise, rel=0.05)
    assert (again.lengthscales / found.lengthscales - 1.0).abs().max() < 0.1
