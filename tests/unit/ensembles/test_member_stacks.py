"""Members of equal architecture are one stack, and nobody can tell but by the time."""

from itertools import pairwise

import pytest
import torch
from torch import nn

from ripieno.ensembles import Ensemble


def member(seed, hidden=5):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Linear(4, hidden), nn.ReLU(), nn.Linear(hidden, 3)).double()


def make(count=7):
    members = [member(seed) for seed in range(count)]
    return Ensemble(members, torch.arange(1, count + 1).tolist(), classes="abc").eval()


def looped(ensemble, x):
    """The same by a loop over the members."""
    with torch.enable_grad():
        return ensemble(x).detach()


@pytest.mark.parametrize("rows", [1, 5, 300])
def test_a_stack_equals_the_loop_over_members(rows):
    ensemble = make()
    x = torch.randn(rows, 4, dtype=torch.float64)
    with torch.no_grad():
        assert ensemble.stacks.may_answer(ensemble.members)
        answers = ensemble(x)
        assert ensemble.stacks.groups == [tuple(range(7))]
    torch.testing.assert_close(answers, looped(ensemble, x), rtol=1e-13, atol=1e-13)
    assert torch.equal(answers.argmax(1), looped(ensemble, x).argmax(1))


def test_members_of_two_architectures_are_two_stacks_and_the_rest_is_looped():
    members = [member(s) for s in range(6)] + [member(s, 9) for s in range(6)] + [member(0, 2)]
    ensemble = Ensemble(members, [1.0] * 13, classes="abc").eval()
    x = torch.randn(8, 4, dtype=torch.float64)
    with torch.no_grad():
        answers = ensemble(x)
    assert [len(group) for group in ensemble.stacks.groups] == [6, 6]
    torch.testing.assert_close(answers, looped(ensemble, x), rtol=1e-13, atol=1e-13)


def test_a_changed_member_is_answered_for_as_it_is_now():
    ensemble = make()
    x = torch.randn(8, 4, dtype=torch.float64)
    with torch.no_grad():
        before = ensemble(x)
        ensemble.members[2][0].weight.mul_(3.0)
        after = ensemble(x)
        torch.testing.assert_close(after, looped(ensemble, x), rtol=1e-13, atol=1e-13)
        assert not torch.equal(before, after)
        ensemble.members[3] = member(99)
        torch.testing.assert_close(ensemble(x), looped(ensemble, x), rtol=1e-13, atol=1e-13)
        ensemble.float()
        assert ensemble(x.float()).dtype == torch.float32


def test_gradients_and_training_see_the_members_themselves():
    ensemble = make()
    x = torch.randn(8, 4, dtype=torch.float64)
    ensemble(x).sum().backward()
    assert all(p.grad is not None for p in ensemble.parameters())
    with torch.no_grad():
        assert not ensemble.stacks.may_answer(ensemble.train().members)
    assert not ensemble.stacks.may_answer(ensemble.eval().members)  # gradients are on


def test_what_is_put_in_the_place_of_a_weight_a_layer_or_a_member_answers():
    ensemble = make()
    x = torch.randn(8, 4, dtype=torch.float64)

    def answer():
        with torch.no_grad():
            found = ensemble(x)
            assert ensemble.stacks.groups == [tuple(range(7))]
        torch.testing.assert_close(found, looped(ensemble, x), rtol=1e-13, atol=1e-13)
        return found

    answers = [answer()]
    ensemble.members[1][0].weight = nn.Parameter(torch.zeros(5, 4, dtype=torch.float64))
    answers.append(answer())
    ensemble.members[2][2] = member(50)[2]
    answers.append(answer())
    ensemble.members[3] = member(51).eval()
    answers.append(answer())
    assert all((a - b).abs().max() > 1e-4 for a, b in pairwise(answers))
