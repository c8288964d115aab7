from functools import partial

import pytest
import torch
from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes import Lion, Recipe, build_optimizer, read_knobs, state_slots
from ripieno.recipes.regularizers import decay_weights
from ripieno.recipes.slots import kept_slots
from ripieno.space import Categorical, Space

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
    ({"optimizer": "adagrad", "weight_decay": 0.1}, torch.optim.Adagrad, {"weight_decay": 0.1}),
    ({"optimizer": "adagrad", "eps": 1e-4}, torch.optim.Adagrad, {"eps": 1e-4}),
    ({"optimizer": "adadelta", "rho": 0.8}, torch.optim.Adadelta, {"rho": 0.8}),
    (
        {"optimizer": "nadam", "beta1": 0.8, "momentum_decay": 0.1, "weight_decay": 0.1},
        torch.optim.NAdam,
        {"betas": (0.8, 0.999), "momentum_decay": 0.1, "weight_decay": 0.1},
    ),
    (
        {"optimizer": "radam", "beta2": 0.9, "weight_decay": 0.1},
        torch.optim.RAdam,
        {"betas": (0.9, 0.9), "weight_decay": 0.1},
    ),
    ({"optimizer": "lion", "weight_decay": 0.1}, Lion, {"weight_decay": 0.1}),
]
TORCHS = [
    ({"optimizer": "torch.optim.Adamax"}, torch.optim.Adamax, {}),
    (
        {"optimizer": "torch.optim.Adamax", "beta1": 0.8, "eps": 1e-4, "weight_decay": 0.1,
         "momentum": 0.9},
        torch.optim.Adamax,
        {"betas": (0.8, 0.999), "eps": 1e-4, "weight_decay": 0.1},
    ),
    ({"optimizer": "torch.optim.ASGD", "alpha": 0.5, "t0": 4.0}, torch.optim.ASGD,
     {"alpha": 0.5, "t0": 4.0}),
    ({"optimizer": "torch.optim.Rprop"}, torch.optim.Rprop, {}),
    ({"optimizer": "torch.optim.Adafactor"}, torch.optim.Adafactor, {}),
    ({"optimizer": "torch.optim.RMSprop", "centered": True}, torch.optim.RMSprop,
     {"centered": True}),
]  # fmt: skip


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
    # Fused, torch's Adam rounds otherwise in the last place.
    tolerance = 1e-13 if kind in {torch.optim.Adam, torch.optim.AdamW} else 0.0
    torch.testing.assert_close(ours.weight, theirs.weight, rtol=tolerance, atol=tolerance)
    torch.testing.assert_close(ours.bias, theirs.bias, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(("config", "kind", "options"), CASES)
def test_the_named_slots_are_what_the_optimizer_keeps(config, kind, options):
    knobs = read_knobs(config)
    module, optimizer = trained(lambda module: build_optimizer(module, knobs), steps=1)
    kept = optimizer.state[module.weight]
    assert {slot for slot, value in kept.items() if value is not None} == state_slots(knobs)


@pytest.mark.parametrize(("config", "kind", "options"), TORCHS)
def test_any_class_of_torch_takes_from_the_config_what_its_signature_names(config, kind, options):
    knobs = read_knobs(config)
    ours, _ = trained(lambda module: build_optimizer(module, knobs, config=config))
    theirs, _ = trained(lambda module: kind(module.parameters(), lr=1e-3, **options))
    assert torch.equal(ours.weight, theirs.weight)
    assert torch.equal(ours.bias, theirs.bias)


@pytest.mark.parametrize(("config", "kind", "options"), TORCHS)
def test_the_slots_of_any_class_are_found_by_a_step_of_it(config, kind, options):
    knobs = read_knobs(config)
    module, optimizer = trained(lambda module: build_optimizer(module, knobs, config=config))
    before = module.weight.clone()
    found = kept_slots(module, knobs, config=config)
    for name, parameter in module.named_parameters():
        kept = optimizer.state[parameter]
        assert set(found[name]) == {slot for slot, value in kept.items() if value is not None}
    assert torch.equal(module.weight, before)


class Counting(torch.optim.Optimizer):
    """Keeps a Python number and a list."""

    def __init__(self, params, lr, rate=1.0, keeps=None):
        super().__init__(params, {"lr": lr, "rate": rate})
        self.keeps = keeps

    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["count"] = state.get("count", 0) + 1
                if self.keeps is not None:
                    state["odd"] = self.keeps
                with torch.no_grad():
                    p.sub_(p.grad, alpha=group["lr"] * group["rate"] / state["count"])


def test_an_optimizer_of_the_recipe_is_called_with_the_hyperparameters_that_it_names():
    config = {"optimizer": "mine", "lr": 0.1, "rate": 0.5, "weight_decay": 0.3}
    knobs = read_knobs(config, optimizers={"mine"})
    optimizer = build_optimizer(nn.Linear(2, 2), knobs, config=config, own={"mine": Counting})
    group = optimizer.param_groups[0]
    assert (group["lr"], group["rate"]) == (0.1, 0.5)
    assert group["param_names"] == ["weight", "bias"]
    assert kept_slots(nn.Linear(2, 2), knobs, config=config, own={"mine": Counting}) == {
        "weight": {"count": int}, "bias": {"count": int},
    }  # fmt: skip


def test_state_that_cannot_be_stored_is_refused():
    config = {"optimizer": "mine"}
    knobs = read_knobs(config, optimizers={"mine"})
    own = {"mine": partial(Counting, keeps=[1])}
    with pytest.raises(RecipeError, match="'mine' keeps 'odd', a list"):
        kept_slots(nn.Linear(2, 2), knobs, config=config, own=own)


@pytest.mark.parametrize(
    ("name", "problem"),
    [("torch.optim.LBFGS", "needs a closure"), ("torch.optim.SparseAdam", "sparse gradients"),
     ("torch.optim.Adamat", "no optimizer 'torch.optim.Adamat'"),
     ("torch.optim.lr_scheduler", "no optimizer")],
)  # fmt: skip
def test_a_space_names_no_optimizer_that_cannot_be_used(name, problem):
    with pytest.raises(RecipeError, match=problem):
        Recipe(nn.Linear, space=Space(optimizer=Categorical("adam", name)))


def test_a_recipes_own_optimizer_may_stand_in_its_space():
    space = Space(optimizer=Categorical("adam", "mine"))
    assert Recipe(nn.Linear, space=space, optimizers={"mine": Counting}).space == space
    with pytest.raises(RecipeError, match="'optimizer' cannot be 'mine'"):
        Recipe(nn.Linear, space=space)


def test_factors_of_the_learning_rate_make_groups():
    knobs = read_knobs({"optimizer": "sgd", "lr": 0.5})
    scales = {"weight": 0.1}
    module, optimizer = trained(lambda m: build_optimizer(m, knobs, scales=scales), steps=0)
    assert [(g["lr_scale"], g["param_names"]) for g in optimizer.param_groups] == [
        (0.1, ["weight"]), (1.0, ["bias"]),
    ]  # fmt: skip
    before = [p.detach().clone() for p in module.parameters()]
    for group in optimizer.param_groups:
        group["lr"] = 0.5 * group["lr_scale"]
    for parameter in module.parameters():
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    optimizer.zero_grad()
    assert torch.equal(module.weight, before[0] - 0.05)
    assert torch.equal(module.bias, before[1] - 0.5)
    assert module.weight.grad is None


@pytest.mark.parametrize("name", ["sgd", "adam", "rmsprop", "nadam", "lion"])
@pytest.mark.parametrize("decoupled", [False, True])
def test_weight_decay_is_coupled_or_decoupled_for_every_optimizer(name, decoupled):
    config = {"optimizer": name, "lr": 0.01, "weight_decay": 0.1}
    knobs = read_knobs({**config, "decoupled_weight_decay": decoupled})
    plain = read_knobs({**config, "weight_decay": 0.0})
    ours = [nn.Linear(3, 2).double() for _ in range(2)]
    ours[1].load_state_dict(ours[0].state_dict())
    optimizers = build_optimizer(ours[0], knobs), build_optimizer(ours[1], plain)
    for _ in range(5):
        for module, optimizer in zip(ours, optimizers, strict=True):
            optimizer.zero_grad()
            module(torch.ones(1, 3).double()).square().sum().backward()
            if optimizer is optimizers[1]:
                for p in module.parameters():
                    if decoupled:
                        p.data.mul_(1 - 0.01 * 0.1)
                    else:
                        p.grad.add_(p.data, alpha=0.1)
            else:
                decay_weights(optimizer, knobs)
            optimizer.step()
    torch.testing.assert_close(ours[0].weight, ours[1].weight, rtol=1e-12, atol=1e-14)


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
