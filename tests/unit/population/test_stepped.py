import numpy as np
import pytest
import torch
from torch import nn

import ripieno as rp
from ripieno.errors import RecipeError
from ripieno.ledger import MemoryArtifacts
from ripieno.population import Hooks, SteppedStack
from ripieno.recipes import Data, Recipe, State, TrainerRunner
from ripieno.records import Order


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    return Data.from_arrays(x, (x[:, 0] > 0).astype(int), seed=0)


class Recurrent(nn.Module):
    """A model that no stack can run."""

    def __init__(self):
        super().__init__()
        self.cell = nn.GRU(1, 3, batch_first=True)
        self.head = nn.Linear(3, 2)

    def forward(self, x):
        return self.head(self.cell(x.unsqueeze(2))[0][:, -1])


class Sorted(nn.Module):
    """A model that is computed under vmap."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(x.sort(dim=1).values)


MODELS = {
    "dense": lambda config: nn.Sequential(
        nn.Linear(4, 6, bias=False), nn.BatchNorm1d(6), nn.ReLU(),
        nn.Dropout(config.get("dropout", 0.0)), nn.Linear(6, 2),
    ),
    "sorted": lambda config: Sorted(),
    "recurrent": lambda config: Recurrent(),
}  # fmt: skip
CONFIGS = [
    rp.Config(
        {"lr": 0.02, "dropout": 0.3, "schedule": "cosine", "l1": 1e-3, "label_smoothing": 0.1}
    ),
    rp.Config({"lr": 0.05, "dropout": 0.1, "schedule": "cosine"}),
]


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("sampled", [False, True])
def test_plain_training_equals_the_trainer(data, name, sampled):
    recipe = Recipe(model=MODELS[name], epochs=3, dtype="float64")
    rows = torch.arange(60).view(2, 30) % len(data.train)
    samples = {0: rows[0], 1: rows[1]} if sampled else {}
    store = MemoryArtifacts()
    orders = [Order(n, config, 0, 3) for n, config in enumerate(CONFIGS)]
    runner = TrainerRunner(recipe, data, 5, samples=samples)
    wanted = [
        State.from_arrays(store.read(o.state)[0]).model
        for o in runner.run(orders, store, lambda: False)
    ]
    first = SteppedStack(recipe, data, CONFIGS, seed=5)
    first.train(2, samples=rows if sampled else None)
    states = [first.state(member, epoch=2) for member in range(2)]
    stack = SteppedStack(recipe, data, CONFIGS, seed=5, states=states)
    stack.train(1, begin=2, samples=rows if sampled else None)
    for member, state in enumerate(wanted):
        found = stack.state(member).model
        for key, tensor in state.items():
            torch.testing.assert_close(found[key], tensor, rtol=0, atol=1e-10)
    x = torch.from_numpy(data.test.x)
    module = MODELS[name](CONFIGS[1]).double()
    module.load_state_dict(dict(wanted[1]))
    torch.testing.assert_close(stack.outputs(x)[1], module.eval()(x.double()))


@pytest.mark.parametrize("name", MODELS)
def test_what_was_recorded_of_a_stack_serves_an_equal_one(data, name):
    recipe = Recipe(MODELS[name], epochs=12, dtype="float64")

    def trained(seed, like=None):
        stack = SteppedStack(recipe, data, CONFIGS, seed=seed, like=like)
        stack.train(12, Hooks(objective=objective, steady=True))
        return stack

    def objective(outputs, turn):
        calls.append(turn)
        return (outputs - turn.batch["y"].unsqueeze(-1)).square().mean((1, 2))

    calls = []
    first = trained(0)
    recorded = len(calls)
    second = trained(1, like=first)
    again = len(calls) - recorded
    assert again == (recorded if name == "recurrent" else 0)
    own = trained(1)
    for key, tensor in own.state(1).model.items():
        torch.testing.assert_close(second.state(1).model[key], tensor, rtol=0, atol=1e-10)
        assert (
            name == "recurrent"
            or key.endswith("tracked")
            or (not torch.equal(first.state(1).model[key], tensor))
        )


def test_recordings_of_other_configs_do_not_serve(data):
    recipe = Recipe(MODELS["dense"], epochs=2)
    first = SteppedStack(recipe, data, CONFIGS)
    assert SteppedStack(recipe, data, CONFIGS[:1], like=first).ways is not first.ways
    assert SteppedStack(recipe, data, CONFIGS[::-1], like=first).ways is not first.ways
    assert SteppedStack(recipe, data, CONFIGS, seed=1, like=first).ways is first.ways


def test_weights_of_examples_weigh_their_losses(data):
    stack = SteppedStack(Recipe(model=MODELS["dense"], epochs=1), data, CONFIGS[1:])
    seen = []

    def objective(outputs, turn):
        weights = torch.zeros(outputs.shape[:2])
        weights[:, 0] = 3.0
        seen.append((stack.losses(outputs, turn, weights), outputs.detach(), turn))
        return seen[-1][0]

    stack.train(1, Hooks(objective=objective))
    found, outputs, turn = seen[0]
    wanted = nn.functional.cross_entropy(outputs[0, :1], turn.batch["y"][0, :1])
    torch.testing.assert_close(found.detach()[0], wanted)


def test_gradients_in_the_inputs_are_those_of_each_members_own_loss(data):
    recipe = Recipe(model=lambda config: nn.Linear(4, 2), epochs=1, dtype="float64")
    stack = SteppedStack(recipe, data, [rp.Config({"lr": 1e-9})] * 2)
    turn = []
    stack.train(1, Hooks(change=lambda t: turn.append(t) or t))
    found = stack.input_gradients(turn[0])
    module = nn.Linear(4, 2).double()
    module.load_state_dict(dict(stack.state(1).model))
    x = turn[0].batch["x"][1].clone().requires_grad_()
    nn.functional.cross_entropy(module(x), turn[0].batch["y"][1]).backward()
    torch.testing.assert_close(found[1], x.grad, rtol=1e-6, atol=1e-8)


def test_a_member_that_diverges_is_frozen_and_its_neighbour_goes_on(data):
    recipe = Recipe(model=MODELS["sorted"], epochs=2)
    configs = [
        rp.Config({"lr": lr, "optimizer": "sgd", "loss": "cross_entropy"}) for lr in (1e38, 0.1)
    ]
    stack = SteppedStack(recipe, data, configs)
    stack.train(2)
    assert stack.alive.tolist() == [False, True]
    assert all(torch.isfinite(t).all() for t in stack.state(1).model.values())


def test_members_that_are_no_rows_of_one_stack_are_refused(data):
    recipe = Recipe(model=MODELS["dense"])
    with pytest.raises(RecipeError, match="one optimizer, batch size and loss"):
        SteppedStack(recipe, data, [CONFIGS[0], rp.Config({"optimizer": "sgd"})])
    with pytest.raises(RecipeError, match="has no mixup"):
        SteppedStack(recipe, data, [rp.Config({"mixup": 0.2})])
