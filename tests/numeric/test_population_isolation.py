"""Proofs 3 to 5: trajectories, row invariance and isolation, in every tier; and peers' bugs."""

import copy

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ripieno.population import tiers
from ripieno.population.choice import TIERS
from ripieno.population.leaves import Kernels
from ripieno.population.optimizers import SGD, Adam
from ripieno.population.signature import difference, row_numbers, signature
from ripieno.population.stack import Stack
from ripieno.population.step import Rules, StackedStep, fresh_statistics
from ripieno.population.template import Template
from ripieno.population.tiers import Engine
from ripieno.recipes import DropoutMode, draws

MEMBERS, BATCH, STEPS, CLASSES = 4, 6, 3, 3
EAGER = [tier for tier in TIERS if tier != "compiled"]
LR = (0.1, 0.03, 0.3, 0.01)


class Small(nn.Module):
    """One of everything that a row must not share with its neighbours."""

    def __init__(self, p, momentum):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4, momentum=momentum)
        self.slope, self.drop = nn.PReLU(), nn.Dropout2d(p)
        self.hidden, self.last = nn.Linear(4 * 9, 5), nn.Dropout(p)
        self.scale, self.head = nn.LayerNorm(5), nn.Linear(5, CLASSES)

    def forward(self, x):
        x = self.drop(self.slope(self.norm(self.conv(x))))
        x = F.max_pool2d(x, 2).flatten(1)
        return self.head(self.last(F.relu(self.scale(self.hidden(x)), inplace=True)))


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell, self.head = nn.LSTM(4, 5, batch_first=True), nn.Linear(5, CLASSES)

    def forward(self, x):
        return self.head(self.cell(x)[0][:, -1])


class Branching(nn.Module):
    """Its way depends on its data."""

    def __init__(self):
        super().__init__()
        self.left, self.right = nn.Linear(4, CLASSES), nn.Linear(4, CLASSES)

    def forward(self, x):
        return self.left(x) if x.mean().item() > 0 else self.right(x)


def models(make=Small, dtype=torch.float64):
    torch.manual_seed(1)
    if make is not Small:
        return [make().to(dtype) for _ in range(MEMBERS)]
    numbers = [(0.3, 0.1), (0.0, 0.5), (0.6, 0.9), (0.2, 0.1)]
    return [make(p, momentum).to(dtype) for p, momentum in numbers]


def hyper(**columns):
    columns = {"lr": LR, **columns}
    return {name: torch.tensor(c, dtype=torch.float64) for name, c in columns.items()}


def batch(step, shape=(1, 8, 8), dtype=torch.float64, size=BATCH):
    generator = torch.Generator().manual_seed(step)
    keys = draws.key_tensor(*(draws.fold(row, step) for row in range(MEMBERS)))
    return {
        "x": torch.randn(MEMBERS, size, *shape, generator=generator, dtype=dtype),
        "y": torch.randint(CLASSES, (MEMBERS, size), generator=generator),
        "keys": keys,
        "rates": torch.tensor(LR, dtype=torch.float64) * 0.9**step,
        "active": torch.ones(MEMBERS, dtype=torch.bool),
    }


USES = {"momentum": (0.9, 0.0, 0.5, 0.9), "weight_decay": (0.0, 0.1, 0.01, 0.0)}
EXTRAS = {
    "l1": (0.01, 0.0, 0.1, 0.0),
    "gradient_clip": (0.5, 0.0, 1e-2, 10.0),
    "label_smoothing": (0.0, 0.1, 0.3, 1.0),
}
WEIGHTS = torch.tensor([[1.0, 1.0, 1.0], [0.5, 2.0, 1.0], [1.0, 1.0, 1.0], [0.1, 0.1, 3.0]])


def trained(own, tier, *, steps=STEPS, extras=True, make_batch=batch, short=True):
    """Train a stack of models; return it, its statistics and its engine."""
    columns = hyper(**USES, **(EXTRAS if extras else {}))
    if extras:
        columns["class_weights"] = WEIGHTS.double()
    stack = Stack.of(own, SGD(uses=frozenset({"momentum", "weight_decay"})), columns)
    rules = Rules(uses=frozenset({*EXTRAS, "class_weights"}) if extras else frozenset())
    engine = Engine(own[0], stack.layout, rules, tier=tier)
    arrays = {**stack.arrays, **fresh_statistics(len(own))}
    for step in range(steps):
        engine.step(arrays, make_batch(step))
    if short:
        engine.step(arrays, {n: t[:, :2] if n in "xy" else t for n, t in make_batch(9).items()})
    return stack, arrays, engine


def alone(model, row, *, steps=STEPS, extras=True, make_batch=batch, short=True):
    """Train one model as ordinary PyTorch code does; return its optimizer and loss sum."""
    model = copy.deepcopy(model).train()
    options = {name: values[row] for name, values in USES.items()}
    optimizer = torch.optim.SGD(model.parameters(), lr=LR[row], foreach=False, **options)
    extra = {name: values[row] if extras else 0.0 for name, values in EXTRAS.items()}
    weights = WEIGHTS[row].double() if extras else None
    batches = [make_batch(step) for step in range(steps)]
    if short:
        batches.append({n: t[:, :2] if n in "xy" else t for n, t in make_batch(9).items()})
    total = 0.0
    for each in batches:
        optimizer.param_groups[0]["lr"] = float(each["rates"][row])
        optimizer.zero_grad()
        with DropoutMode(each["keys"][row]):
            logits = model(each["x"][row])
        losses = F.cross_entropy(logits, each["y"][row], weights, reduction="none",
                                 label_smoothing=extra["label_smoothing"])  # fmt: skip
        total += losses.sum().item()
        scale = len(losses) if weights is None else weights[each["y"][row]].sum()
        norms = [p.abs().sum() for p in model.parameters() if p.dim() > 1]
        penalty = extra["l1"] * sum(norms) if extra["l1"] else 0.0
        (losses.sum() / scale + penalty).backward()
        if extra["gradient_clip"]:
            nn.utils.clip_grad_norm_(model.parameters(), extra["gradient_clip"], foreach=False)
        optimizer.step()
    return model, optimizer, total


def close(left, right, rtol=1e-9):
    torch.testing.assert_close(left, right, rtol=rtol, atol=rtol / 100)


def check_trajectory(own, tier, *, rtol=1e-9, **options):
    stack, arrays, engine = trained(own, tier, **options)
    for row, model in enumerate(own):
        reference, optimizer, total = alone(model, row, **options)
        state = stack.extract(row, epoch=1)
        for name, value in reference.state_dict().items():
            close(state.model[name], value, rtol)
        for name, parameter in reference.named_parameters():
            if parameter not in optimizer.state:  # it was on no way that was taken
                continue
            buffer = optimizer.state[parameter].get("momentum_buffer")
            kept = state.optimizer.get(name, {})
            assert (buffer is None) == ("momentum_buffer" not in kept)
            if buffer is not None:
                close(kept["momentum_buffer"], buffer, rtol)
        close(arrays["statistic/loss_sum"][row].item(), total, rtol)
    return stack, engine


@pytest.mark.parametrize("tier", EAGER)
def test_a_stack_is_trained_as_each_of_its_models_alone(tier):
    stack, engine = check_trajectory(models(), tier)
    assert engine.choice.tier == tier, str(engine.choice)
    x = torch.randn(5, 1, 8, 8, dtype=torch.float64)
    out = engine.predict(stack.arrays, x)
    assert out.shape == (MEMBERS, 5, CLASSES)
    for row, model in enumerate(models()):
        stack.extract(row, epoch=1).load_into(model)
        close(out[row], model.eval()(x).detach())


@pytest.mark.slow
def test_a_compiled_stack_is_trained_as_each_of_its_models_alone():
    _, engine = check_trajectory(models(), "compiled")
    if engine.choice.tier != "compiled":
        pytest.skip(f"no working compiler here: {engine.choice}")


@pytest.mark.parametrize("make", [Recurrent, Branching])
def test_a_model_that_cannot_be_stacked_is_trained_in_the_loop(make):
    def sequences(step):
        return batch(step, (3, 4) if make is Recurrent else (4,))

    _, engine = check_trajectory(models(make), "auto", extras=False, make_batch=sequences, steps=4)
    assert engine.choice.tier == "loop"
    assert "cannot be stacked" in engine.choice.reason or "row by row" in engine.choice.reason


def test_a_forced_tier_that_fails_gives_way():
    engine = trained(models(Branching), "traced", extras=False,
                     make_batch=lambda step: batch(step, (4,)))[2]  # fmt: skip
    assert engine.choice.tier == "loop"


def test_auto_measures_and_says_why(monkeypatch):
    monkeypatch.setattr(tiers, "_MEASURE_SECONDS", -1.0)
    engine = trained(models(), "auto")[2]
    assert engine.choice.tier in {"traced", "leaves", "loop"}
    assert set(engine.choice.seconds) == {"traced", "leaves", "loop"}
    assert engine.choice.reason


def test_a_loss_that_looks_at_other_rows_is_not_stacked():
    class Nosy(StackedStep):
        def objectives(self, arrays, batch):
            objective, leaves, found = super().objectives(arrays, batch)
            return objective + 0.1 * objective.flip(0), leaves, found

    own = models()
    stack = Stack.of(own, SGD(), hyper())
    engine = Engine(own[0], stack.layout, Rules())
    engine.leaves = Nosy(engine.leaves.template, stack.layout, Rules())
    engine.step({**stack.arrays, **fresh_statistics(MEMBERS)}, batch(0))
    assert engine.choice.tier == "loop"
    assert "gradient in" in engine.choice.reason


def rows_of(arrays, rows):
    return {name: array[rows] for name, array in arrays.items()}


@pytest.mark.parametrize("tier", EAGER)
def test_a_row_does_not_depend_on_its_neighbours(tier):
    """Permuted, with fewer neighbours, with more: the row is the same."""
    own = models()
    everyone = trained(own, tier, extras=False)[1]
    for rows in ([2, 0, 3, 1], [1, 2], [3, 3, 0, 1, 2, 1]):
        chosen = torch.tensor(rows)

        def some(step, chosen=chosen):
            return rows_of(batch(step), chosen)

        columns = rows_of(hyper(**USES), chosen)
        stack = Stack.of([own[row] for row in rows], SGD(), columns)
        engine = Engine(own[0], stack.layout, Rules(), tier=tier)
        arrays = {**stack.arrays, **fresh_statistics(len(rows))}
        for step in range(STEPS):
            engine.step(arrays, some(step))
        engine.step(arrays, {n: t[:, :2] if n in "xy" else t for n, t in some(9).items()})
        for name, array in arrays.items():
            rtol = 0.0 if tier == "loop" else 1e-9
            close(array, everyone[name][chosen], rtol)


@pytest.mark.parametrize("tier", EAGER)
def test_a_neighbour_that_diverges_is_frozen_and_harms_nobody(tier):
    def wild(step):
        given = batch(step)
        given["rates"][1] = 1e30 if step == 0 else given["rates"][1]
        return given

    def silent(step):
        given = batch(step)
        given["active"][1] = False
        return given

    own = models()
    harmed, statistics, _ = trained(own, tier, make_batch=wild, extras=False, steps=6)
    unharmed, _, _ = trained(own, tier, make_batch=silent, extras=False, steps=6)
    others = torch.tensor([0, 2, 3])
    for name, array in harmed.arrays.items():
        close(array[others], unharmed.arrays[name][others], 1e-12)
    alive = statistics["statistic/alive"]
    assert alive[others].all()
    if not alive[1]:  # where it stopped, it stays
        assert statistics["statistic/steps_taken"][1] < 7
        assert not torch.isfinite(statistics["statistic/last_loss"][1])
    # An inactive row is not touched at all.
    fresh = Stack.of(own, SGD(), hyper(**USES))
    for name, array in unharmed.arrays.items():
        assert torch.equal(array[1], fresh.arrays[name][1]), name


def test_a_row_whose_loss_is_not_finite_keeps_the_state_before_it():
    own = models()
    stack = Stack.of(own, Adam(uses=frozenset()), hyper())
    engine = Engine(own[0], stack.layout, Rules(), tier="traced")
    arrays = {**stack.arrays, **fresh_statistics(MEMBERS)}
    engine.step(arrays, batch(0))
    before = {name: array.clone() for name, array in arrays.items()}
    poisoned = batch(1)
    poisoned["x"][2, 0] = torch.inf
    engine.step(arrays, poisoned)
    engine.step(arrays, batch(2))
    for name, array in arrays.items():
        if not name.startswith("statistic/"):
            assert torch.equal(array[2], before[name][2]), name
            assert torch.isfinite(array).all() if array.is_floating_point() else True
    assert arrays["statistic/alive"].tolist() == [True, True, False, True]
    assert arrays["statistic/steps_taken"].tolist() == [3, 3, 1, 3]


@pytest.mark.parametrize("leaves", ["all", "needed"])
def test_the_gradient_of_a_row_is_exactly_zero_in_every_other(leaves):
    own = models()
    stack = Stack.of(own, SGD(), hyper())
    step = StackedStep(Template(own[0], Kernels()), stack.layout, Rules(), leaves)
    arrays = {**stack.arrays, **fresh_statistics(MEMBERS)}
    objective, leaf_tensors, _ = step.objectives(arrays, batch(0))
    for row in range(MEMBERS):
        found = torch.autograd.grad(objective[row], list(leaf_tensors.values()), retain_graph=True)
        for gradient in found:
            assert gradient[row].any()
            gradient[row] = 0.0
            assert not gradient.any()


def test_tracing_leaves_the_arrays_as_they_were():
    own = models()
    stack = Stack.of(own, SGD(), hyper())
    arrays = {**stack.arrays, **fresh_statistics(MEMBERS)}
    before = {name: array.clone() for name, array in arrays.items()}
    engine = Engine(own[0], stack.layout, Rules())
    engine.decide(arrays, batch(0))
    for name, array in arrays.items():
        assert torch.equal(array, before[name]), name


def test_the_same_inputs_may_be_shared_by_all_rows():
    own = models()
    common = batch(0)["x"][0]
    given = {**batch(0), "y": batch(0)["y"][:1].expand(MEMBERS, -1)}
    results = []
    for shared in (True, False):
        stack = Stack.of(own, SGD(), hyper())
        engine = Engine(own[0], stack.layout, Rules(shared=shared), tier="traced")
        x = common if shared else common.expand(MEMBERS, *common.shape).contiguous()
        engine.step({**stack.arrays, **fresh_statistics(MEMBERS)}, {**given, "x": x})
        results.append(stack.arrays)
    for name, array in results[0].items():
        close(array, results[1][name])


def test_select_and_fork_move_whole_rows():
    stack, _, _ = trained(models(), "leaves")
    some = stack.select(torch.tensor([2, 0]))
    assert some.members == 2
    for name, array in stack.arrays.items():
        assert torch.equal(some.arrays[name], array[[2, 0]]), name
    before = {name: array.clone() for name, array in stack.arrays.items()}
    stack.fork(losers=torch.tensor([0, 1]), parents=torch.tensor([1, 3]))
    for name, array in stack.arrays.items():
        # Row 1 is a parent and a loser: row 0 gets what it was before the fork.
        assert torch.equal(array, before[name][[1, 3, 2, 3]]), name


def test_models_that_differ_in_more_than_numbers_have_other_signatures():
    def net(*, filters=2, activation=nn.ReLU, p=0.1, momentum=0.1, eps=1e-5, bias=True):
        norm = nn.BatchNorm2d(filters, momentum=momentum, eps=eps)
        conv = nn.Conv2d(1, filters, 3, bias=bias)
        return nn.Sequential(conv, norm, activation(), nn.Dropout(p))

    same = signature(net())
    assert same == signature(net(p=0.7, momentum=0.9))
    assert row_numbers(net(p=0.7, momentum=0.9)) == {"1.momentum": 0.9, "3.p": 0.7}
    for other in (
        net(filters=3),
        net(activation=nn.Tanh),
        net(momentum=None),
        net(eps=1e-3),
        net(bias=False),
        net().double(),
        net().requires_grad_(False),
    ):
        assert signature(other) != same
    assert difference(net(), net(eps=1e-3)) == "1.eps: 1e-05 and 0.001"
    assert difference(net(), net(p=0.3)) is None
    tied, untied = (nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2)) for _ in range(2))
    tied[1].weight = tied[0].weight
    assert signature(tied) != signature(untied)


# What went wrong in other systems that stack models, one by one.


def forward(own, x):
    names = [*dict(own[0].named_parameters()), *dict(own[0].named_buffers())]
    rows = [{**dict(m.named_parameters()), **dict(m.named_buffers())} for m in own]
    tensors = {n: torch.stack([r[n].detach() for r in rows]) for n in names}
    leaves = {n: tensors[n].requires_grad_() for n, _ in own[0].named_parameters()}
    numbers = {
        n: torch.tensor([row_numbers(m)[n] for m in own]).double() for n in row_numbers(own[0])
    }
    out = Template(own[0], Kernels()).forward(
        tensors, x, members=len(own), numbers=numbers, training=True
    )
    return out, leaves, tensors


@pytest.mark.parametrize("padding_idx", [0, 2, -1])
def test_the_padding_entry_of_every_row_and_no_other_gets_no_gradient(padding_idx):
    torch.manual_seed(0)
    own = [nn.Embedding(5, 3, padding_idx=padding_idx).double() for _ in range(3)]
    for model in own:
        nn.init.normal_(model.weight)
    ids = torch.randint(5, (3, 4, 6))
    for shared in (False, True):
        given = ids[0].expand(3, 4, 6) if shared else ids
        out, leaves, _ = forward(own, given)
        out.sum().backward()
        for row, model in enumerate(own):
            model.zero_grad()
            model(given[row]).sum().backward()
            close(out[row], model(given[row]))
            assert torch.equal(leaves["weight"].grad[row], model.weight.grad)
            assert not leaves["weight"].grad[row, padding_idx].any()


def test_every_row_has_its_own_batch_norm_momentum_and_count():
    own = [nn.BatchNorm1d(2, momentum=m).double() for m in (0.0, 0.25, 1.0)]
    own[1].num_batches_tracked += 7
    x = torch.randn(3, 8, 2, dtype=torch.float64)
    _, _, tensors = forward(own, x)
    mean = x.mean(1)
    close(tensors["running_mean"], mean * torch.tensor([[0.0], [0.25], [1.0]]).double())
    assert tensors["num_batches_tracked"].tolist() == [1, 8, 1]


def test_a_layer_norm_keeps_its_eps():
    own = [nn.LayerNorm(4, eps=0.5).double() for _ in range(64)]
    x = 1e-3 * torch.randn(64, 2, 4, dtype=torch.float64)
    out, _, _ = forward(own, x)
    close(out, F.layer_norm(x, (4,), eps=0.5))


def test_every_row_has_its_own_prelu_slope():
    own = [nn.PReLU(init=slope).double() for slope in (0.0, 0.5, -1.0)]
    out, _, _ = forward(own, torch.full((3, 2, 2), -2.0, dtype=torch.float64))
    assert out[:, 0, 0].tolist() == [0.0, -1.0, 2.0]


def test_a_row_whose_gradient_overflows_stops_no_other_row():
    """One shared gradient scale would skip the step of all rows."""
    own = models(dtype=torch.float32)
    stack = Stack.of(own, SGD(), hyper())
    engine = Engine(own[0], stack.layout, Rules(), tier="leaves")
    arrays = {**stack.arrays, **fresh_statistics(MEMBERS)}
    given = batch(0, dtype=torch.float32)
    given["x"][0] *= torch.inf
    before = stack.arrays["model/head.weight"].clone()
    engine.step(arrays, given)
    moved = (stack.arrays["model/head.weight"] != before).flatten(1).any(1)
    assert moved.tolist() == [False, True, True, True]
