import pytest
import torch
from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes import build_optimizer, read_knobs, state_slots

CASES = [
    ({"optimizer": "sgd"}, torch.optim.SGD, {}),
    (
        {"optimizer": "sgd", "momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
        torch.optim.SGD,
        {"momentum": 0.8, "nesterov": True, "weight_decay": 0.01},
    ),
    (
        {"optimizer": "adam", "beta1": 0.8, "beta2": 0.9, "weight_decay": 0.1, "eps": 1e-3},
        torch.optim.Adam,
        {"betas": (0.8, 0.9), "weight_decay": 0.1, "eps": 1e-3},
    ),
    (
        {"optimizer": "adamw", "beta1": 0.7, "weight_decay": 0.1},
        torch.optim.AdamW,
        {"betas": (0.7, 0.999), "weight_decay": 0.1},
    ),
    ({"optimizer": "adamw"}, torch.optim.AdamW, {"weight_decay": 0.0}),
    (
        {"optimizer": "rmsprop", "alpha": 0.9, "momentum": 0.5, "eps": 1e-4},
        torch.optim.RMSprop,
        {"alpha": 0.9, "momentum": 0.5, "eps": 1e-4},
    ),
    ({"optimizer": "rmsprop", "weight_decay": 0.2}, torch.optim.RMSprop, {"weight_decay": 0.2}),
]


def trained(make, steps=20):
    generator = torch.Generator().manual_seed(0)
    module = nn.Linear(4, 3).double()
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.copy_(torch.randn(parameter.shape, generator=generator))
    optimizer = make(module)
    for _ in range(steps):
        optimizer.zero_grad()
        x = torch.randn(8, 4, dtype=torch.float64, generator=generator)
        module(x).square().sum().backward()
        optimizer.step()
    return module, optimizer


@pytest.mark.parametrize(("config", "kind", "options"), CASES)
def test_twenty_steps_equal_torchs_optimizer_with_the_same_numbers(config, kind, options):
    knobs = read_knobs({**config, "lr": 0.01})
    ours, _ = trained(lambda module: build_optimizer(module, knobs))
    theirs, _ = trained(lambda module: kind(module.parameters(), lr=0.01, **options))
    assert torch.equal(ours.weight, theirs.weight)
    assert torch.equal(ours.bias, theirs.bias)


@pytest.mark.parametrize(("config", "kind", "options"), CASES)
def test_the_named_slots_are_what_the_optimizer_keeps(config, kind, options):
    knobs = read_knobs(config)
    module, optimizer = trained(lambda module: build_optimizer(module, knobs), steps=1)
    kept = optimizer.state[module.weight]
    assert {slot for slot, value in kept.items() if value is not None} == state_slots(knobs)


def test_nesterov_without_momentum_is_plain_descent():
    knobs = read_knobs({"optimizer": "sgd", "nesterov": True, "lr": 0.01})
    ours, _ = trained(lambda module: build_optimizer(module, knobs))
    theirs, _ = trained(lambda module: torch.optim.SGD(module.parameters(), lr=0.01))
    assert torch.equal(ours.weight, theirs.weight)


def test_frozen_parameters_are_left_out():
    module = nn.Linear(2, 2)
    module.bias.requires_grad_(False)
    optimizer = build_optimizer(module, read_knobs({}))
    assert [p.shape for p in optimizer.param_groups[0]["params"]] == [module.weight.shape]


def test_a_module_with_nothing_to_train_is_refused():
    with pytest.raises(RecipeError, match="Flatten has no parameter"):
        build_optimizer(nn.Flatten(), read_knobs({}))
