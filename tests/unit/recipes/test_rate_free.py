"""Optimizers without a schedule or a learning rate equal their packages, and can be stored."""

import sys

import numpy as np
import pytest
import torch
from torch import nn

import ripieno as rp
from ripieno.errors import RecipeError
from ripieno.ledger import MemoryArtifacts
from ripieno.population import PopulationRunner
from ripieno.recipes import Data, Recipe, State, TrainerRunner, build_optimizer, find_optimizer
from ripieno.records import Order, OutcomeStatus

CASES = {
    "adamw_schedule_free": {"lr": 0.05, "beta1": 0.8, "warmup_steps": 3, "weight_decay": 0.01},
    "prodigy": {"lr": 1.0, "d_coef": 2.0, "weight_decay": 0.01},
}


@pytest.fixture(autouse=True)
def _packages():
    pytest.importorskip("schedulefree", reason="the package schedulefree is not installed")
    pytest.importorskip("prodigyopt", reason="the package prodigyopt is not installed")


def model(config=None):
    torch.manual_seed(3)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 3))


def numbers():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    return x, (x @ rng.normal(size=(4, 3))).argmax(1)


def packaged(name, parameters):
    import prodigyopt
    import schedulefree

    own = dict(CASES[name])
    betas = (own.pop("beta1", 0.9), 0.999)
    kind = {"adamw_schedule_free": schedulefree.AdamWScheduleFree, "prodigy": prodigyopt.Prodigy}
    return kind[name](parameters, betas=betas, **own)


@pytest.mark.parametrize("name", CASES)
def test_twenty_steps_equal_the_package(name):
    config = {"optimizer": name, **CASES[name]}
    mine, theirs = model().double(), model().double()
    ours = build_optimizer(mine, rp.recipes.read_knobs(config), config=config)
    other = packaged(name, theirs.parameters())
    x, y = (torch.from_numpy(each) for each in numbers())
    for optimizer in (ours, other):
        if hasattr(optimizer, "train"):
            optimizer.train()
    for _ in range(20):
        for module, optimizer in ((mine, ours), (theirs, other)):
            optimizer.zero_grad()
            nn.functional.cross_entropy(module(x.double()), y).backward()
            optimizer.step()
    for one, same in zip(mine.parameters(), theirs.parameters(), strict=True):
        torch.testing.assert_close(one, same, rtol=1e-12, atol=1e-13)


@pytest.mark.parametrize("name", CASES)
def test_a_trial_that_goes_on_ends_as_one_that_was_never_interrupted(name):
    data = Data.from_arrays(*numbers(), seed=0)
    recipe = Recipe(model=model, epochs=4)
    config = rp.Config({"optimizer": name, "batch_size": 16, **CASES[name]})
    store = MemoryArtifacts()

    def run(begin, end, state=None):
        order = Order(0, config, begin, end, state=state)
        (outcome,) = TrainerRunner(recipe, data, 1).run([order], store, lambda: False)
        assert outcome.status is OutcomeStatus.DONE
        return outcome

    whole, first = run(0, 4), run(0, 2)
    parts = run(2, 4, first.state)
    assert dict(parts.metrics[-1]) == dict(whole.metrics[-1])
    one, same = (State.from_arrays(store.read(o.state)[0]) for o in (whole, parts))
    for entry, value in one.model.items():
        assert torch.equal(value, same.model[entry])
    for parameter, slots in one.optimizer.items():
        for slot, value in slots.items():
            assert torch.equal(value, same.optimizer[parameter][slot]), (parameter, slot)


def test_what_is_measured_and_stored_are_the_averaged_weights():
    data = Data.from_arrays(*numbers(), seed=0)
    config = rp.Config({"optimizer": "adamw_schedule_free", "batch_size": 16, "lr": 0.05})
    store = MemoryArtifacts()
    runner = TrainerRunner(Recipe(model=model, epochs=3), data, 1)
    (outcome,) = runner.run([Order(0, config, 0, 3)], store, lambda: False)
    module = model()
    state = State.from_arrays(store.read(outcome.state)[0])
    state.load_into(module)
    x, y = torch.from_numpy(data.validation.x), torch.from_numpy(data.validation.y)
    loss = float(nn.functional.cross_entropy(module(x), y).detach())
    assert loss == pytest.approx(outcome.metrics[-1]["log_loss"], rel=1e-4)
    trained = torch.lerp(state.model["0.weight"], state.optimizer["0.weight"]["z"], 0.1)
    assert not torch.allclose(trained, state.model["0.weight"])


def test_a_population_trains_them_one_by_one_and_says_why():
    data = Data.from_arrays(*numbers(), seed=0)
    orders = [
        Order(n, rp.Config({"optimizer": "prodigy", "lr": 1.0, "batch_size": 16}), 0, 1)
        for n in range(2)
    ]
    runner = PopulationRunner(Recipe(model=model, epochs=1), data, 0)
    found = list(runner.run(orders, MemoryArtifacts(), lambda: False))
    assert [o.status for o in found] == [OutcomeStatus.DONE] * 2
    assert all("'prodigy' has no stacked form" in o.notes for o in found)


def test_a_package_that_is_missing_is_named_with_the_way_to_get_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "prodigyopt", None)
    with pytest.raises(RecipeError, match="'prodigyopt', which is not installed") as caught:
        find_optimizer("prodigy", {})
    assert "ripieno[rate-free]" in str(caught.value)
