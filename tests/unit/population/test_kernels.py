import torch

from ripieno.population.leaves import Kernels


def kernels_of(calls):
    def slow(x):
        calls.append("slow")
        for _ in range(300):
            x = x * 1.0
        return x

    def quick(x):
        calls.append("quick")
        return x * 1.0

    return {"slow": slow, "quick": quick}


def test_the_faster_kernel_is_chosen_once_and_recorded():
    calls, kernels = [], Kernels()
    candidates, x = kernels_of(calls), torch.randn(64, 64, requires_grad=True)
    assert kernels.choose("double on", candidates, x) is candidates["quick"]
    assert list(kernels.choices.values()) == ["quick"]
    calls.clear()
    assert kernels.choose("double on", candidates, x) is candidates["quick"]
    assert calls == []


def test_a_recorded_choice_is_replayed_without_measuring():
    calls = []
    candidates, x = kernels_of(calls), torch.randn(8)
    first = Kernels()
    first.choose("double", candidates, x)
    signature = next(iter(first.choices))
    calls.clear()
    again = Kernels({signature: "slow"})
    assert again.choose("double", candidates, x) is candidates["slow"]
    assert calls == []


def test_a_forced_kernel_wins_and_an_unknown_one_gives_way_to_the_first():
    candidates, x = kernels_of([]), torch.randn(8)
    assert Kernels(forced={"double": "slow"}).choose("double", candidates, x) is candidates["slow"]
    assert Kernels(forced={"double": "?"}).choose("double", candidates, x) is candidates["slow"]


def test_nothing_is_measured_where_it_is_not_wanted():
    calls = []
    candidates = kernels_of(calls)
    kernels = Kernels(measure=False)
    assert kernels.choose("double", candidates, torch.randn(8)) is candidates["slow"]
    assert kernels.choices == {}
    assert calls == []


def test_measuring_leaves_the_operands_as_they_were():
    x = torch.randn(4, 4, requires_grad=True)
    before = x.detach().clone()
    candidates = {"one": lambda x: x.clone().mul_(2), "other": lambda x: x + x}
    Kernels().choose("double", candidates, x)
    assert torch.equal(x, before)
    assert x.grad is None
