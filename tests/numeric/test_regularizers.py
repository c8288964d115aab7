import pytest
import torch
from torch import nn

from ripieno.recipes import read_knobs
from ripieno.recipes.regularizers import clip_gradient, limit_norms, penalty, unit_axes


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


def test_a_gradient_is_cut_to_a_value_before_its_norm():
    net = nn.Linear(2, 1, bias=False)
    net.weight.grad = torch.tensor([[3.0, -0.5]])
    clip_gradient(net, read_knobs({"gradient_clip_value": 1.0}))
    assert torch.equal(net.weight.grad, torch.tensor([[1.0, -0.5]]))
    net.weight.grad = torch.tensor([[3.0, -4.0]])
    clip_gradient(net, read_knobs({"gradient_clip_value": 3.0, "gradient_clip": 0.5}))
    assert net.weight.grad.norm() == pytest.approx(0.5)
    assert net.weight.grad[0, 0] == -net.weight.grad[0, 1]


def test_units_are_kept_within_a_norm_and_biases_left_alone():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 4, 3), nn.ConvTranspose2d(4, 3, 2), nn.ConvTranspose2d(4, 4, 1, groups=2),
        nn.BatchNorm2d(3), nn.Linear(5, 6),
    )  # fmt: skip
    assert unit_axes(net) == {"0.weight": 0, "1.weight": 1, "4.weight": 0}
    before = {n: p.detach().clone() for n, p in net.named_parameters()}
    limit_norms(net, read_knobs({"max_norm": 0.3}))
    for name, p in net.named_parameters():
        axis = unit_axes(net).get(name)
        if axis is None:
            assert torch.equal(p, before[name])
            continue
        norms = before[name].movedim(axis, 0).flatten(1).norm(dim=1)
        wanted = before[name].movedim(axis, 0) * (0.3 / norms).clamp(max=1).view(
            -1, *[1] * (p.ndim - 1)
        )
        torch.testing.assert_close(p.detach().movedim(axis, 0), wanted)
    after = {n: p.detach().clone() for n, p in net.named_parameters()}
    limit_norms(net, read_knobs({}))
    assert all(torch.equal(after[n], p) for n, p in net.named_parameters())
