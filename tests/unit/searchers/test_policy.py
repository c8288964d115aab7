import math

import numpy as np
import pytest
import torch

from ripieno.searchers.policy import Policy
from ripieno.space import Categorical, Float, Int, Space

SPACE = Space(
    lr=Float(0.0, 1.0),
    op=Categorical("a", "b", "c"),
    depth=Int(1, 5),
    momentum=Float(0.0, 1.0).when(op="a"),
)
POINT = np.array([0.3, 0.5, 0.7, 0.9])


def policy(seed=0):
    made = Policy(SPACE, np.full(4, 0.5))
    made.parameters[:] = np.random.default_rng(seed).normal(0.0, 0.4, made.parameters.shape)
    return made


def torch_log_probability(parameters, point, active):
    """The same distribution, written with torch: choice b and depth 4 at POINT."""
    means, log_sds, ops, depths = torch.split(parameters, [2, 2, 3, 5])
    normal = torch.distributions.Normal(means, log_sds.exp())
    reals = normal.log_prob(torch.tensor([point[0], point[3]]))
    total = (reals * torch.tensor([active[0], active[3]])).sum()
    tables = [(ops, int(point[1] * 3), active[1]), (depths, int(point[2] * 5), active[2])]
    for logits, value, counted in tables:
        total = total + counted * torch.log_softmax(logits, 0)[value]
    return total


@pytest.mark.parametrize("active", [(True, True, True, True), (True, True, False, False)])
def test_the_score_is_the_gradient_that_autograd_finds(active):
    made = policy()
    parameters = torch.tensor(made.parameters, requires_grad=True)
    expected = torch_log_probability(parameters, POINT, active)
    expected.backward()
    mask = np.array(active)
    assert made.log_probability(POINT, mask) == pytest.approx(expected.item(), abs=1e-12)
    np.testing.assert_allclose(made.score(POINT, mask), parameters.grad.numpy(), atol=1e-12)


def test_the_gradient_of_the_entropy_is_the_one_that_autograd_finds():
    made = policy(1)
    parameters = torch.tensor(made.parameters, requires_grad=True)
    means, log_sds, ops, depths = torch.split(parameters, [2, 2, 3, 5])
    entropy = torch.distributions.Normal(means, log_sds.exp()).entropy().sum()
    for logits in (ops, depths):
        entropy = entropy + torch.distributions.Categorical(logits=logits).entropy()
    entropy.backward()
    assert made.entropy() == pytest.approx(entropy.item(), abs=1e-12)
    np.testing.assert_allclose(made.entropy_gradient(), parameters.grad.numpy(), atol=1e-12)


def test_the_information_is_the_mean_square_of_the_score():
    made = Policy(SPACE, np.full(4, 0.5))  # its tables are even
    made.parameters[:2] = 0.5
    made.parameters[2:4] = math.log(0.05)  # so narrow that nothing is cut off
    rng = np.random.default_rng(0)
    scores = [made.score(made.sample(rng), np.ones(4, np.bool_)) for _ in range(4_000)]
    np.testing.assert_allclose(np.mean(np.square(scores), axis=0), made.information(), rtol=0.12)


def test_draws_follow_the_parameters():
    made = policy(2)
    made.parameters[:4] = 0.4, 0.6, math.log(0.05), math.log(0.1)
    drawn = np.array([made.sample(np.random.default_rng(n)) for n in range(4_000)])
    np.testing.assert_allclose(drawn[:, [0, 3]].mean(axis=0), [0.4, 0.6], atol=0.01)
    np.testing.assert_allclose(drawn[:, [0, 3]].std(axis=0), [0.05, 0.1], atol=0.005)
    ops = made.parameters[4:7]
    expected = np.exp(ops) / np.exp(ops).sum()
    np.testing.assert_allclose(
        np.bincount((drawn[:, 1] * 3).astype(int)) / 4_000, expected, atol=0.03
    )


def test_a_step_keeps_the_means_in_the_interval_and_the_deviations_sensible():
    made = policy()
    for sign in (1.0, -1.0):
        made.step(np.full_like(made.parameters, sign * 1e6), rate=1.0)
        assert ((made.parameters[:2] >= 0.0) & (made.parameters[:2] <= 1.0)).all()
        sds = np.exp(made.parameters[2:4])
        assert ((sds >= 0.02 - 1e-12) & (sds <= 0.5 + 1e-12)).all()
