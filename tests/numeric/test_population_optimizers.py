"""Proof 2: a row of a stacked optimizer equals an object of ``torch.optim``, step by step."""

import copy
import dataclasses

import pytest
import torch
from torch import nn

from ripieno import recipes
from ripieno.population.optimizers import (
    FAMILIES,
    SGD,
    Adadelta,
    Adagrad,
    Adam,
    AdamW,
    Lion,
    Muon,
    NAdam,
    Optimizer,
    RAdam,
    RMSprop,
    adam,
    clip,
    clip_values,
    l1_penalty,
    limit_norms,
)
from ripieno.population.stack import Stack
from ripieno.population.step import Found, Rules, apply, fresh_statistics
from ripieno.recipes.together import muon

MEMBERS, STEPS = 4, 20
RTOL, ATOL = 1e-12, 1e-13
LR = (0.1, 0.01, 0.3, 0.05)
NAMES = ("0.weight", "0.bias", "1.weight", "1.bias")

CASES = {
    "sgd": (SGD(uses=frozenset()), torch.optim.SGD, {}, {}),
    "sgd with momentum": (
        SGD(),
        torch.optim.SGD,
        {
            "momentum": (0.9, 0.0, 0.5, 0.99),
            "dampening": (0.0, 0.3, 0.2, 0.5),
            "weight_decay": (0.1, 0.0, 0.01, 0.2),
        },
        {},
    ),
    "sgd with nesterov": (
        SGD(nesterov=True, uses=frozenset({"momentum"})),
        torch.optim.SGD,
        {"momentum": (0.9, 0.1, 0.5, 0.99)},
        {"nesterov": True},
    ),
    **{
        f"{name}{' with amsgrad' if amsgrad else ''}": (
            stacked(amsgrad=amsgrad),
            plain,
            {
                "beta1": (0.9, 0.5, 0.0, 0.99),
                "beta2": (0.999, 0.9, 0.99, 0.5),
                "eps": (1e-8, 1e-3, 1e-6, 1e-1),
                "weight_decay": (0.1, 0.0, 0.01, 0.2),
            },
            {"amsgrad": amsgrad},
        )
        for name, stacked, plain in (
            ("adam", Adam, torch.optim.Adam),
            ("adamw", AdamW, torch.optim.AdamW),
        )
        for amsgrad in (False, True)
    },
    "adam with its defaults": (Adam(uses=frozenset()), torch.optim.Adam, {}, {}),
    "adamw with its defaults": (AdamW(), torch.optim.AdamW, {}, {}),
    **{
        f"rmsprop{' centered' if centered else ''}": (
            RMSprop(centered=centered),
            torch.optim.RMSprop,
            {
                "alpha": (0.99, 0.9, 0.5, 0.3),
                "eps": (1e-8, 1e-3, 1e-6, 1e-1),
                "momentum": (0.9, 0.0, 0.5, 0.1),
                "weight_decay": (0.1, 0.0, 0.01, 0.2),
            },
            {"centered": centered},
        )
        for centered in (False, True)
    },
    "adagrad": (
        Adagrad(),
        torch.optim.Adagrad,
        {
            "lr_decay": (0.0, 0.1, 0.01, 1.0),
            "eps": (1e-10, 1e-3, 1e-6, 1e-1),
            "weight_decay": (0.1, 0.0, 0.01, 0.2),
            "initial_accumulator_value": (0.0, 0.1, 1.0, 0.5),
        },
        {},
    ),
    **{
        f"nadam{' decoupled' if decoupled else ''}": (
            NAdam(decoupled_weight_decay=decoupled),
            torch.optim.NAdam,
            {
                "beta1": (0.9, 0.5, 0.1, 0.99),
                "beta2": (0.999, 0.9, 0.99, 0.5),
                "eps": (1e-8, 1e-3, 1e-6, 1e-1),
                "momentum_decay": (4e-3, 0.0, 0.1, 1.0),
                "weight_decay": (0.1, 0.0, 0.01, 0.2),
            },
            {"decoupled_weight_decay": decoupled},
        )
        for decoupled in (False, True)
    },
    "adadelta": (
        Adadelta(),
        torch.optim.Adadelta,
        {
            "rho": (0.9, 0.5, 0.99, 0.0),
            "eps": (1e-6, 1e-3, 1e-8, 1e-1),
            "weight_decay": (0.1, 0.0, 0.01, 0.2),
        },
        {},
    ),
    **{
        f"radam{' decoupled' if decoupled else ''}": (
            RAdam(decoupled_weight_decay=decoupled),
            torch.optim.RAdam,
            {
                # The third never trusts its second moment, the fourth does from step 2 on.
                "beta1": (0.9, 0.5, 0.0, 0.99),
                "beta2": (0.999, 0.9, 0.5, 0.99),
                "eps": (1e-8, 1e-3, 1e-6, 1e-1),
                "weight_decay": (0.1, 0.0, 0.01, 0.2),
            },
            {"decoupled_weight_decay": decoupled},
        )
        for decoupled in (False, True)
    },
    "lion": (
        Lion(),
        recipes.Lion,
        {
            "beta1": (0.9, 0.5, 0.0, 0.99),
            "beta2": (0.99, 0.9, 0.5, 0.0),
            "weight_decay": (0.1, 0.0, 0.01, 0.2),
        },
        {},
    ),
    "muon": (
        Muon(matrices=frozenset({"0.weight", "1.weight"})),
        lambda parameters, **options: muon(
            [(name, p) for name, p in zip(NAMES, parameters, strict=True)],
            matrices=frozenset({"0.weight", "1.weight"}),
            **options,
        ),
        {
            "momentum": (0.95, 0.0, 0.5, 0.99),
            "beta1": (0.9, 0.5, 0.0, 0.99),
            "beta2": (0.999, 0.9, 0.99, 0.5),
            "eps": (1e-8, 1e-3, 1e-6, 1e-1),
            "weight_decay": (0.1, 0.0, 0.01, 0.2),
        },
        {},
    ),
}


@pytest.fixture(params=["all rows at once", "one row after another"], autouse=True)
def _way(request, monkeypatch):
    """Rows of Adam that are large enough are updated one by one, by torch's fused kernel."""
    fewest = 10**9 if request.param == "all rows at once" else 0
    monkeypatch.setattr(adam, "_FEW", fewest)


def models():
    torch.manual_seed(3)
    return [nn.Sequential(nn.Linear(3, 4), nn.Linear(4, 2)).double() for _ in range(MEMBERS)]


def plain_optimizer(case, row, parameters):
    _, kind, hyper, flags = CASES[case]
    own = {name: values[row] for name, values in hyper.items()}
    if "beta1" in own:
        own["betas"] = (own.pop("beta1"), own.pop("beta2"))
    if case not in {"lion", "muon"}:
        own["foreach"] = False
    return kind(parameters, lr=LR[row], **own, **flags)


def stack_of(case, own):
    optimizer, _, hyper, _ = CASES[case]
    columns = {
        name: torch.tensor(values, dtype=torch.float64)
        for name, values in {"lr": LR, **hyper}.items()
    }
    return Stack.of(own, optimizer, columns)


def random_gradients(step):
    generator = torch.Generator().manual_seed(step)
    return {
        name: torch.randn(MEMBERS, *p.shape, dtype=p.dtype, generator=generator)
        for name, p in models()[0].named_parameters()
    }


def found(gradients, loss_sum=None):
    ones = torch.ones(MEMBERS, dtype=torch.float64)
    return Found(ones if loss_sum is None else loss_sum, ones, gradients, {}, {})


def batch(active=None, factor=1.0):
    return {
        "rates": torch.tensor(LR, dtype=torch.float64) * factor,
        "active": torch.ones(MEMBERS, dtype=torch.bool) if active is None else active,
    }


def plain_step(model, optimizer, gradients, row):
    for name, parameter in model.named_parameters():
        parameter.grad = gradients[name][row].clone()
    optimizer.step()


def same(stack, own, optimizers, *, rtol=RTOL):
    for row, (model, optimizer) in enumerate(zip(own, optimizers, strict=True)):
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(
                stack.arrays[f"model/{name}"][row], parameter.detach(), rtol=rtol, atol=rtol / 10
            )
        state = stack.extract(row, epoch=1)
        for name, parameter in model.named_parameters():
            kept = {s: v for s, v in optimizer.state[parameter].items() if v is not None}
            # Adagrad alone has a state before its first step.
            kept = kept if kept.get("step", 1) > 0 else {}
            assert state.optimizer.get(name, {}).keys() == kept.keys()
            for slot, value in kept.items():
                held = state.optimizer[name][slot].to(value.dtype)
                torch.testing.assert_close(held, value, rtol=rtol, atol=rtol / 10)


@pytest.mark.parametrize("case", CASES)
def test_a_row_follows_its_optimizer_under_a_schedule(case):
    own = models()
    optimizers = [plain_optimizer(case, row, m.parameters()) for row, m in enumerate(own)]
    stack = stack_of(case, own)
    arrays = {**stack.arrays, **fresh_statistics(MEMBERS)}
    for step in range(STEPS):
        gradients, factor = random_gradients(step), 0.9**step
        apply(arrays, batch(factor=factor), found(gradients), layout=stack.layout, rules=Rules())
        for row, (model, optimizer) in enumerate(zip(own, optimizers, strict=True)):
            for group in optimizer.param_groups:
                group["lr"] = LR[row] * factor
            plain_step(model, optimizer, gradients, row)
    same(stack, own, optimizers)


@pytest.mark.parametrize("case", CASES)
def test_a_row_that_is_taken_out_goes_on_in_torch_and_comes_back(case):
    own = models()
    optimizers = [plain_optimizer(case, row, m.parameters()) for row, m in enumerate(own)]
    stack = stack_of(case, own)
    arrays = {**stack.arrays, **fresh_statistics(MEMBERS)}
    for step in range(5):
        gradients = random_gradients(step)
        apply(arrays, batch(), found(gradients), layout=stack.layout, rules=Rules())
    for row, (model, optimizer) in enumerate(zip(own, optimizers, strict=True)):
        state = stack.extract(row, epoch=1)
        slots = {n: dict.fromkeys(kept, torch.Tensor) for n, kept in state.optimizer.items()}
        state.load_into(model, optimizer, slots=slots)
    for step in range(5, 8):
        gradients = random_gradients(step)
        apply(arrays, batch(), found(gradients), layout=stack.layout, rules=Rules())
        for row, (model, optimizer) in enumerate(zip(own, optimizers, strict=True)):
            plain_step(model, optimizer, gradients, row)
    same(stack, own, optimizers)
    other = stack_of(case, models())
    for row in range(MEMBERS):
        other.insert(row, stack.extract(row, epoch=1))
    there = {**other.arrays, **fresh_statistics(MEMBERS)}
    for step in range(8, 11):
        gradients = random_gradients(step)
        apply(arrays, batch(), found(gradients), layout=stack.layout, rules=Rules())
        apply(there, batch(), found(gradients), layout=stack.layout, rules=Rules())
    for name, array in stack.arrays.items():
        if name.startswith(("model/", "optimizer/", "row/")):
            assert torch.equal(array, other.arrays[name]), name


@pytest.mark.parametrize("case", CASES)
def test_rows_that_are_inactive_or_not_finite_stay_bit_for_bit(case):
    own = models()
    optimizers = [plain_optimizer(case, row, m.parameters()) for row, m in enumerate(own)]
    stack = stack_of(case, own)
    arrays = {**stack.arrays, **fresh_statistics(MEMBERS)}
    active = torch.tensor([True, False, True, True])
    for step in range(6):
        gradients = random_gradients(step)
        losses = torch.ones(MEMBERS, dtype=torch.float64)
        if step == 3:
            losses[2] = torch.nan
            gradients = {name: g.index_fill(0, torch.tensor(2), torch.nan)
                         for name, g in gradients.items()}  # fmt: skip
        apply(arrays, batch(active), found(gradients, losses), layout=stack.layout, rules=Rules())
        for row in (0, 3) if step >= 3 else (0, 2, 3):
            plain_step(own[row], optimizers[row], gradients, row)
    same(stack, own, optimizers)
    assert arrays["steps"].tolist() == [6, 0, 3, 6]
    assert arrays["statistic/alive"].tolist() == [True, True, False, True]
    assert arrays["statistic/steps_taken"].tolist() == [6, 0, 3, 6]
    assert arrays["statistic/loss_sum"].tolist() == [6.0, 0.0, 3.0, 6.0]
    assert arrays["statistic/last_loss"][2].isnan()


def test_every_row_is_clipped_to_its_own_norm():
    gradients = random_gradients(0)
    largest = torch.tensor([0.5, 0.0, 1e-3, 1e3], dtype=torch.float64)
    clipped, norms = clip(gradients, largest)
    for row, model in enumerate(models()):
        for name, parameter in model.named_parameters():
            parameter.grad = gradients[name][row].clone()
        bound = float(largest[row]) or float("inf")
        norm = nn.utils.clip_grad_norm_(model.parameters(), bound, foreach=False)
        torch.testing.assert_close(norms[row], norm, rtol=RTOL, atol=ATOL)
        for name, parameter in model.named_parameters():
            torch.testing.assert_close(clipped[name][row], parameter.grad, rtol=RTOL, atol=ATOL)


def test_every_row_is_clipped_to_its_own_largest_value():
    gradients = random_gradients(0)
    largest = torch.tensor([0.5, 0.0, 1e-3, 1e3], dtype=torch.float64)
    clipped = clip_values(gradients, largest)
    for row, model in enumerate(models()):
        for name, parameter in model.named_parameters():
            parameter.grad = gradients[name][row].clone()
        nn.utils.clip_grad_value_(model.parameters(), float(largest[row]) or float("inf"))
        for name, parameter in model.named_parameters():
            assert torch.equal(clipped[name][row], parameter.grad)


@pytest.mark.parametrize(("shape", "axis"), [((4, 3), 0), ((4, 3, 2, 2), 0), ((3, 4, 2), 1)])
def test_every_row_keeps_its_units_within_its_own_norm_as_torch_renorm_does(shape, axis):
    weights = torch.randn(MEMBERS, *shape, dtype=torch.float64)
    largest = torch.tensor([0.5, 0.0, 1.5, 1e3], dtype=torch.float64)
    limited = limit_norms(weights, axis, largest)
    for row in range(MEMBERS):
        bound = float(largest[row]) or float("inf")
        expected = torch.renorm(weights[row], 2, axis, bound)
        torch.testing.assert_close(limited[row], expected, rtol=RTOL, atol=ATOL)
    assert torch.equal(limited[1], weights[1])
    assert limited[0].movedim(axis, 0).flatten(1).norm(dim=1).max() <= 0.5


@pytest.mark.parametrize("case", CASES)
def test_a_parameter_has_its_own_factor_of_the_learning_rate(case):
    """As a group of parameters with a learning rate of its own does in torch."""
    own = models()
    factors = (0.1, 1.0, 0.5, 2.0)
    stack = stack_of(case, own)
    layout = dataclasses.replace(stack.layout, depths={"0.weight": 1, "0.bias": 1})
    arrays = {**stack.arrays, **fresh_statistics(MEMBERS)}
    arrays["hyper/rate_scale_1"] = torch.tensor(factors, dtype=torch.float64)
    rules = Rules(uses=frozenset({"rate_scales"}))
    scaled, plain = [], []
    for row, model in enumerate(own):
        scaled.append(plain_optimizer(case, row, model.parameters()))
        twin = copy.deepcopy(model)
        plain.append((twin, plain_optimizer(case, row, twin.parameters())))
    for step in range(STEPS):
        gradients = random_gradients(step)
        apply(arrays, batch(), found(gradients), layout=layout, rules=rules)
        for row, (model, optimizer) in enumerate(zip(own, scaled, strict=True)):
            for group in optimizer.param_groups:
                group["lr"] = LR[row] * factors[row]
            plain_step(model, optimizer, gradients, row)
            plain_step(*plain[row], gradients, row)
    for row, (model, twin) in enumerate(zip(own, (twin for twin, _ in plain), strict=True)):
        for layer, wanted in (("0", model), ("1", twin)):
            for name in (f"{layer}.weight", f"{layer}.bias"):
                expected = wanted.get_parameter(name).detach()
                torch.testing.assert_close(
                    arrays[f"model/{name}"][row], expected, rtol=RTOL, atol=ATOL
                )


def test_the_l1_penalty_counts_weights_and_no_biases():
    own = models()
    stack = stack_of("sgd", own)
    parameters = {n: stack.arrays[f"model/{n}"] for n in stack.layout.trained}
    strength = torch.tensor([0.0, 0.1, 1.0, 2.0], dtype=torch.float64)
    weights = [m[0].weight.abs().sum() + m[1].weight.abs().sum() for m in own]
    expected = strength * torch.stack(weights).detach()
    torch.testing.assert_close(l1_penalty(parameters, strength), expected)


def test_every_family_takes_its_defaults_from_torch():
    for name, family in FAMILIES.items():
        kind = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW,
                "rmsprop": torch.optim.RMSprop, "adagrad": torch.optim.Adagrad,
                "adadelta": torch.optim.Adadelta, "nadam": torch.optim.NAdam,
                "radam": torch.optim.RAdam, "lion": recipes.Lion,
                "muon": torch.optim.Muon}[name]  # fmt: skip
        theirs = kind([nn.Parameter(torch.zeros(1, 1))]).defaults
        if name == "muon":
            theirs = {**torch.optim.AdamW([nn.Parameter(torch.zeros(1))]).defaults, **theirs}
            theirs["eps"] = family.defaults["eps"]  # AdamW's: Muon's own is a constant
        theirs = {**theirs, **dict(zip(("beta1", "beta2"), theirs.get("betas", ()), strict=False))}
        assert issubclass(family, Optimizer)
        assert dict(family.defaults) == {n: theirs[n] for n in family.defaults}
