import math

import pytest
import torch

from ripieno.errors import SearchError
from ripieno.nas import RELAXATIONS, Darts, DrNas, Gdas, PcDarts
from ripieno.nas.layouts import CELLS
from ripieno.nas.relaxations import first_alphas

LAYOUT = CELLS["nasbench201"]


@pytest.fixture
def alphas():
    torch.manual_seed(0)
    found = first_alphas(LAYOUT, edges=True)
    return {name: (1e3 * alpha).requires_grad_() for name, alpha in found.items()}


@pytest.mark.parametrize("name", RELAXATIONS)
def test_the_gates_of_an_edge_sum_to_one(name, alphas):
    for found in (
        RELAXATIONS[name].gates(alphas, LAYOUT, 0.5),
        RELAXATIONS[name].strengths(alphas, LAYOUT),
    ):
        assert found["normal"].operations.shape == (6, 5)
        torch.testing.assert_close(found["normal"].operations.sum(1), torch.ones(6))


@pytest.mark.parametrize("name", RELAXATIONS)
def test_every_alpha_that_is_used_has_a_gradient(name, alphas):
    found = RELAXATIONS[name].gates(alphas, LAYOUT, 0.5)["normal"]
    value = (found.operations * torch.randn(6, 5)).sum()
    (slope,) = torch.autograd.grad(value, [alphas["normal"]])
    assert slope.abs().sum(1).gt(0).all()


def test_a_drawn_gate_is_one_and_has_the_gradient_of_its_probability(alphas):
    torch.manual_seed(3)
    gates = Gdas().gates(alphas, LAYOUT, 1.0)["normal"].operations
    assert gates.detach().sort(1).values.tolist() == [[0, 0, 0, 0, 1]] * 6
    (slope,) = torch.autograd.grad(gates.sum(), [alphas["normal"]])
    torch.manual_seed(3)
    gumbel = -torch.empty(6, 5).exponential_().log()
    soft = ((alphas["normal"].log_softmax(1) + gumbel) / 0.1).softmax(1)
    drawn = (soft * gates.detach()).sum()
    (expected,) = torch.autograd.grad(drawn, [alphas["normal"]])
    torch.testing.assert_close(slope, expected)


def test_operations_are_drawn_as_often_as_they_are_probable():
    torch.manual_seed(0)
    alphas = {"normal": torch.tensor([[0.5, 0.2, 0.1, 0.15, 0.05]] * 6).log()}
    draws = torch.stack(
        [Gdas().gates(alphas, LAYOUT, 0.0)["normal"].operations for _ in range(500)]
    )
    torch.testing.assert_close(draws.mean((0, 1)), alphas["normal"][0].exp(), atol=0.03, rtol=0)


def test_the_edges_of_a_node_share_one_weight(alphas):
    edges = PcDarts().strengths(alphas, LAYOUT)["normal"].edges.detach()
    assert edges[0] == 1.0
    assert float(edges[1:3].sum()) == pytest.approx(1.0)
    assert float(edges[3:].sum()) == pytest.approx(1.0)


def test_beta_is_the_mean_log_sum_exp_and_grows_from_zero():
    alphas = {"normal": torch.zeros(6, 5)}
    assert Darts().penalty(alphas, 0.0) == 0
    assert float(Darts(beta=2.0).penalty(alphas, 0.5)) == pytest.approx(math.log(5))


def test_the_even_distribution_costs_nothing():
    assert float(DrNas().penalty({"normal": torch.zeros(6, 5)}, 0.0)) == pytest.approx(0, abs=1e-6)
    assert float(DrNas().penalty({"normal": torch.ones(6, 5)}, 0.0)) > 0


@pytest.mark.parametrize("make", [lambda: Darts(order=3), lambda: PcDarts(share=0)])
def test_a_value_that_means_nothing_is_refused(make):
    with pytest.raises(SearchError):
        make()
