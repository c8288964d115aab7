import math

import numpy as np
import pytest
import torch
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern

from ripieno.searchers.gaussian_process.fitting import Hyper
from ripieno.searchers.gaussian_process.kernel import Kernel
from ripieno.searchers.gaussian_process.posterior import Posterior

NUMBERS = torch.zeros(3, dtype=torch.bool)
HYPER = Hyper(torch.tensor([0.3, 0.8, 2.0], dtype=torch.float64), scale=1.7, noise=0.05, mean=0.4)


def points(count, seed, dims=3):
    return torch.from_numpy(np.random.default_rng(seed).random((count, dims)))


def posterior(hyper=HYPER, rows=25):
    inputs = points(rows, 0)
    targets = torch.sin(6.0 * inputs).sum(1)
    kernel = hyper.kernel(NUMBERS)
    return Posterior.of(inputs, targets, kernel=kernel, hyper=hyper), inputs, targets


def test_means_and_variances_are_those_of_scikit_learn():
    ours, inputs, targets = posterior()
    kernel = ConstantKernel(1.7) * Matern(length_scale=[0.3, 0.8, 2.0], nu=2.5)
    theirs = GaussianProcessRegressor(kernel, alpha=0.05, optimizer=None)
    theirs.fit(inputs.numpy(), targets.numpy() - 0.4)
    mean, spread = theirs.predict(points(40, 1).numpy(), return_std=True)
    means, variances = ours.predict(points(40, 1))
    assert means.shape == (40, 1)
    assert np.abs(means[:, 0].numpy() - 0.4 - mean).max() < 1e-10
    assert np.abs(variances.numpy() - spread**2).max() < 1e-10


def test_choices_are_alike_as_far_as_they_agree():
    mixed = torch.tensor([False, True, True])
    kernel = Kernel(torch.tensor([0.5, 1.0, 2.0]).double(), mixed)
    here = torch.tensor([[0.2, 0.25, 0.5]]).double()
    others = torch.tensor([[0.2, 0.25, 0.5], [0.2, 0.75, 0.5], [0.2, 0.25, 0.9], [0.7, 0.75, 0.1]])
    root = math.sqrt(5.0)
    expected = [
        1.0,
        math.exp(-1.0),
        math.exp(-0.25),
        (1.0 + root + 5.0 / 3.0) * math.exp(-root - 1.25),
    ]
    assert kernel(here, others.double())[0].tolist() == pytest.approx(expected, abs=1e-7)


def test_what_was_drawn_is_known_from_then_on_in_each_scenario():
    ours, _, _ = posterior()
    more = points(4, 5)
    normals = torch.from_numpy(np.random.default_rng(2).standard_normal((4, 6)))
    drawn = ours.draw(more, normals)
    means, variances = drawn.predict(more)
    assert means.shape == (4, 6)
    assert (means - drawn.latest(4)).abs().max() < 1e-5
    assert variances.max() < 1e-6


def test_drawn_values_have_the_mean_and_covariance_of_the_posterior():
    ours, _, _ = posterior()
    more = points(3, 5)
    normals = torch.from_numpy(np.random.default_rng(3).standard_normal((3, 40_000)))
    values = ours.draw(more, normals).latest(3)
    means, variances = ours.predict(more)
    # Four standard errors of a mean, and of a variance, of 40,000 draws.
    assert ((values.mean(1) - means[:, 0]).abs() < 4.0 * (variances / 40_000).sqrt()).all()
    assert ((values.var(1) / variances - 1.0).abs() < 4.0 * math.sqrt(2.0 / 40_000)).all()


def test_drawing_one_after_another_is_drawing_together():
    ours, _, _ = posterior()
    more, normals = points(3, 5), points(3, 6, dims=8)
    together = ours.draw(more, normals)
    apart = ours
    for row in range(3):
        apart = apart.draw(more[row : row + 1], normals[row : row + 1])
    assert (together.latest(3) - apart.latest(3)).abs().max() < 1e-6


def test_a_point_twice_does_not_break_the_algebra():
    exact = Hyper(HYPER.lengthscales, scale=1.0, noise=1e-6, mean=0.0)
    ours, inputs, _ = posterior(exact)
    again = torch.cat([inputs[:2], inputs[:2]])
    drawn = ours.draw(again, torch.zeros(4, 1, dtype=torch.float64))
    assert (drawn.latest(4)[:2] - drawn.latest(4)[2:]).abs().max() < 1e-3
