"""A recorded function gives what the function gives, for other numbers than those it ran on."""

import random

import numpy as np
import pytest
import torch
from torch import nn
from torch.func import vmap

from ripieno.population.recording import _DIRECT, UnsteadyError, recorded
from ripieno.recipes import draws


def targets(graph):
    calls = [node for node in graph.run.graph.nodes if node.op == "call_function"]
    return [node.target.__name__.split(".")[0] for node in calls]


def check(function, arrays, batch, others):
    graph = recorded(function, arrays, batch)
    found, wanted = graph(*others), function(*others)
    for mine, theirs in zip(found, wanted, strict=True):
        assert torch.equal(mine, theirs)
    return graph


def numbers(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def given(seed):
    return {"w": numbers(seed, 3, 4, 5), "b": numbers(seed + 1, 3, 5)}, {
        "x": numbers(seed + 2, 3, 7, 4)
    }


def gradients(arrays, batch):
    w, b = (arrays[n].detach().requires_grad_() for n in ("w", "b"))
    with torch.enable_grad():
        out = torch.relu(batch["x"] @ w + b.unsqueeze(1))
        loss = (out - torch.ones_like(out)).square().mean(dim=(1, 2))
        return [loss.detach(), *torch.autograd.grad(loss.sum(), [w, b])]


def test_forward_and_gradient_are_those_of_other_numbers():
    graph = check(gradients, *given(0), given(10))
    assert "ones_like" not in targets(graph)  # it is the same every time
    assert not any("detach" in name for name in targets(graph))


def test_what_runs_under_vmap_is_recorded_below_it():
    def function(arrays, batch):
        return [vmap(lambda w, x: torch.tanh(x @ w))(arrays["w"], batch["x"])]

    check(function, *given(0), given(10))


def test_views_that_change_nothing_are_left_out_and_equal_ones_taken_once():
    def function(arrays, batch):
        x = batch["x"].permute(0, 1, 2).view(3, 7, 4)
        return [x.transpose(1, 2) @ x, x.transpose(1, 2) + 1.0]

    graph = check(function, *given(0), given(10))
    assert targets(graph).count("transpose") == 1
    assert not {"permute", "view"} & set(targets(graph))


def test_a_view_that_undoes_another_one_is_the_first():
    def function(arrays, batch):
        there = batch["x"].transpose(1, 2)
        back = there.unsqueeze(0).squeeze(0).transpose(2, 1)
        part = back[:, 1:].transpose(0, 1)
        return [back + 1.0, there * 2.0, part.transpose(0, 1) * 3.0]

    graph = check(function, *given(0), given(10))
    assert targets(graph) == ["transpose", "slice", "add", "mul", "mul"]


def test_a_view_of_what_is_written_shows_what_was_written():
    def function(arrays, batch):
        made = batch["x"] * 2.0
        there = made.transpose(1, 2)
        there.add_(1.0)
        return [there.transpose(1, 2) + 0.0, made + 0.0]

    check(function, *given(0), given(10))


def test_every_function_of_python_is_the_operation_that_it_stands_for():
    assert all(
        f.__name__ == operation._schema.name.removeprefix("aten::")  # noqa: SLF001
        for operation, f in _DIRECT.items()
    )


def test_what_is_written_in_place_is_no_constant():
    def function(arrays, batch):
        held = torch.zeros(3, 5)
        before = held + 1.0  # the same every time, though what it comes of is not
        held += arrays["b"]
        view = held[0]
        view.mul_(2.0)
        return [before, held * 2.0, held.clone(), view + 1.0]

    check(function, *given(0), given(10))


def test_what_a_module_keeps_from_call_to_call_goes_on():
    class Counting:
        def __init__(self):
            self.count = torch.zeros(())

        def __call__(self, arrays, batch):
            doubled = self.count * 2.0
            self.count.add_(1.0)
            return [doubled + batch["x"].sum()]

    counting = Counting()
    arrays, batch = given(0)
    graph = recorded(counting, arrays, batch)
    first, second = graph(arrays, batch)[0], graph(arrays, batch)[0]
    assert second - first == pytest.approx(2.0)


def test_a_batch_norm_writes_the_statistics_that_it_is_given():
    norm = nn.BatchNorm1d(4).train()

    def function(arrays, batch):
        mean, var = arrays["mean"].clone(), arrays["var"].clone()
        out = torch.native_batch_norm(
            batch["x"], norm.weight.detach(), None, mean, var, True, 0.1, 1e-5
        )
        return [out[0], mean, var]

    def some(seed):
        return {"mean": numbers(seed, 4), "var": numbers(seed, 4).abs()}, {"x": numbers(seed, 9, 4)}

    check(function, *some(0), some(10))


@pytest.mark.parametrize("rate", [0.3, torch.tensor([0.0, 0.5, 0.9], dtype=torch.float64)])
def test_what_is_hashed_on_the_host_is_hashed_anew(rate):
    def function(arrays, batch):
        return [
            draws.keep_mask(batch["keys"], (50,), p=rate, layer=1) * 1.0,
            draws.bits(batch["keys"], (3,)),
        ]

    keys = [{"keys": draws.key_tensor(*own)} for own in ((1, 2, 3), (4, 5, 6))]
    check(function, {}, keys[0], ({}, keys[1]))


@pytest.mark.parametrize(
    "look",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.sum() > 0),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
    ],
)
def test_a_function_that_looks_at_numbers_is_refused(look):
    with pytest.raises(UnsteadyError, match="looks at numbers"):
        recorded(lambda arrays, batch: [look(batch["x"])], *given(0))


class Restless(nn.Module):
    """A forward that does not compute the same way every time."""

    def __init__(self, way):
        super().__init__()
        self.way, self.calls = way, 0

    def forward(self, x):
        if self.way == "counts":
            self.calls += 1
        elif self.way == "draws":
            random.random()
        else:
            np.random.rand()  # noqa: NPY002
        return x * 2.0


@pytest.mark.parametrize(
    ("way", "what"),
    [("counts", "calls"), ("draws", "Python's random"), ("draws with numpy", "NumPy's random")],
)
def test_a_module_that_counts_or_draws_outside_of_torch_is_refused(way, what):
    module = Restless(way)
    with pytest.raises(UnsteadyError, match=f"it changes .*{what}"):
        recorded(lambda arrays, batch: [module(batch["x"])], *given(0), module=module)


def test_rows_may_be_picked_by_number():
    def function(arrays, batch):
        return [arrays["w"][batch["rows"]]]

    rows = [{"rows": torch.tensor(own)} for own in ([0, 1, 1], [2, 2, 0])]
    check(function, given(0)[0], rows[0], (given(10)[0], rows[1]))


def test_a_call_costs_no_import_of_a_compiler():
    import subprocess
    import sys

    script = (
        "import sys, torch; from ripieno.population.recording import recorded;"
        "recorded(lambda a, b: [b['x'] + 1], {}, {'x': torch.ones(2)});"
        "sys.exit('torch._dynamo' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
