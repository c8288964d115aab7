import math
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import nn

from ripieno.errors import SearchError
from ripieno.nas import (
    PROXIES,
    ArchitectureFactory,
    cell_space,
    jacov,
    naswot,
    parameter_count,
    score,
    snip,
    synflow,
)

X = torch.randn(5, 3, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
Y = torch.tensor([0, 1, 1, 0, 1])


def chain(*sizes):
    torch.manual_seed(1)
    layers = [nn.Linear(a, b, bias=False) for a, b in pairwise(sizes)]
    return nn.Sequential(*layers).double()


def test_synflow_of_a_chain_is_the_sum_of_all_its_ways_once_a_layer():
    net = chain(3, 4, 5, 2)
    flow = torch.ones(3, dtype=torch.float64)
    for layer in net:
        flow = layer.weight.detach().abs() @ flow
    # The sum is homogeneous in every layer: w . dR/dw = R (Euler).
    assert synflow(net, X, Y) == pytest.approx(math.log(3 * float(flow.sum())), rel=1e-12)


def test_synflow_does_without_batch_norms_and_does_not_overflow():
    net = chain(3, 4, 2)
    normed = nn.Sequential(net[0], nn.BatchNorm1d(4).double(), net[1])
    assert synflow(normed, X, Y) == synflow(net, X, Y)
    deep = chain(*[3] * 60)
    with torch.no_grad():
        for layer in deep:
            layer.weight.fill_(1e3)
    # 59 layers of 3 units: R = 3 * (3 * 1e3)^59.
    assert synflow(deep.float(), X.float(), Y) == pytest.approx(
        math.log(59 * 3) + 59 * math.log(3e3)
    )


def test_naswot_counts_the_units_that_two_examples_agree_on():
    net = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 1))
    with torch.no_grad():
        net[0].weight.copy_(torch.tensor([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]))
    x = torch.tensor([[1.0, 1.0], [1.0, -2.0]])  # codes 111 and 100: they agree on one of three
    assert naswot(net, x, Y) == pytest.approx(math.log(3 * 3 - 1 * 1))


def test_naswot_of_examples_that_look_alike_is_minus_infinity():
    net = nn.Sequential(nn.Linear(3, 3), nn.ReLU())
    assert naswot(net, torch.ones(2, 3), Y) == -math.inf


def test_jacov_of_a_linear_model_whose_examples_have_one_jacobian():
    k, batch = 1e-5, len(X)
    expected = -(math.log(batch + k) + 1 / (batch + k)) - (batch - 1) * (math.log(k) + 1 / k)
    assert jacov(chain(3, 2), X, Y) == pytest.approx(expected, rel=1e-6)


def test_jacov_of_two_examples_is_a_function_of_their_correlation():
    class Powers(nn.Module):
        def __init__(self):
            super().__init__()
            self.weight = nn.Parameter(torch.ones(3, dtype=torch.float64))

        def forward(self, x):
            return (self.weight * x**2).sum(1, keepdim=True) / 2

    x = X[:2]  # the gradient by the input is the input itself
    r, k = np.corrcoef(x.numpy())[0, 1], 1e-5
    expected = -sum(math.log(v + k) + 1 / (v + k) for v in (1 + r, 1 - r))
    assert jacov(Powers(), x, Y) == pytest.approx(expected, rel=1e-9)


def test_snip_of_a_softmax_regression():
    net = chain(3, 2)
    share = (X @ net[0].weight.T).softmax(1) - nn.functional.one_hot(Y, 2)
    expected = (net[0].weight * (share.T @ X / len(X))).abs().sum()
    assert snip(net, X, Y) == pytest.approx(float(expected.detach()), rel=1e-12)


def test_the_parameters_are_counted():
    assert parameter_count(chain(3, 4, 2), X, Y) == 3 * 4 + 4 * 2


@pytest.mark.parametrize("name", PROXIES)
def test_a_proxy_leaves_the_network_as_it_was(name):
    torch.manual_seed(0)
    net = ArchitectureFactory((1, 8, 8), 3)(cell_space(filters=2).default()).eval()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    batch = torch.randn(4, 1, 8, 8), torch.tensor([0, 1, 2, 0])
    first = score(name, net, batch)
    assert first == score(name, net, batch)
    assert not net.training
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert all(parameter.grad is None for parameter in net.parameters())


def test_a_proxy_that_does_not_exist_is_refused():
    with pytest.raises(SearchError, match="zen"):
        score("zen", chain(3, 2), (X, Y))
