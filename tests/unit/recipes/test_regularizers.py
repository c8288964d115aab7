import pytest
import torch
from torch import nn

from ripieno.recipes import read_knobs
from ripieno.recipes.regularizers import clip_gradient, penalty


def module():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).double()
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, -2.0], [3.0, -4.0]]))
    return net


def test_the_l1_penalty_is_the_sum_of_absolute_weights_without_biases_and_norms():
    net = module()
    value = penalty(net, read_knobs({"l1": 0.5}))
    assert value.item() == 5.0
    value.backward()
    assert net[0].weight.grad.tolist() == [[0.5, -0.5], [0.5, -0.5]]
    assert net[0].bias.grad is None


def test_without_l1_there_is_no_penalty():
    assert penalty(module(), read_knobs({})) is None
    assert penalty(nn.BatchNorm1d(2), read_knobs({"l1": 0.5})) is None


@pytest.mark.parametrize(("clip", "length"), [(1.0, 1.0), (100.0, 5.0), (0.0, 5.0)])
def test_the_gradient_is_scaled_down_to_the_given_norm(clip, length):
    net = module()
    net[0].weight.grad = torch.tensor([[3.0, 0.0], [0.0, 0.0]], dtype=torch.float64)
    net[0].bias.grad = torch.tensor([0.0, 4.0], dtype=torch.float64)
    clip_gradient(net, read_knobs({"gradient_clip": clip}))
    norm = (net[0].weight.grad.square().sum() + net[0].bias.grad.square().sum()).sqrt()
    assert norm.item() == pytest.approx(length, rel=1e-6)
