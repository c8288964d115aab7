import warnings

import numpy as np
import pytest
import torch

from ripieno.searchers.gaussian_process.hypervolume import (
    Boxes,
    log_expected_hypervolume,
    reference_point,
)

FRONT = torch.tensor([[0.1, 0.9], [0.4, 0.5], [0.8, 0.2], [0.9, 0.95]], dtype=torch.float64)
REFERENCE = torch.tensor([1.0, 1.0], dtype=torch.float64)


def volume(points):
    """What points dominate of the cube below the reference, by a sweep over the first axis."""
    edges = sorted(points, key=lambda point: point[0])
    total, height = 0.0, 1.0
    for first, second in edges:
        if first < 1.0 and second < height:
            total += (1.0 - first) * (height - second)
            height = second
    return total


def test_a_certain_point_adds_what_a_sweep_finds():
    boxes = Boxes.beyond(FRONT[None], REFERENCE)
    points = np.random.default_rng(0).random((30, 2))
    means = torch.from_numpy(points)[:, None]
    variances = torch.full((30, 2), 1e-12, dtype=torch.float64)
    gains = log_expected_hypervolume(means, variances, boxes).exp().tolist()
    before = volume(FRONT.tolist())
    expected = [volume([*FRONT.tolist(), point]) - before for point in points.tolist()]
    assert gains == pytest.approx(expected, abs=1e-6)


def test_an_uncertain_point_adds_what_the_mean_of_many_draws_adds():
    boxes = Boxes.beyond(FRONT[None], REFERENCE)
    mean, spread = np.array([0.5, 0.4]), np.array([0.2, 0.15])
    draws = mean + spread * np.random.default_rng(1).standard_normal((20_000, 2))
    before = volume(FRONT.tolist())
    gains = [volume([*FRONT.tolist(), draw]) - before for draw in draws.tolist()]
    found = log_expected_hypervolume(
        torch.from_numpy(mean)[None, None], torch.from_numpy(spread**2)[None], boxes
    )
    # Four standard errors of the mean of the draws.
    assert abs(found.exp().item() - np.mean(gains)) < 4.0 * np.std(gains) / np.sqrt(20_000)


def test_it_agrees_with_botorch_also_where_scenarios_have_unlike_fronts():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from botorch.acquisition.multi_objective.analytic import ExpectedHypervolumeImprovement
        from botorch.utils.multi_objective.box_decompositions import NondominatedPartitioning
        from botorch.utils.testing import MockModel, MockPosterior

    fronts = torch.stack([FRONT, FRONT.flip(1) * 0.9])
    mean = torch.tensor([[0.3, 0.45]], dtype=torch.float64)
    variance = torch.tensor([[0.04, 0.09]], dtype=torch.float64)
    theirs = []
    for front in fronts:
        cells = NondominatedPartitioning(ref_point=-REFERENCE, Y=-front)
        model = MockModel(MockPosterior(mean=-mean[None], variance=variance[None]))
        acquisition = ExpectedHypervolumeImprovement(model, (-REFERENCE).tolist(), cells)
        theirs.append(acquisition(torch.zeros(1, 1, 1, dtype=torch.float64)).item())
    boxes = Boxes.beyond(fronts, REFERENCE)
    ours = log_expected_hypervolume(mean[:, None].expand(1, 2, 2), variance, boxes)
    assert ours.exp().item() == pytest.approx(np.mean(theirs), rel=1e-9)


def test_far_from_the_front_there_is_still_a_slope():
    boxes = Boxes.beyond(FRONT[None], REFERENCE)
    mean = torch.tensor([[[4.0, 5.0]]], dtype=torch.float64, requires_grad=True)
    value = log_expected_hypervolume(mean, torch.full((1, 2), 0.01, dtype=torch.float64), boxes)
    (slope,) = torch.autograd.grad(value.sum(), mean)
    assert torch.isfinite(value).all()
    assert value.item() < -500.0
    assert (slope < 0.0).all()


def test_the_reference_lies_half_a_width_beyond_the_front_or_half_a_deviation():
    front = torch.tensor([[0.0, 4.0], [1.0, 2.0]], dtype=torch.float64)
    assert reference_point(front).tolist() == pytest.approx([1.5, 5.0])
    assert reference_point(front[:1]).tolist() == pytest.approx([0.5, 4.5])
