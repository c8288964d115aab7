import copy

import cloudpickle
import numpy as np
import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes import (
    FineTune,
    Recipe,
    State,
    TrainerRunner,
    build_model,
    build_optimizer,
    fine_tune,
    predict_probabilities,
    rate_scales,
    read_knobs,
    take_features,
)
from ripieno.records import Config, Order, OutcomeStatus


def chain():
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Conv2d(4, 5, 3), nn.Dropout(0.5),
        nn.BatchNorm2d(5), nn.ReLU(),
    )  # fmt: skip


class Own(nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(2)
        self.token = nn.Parameter(torch.zeros(64))
        self.first = nn.Sequential(nn.Linear(64, 8), nn.BatchNorm1d(8), nn.ReLU())
        self.second = nn.Linear(8, 6)

    def forward(self, x):
        return self.second(self.first(x.flatten(1) + self.token))


SHAPE = (1, 8, 8)
CHAIN = {"kind": chain, "blocks": ("0", "1", "3", "5")}
OWN = {"kind": Own, "blocks": ("first", "second")}


def run(data, store, recipe, stop=3, trial=0, **config):
    order = Order(trial, Config({"lr": 0.05, "optimizer": "sgd", **config}), 0, stop)
    (outcome,) = TrainerRunner(recipe, data, 5).run([order], store, lambda: False)
    assert outcome.status is OutcomeStatus.DONE, outcome.error
    return outcome


def trained_names(model):
    return {name for name, p in model.named_parameters() if p.requires_grad}


@pytest.mark.parametrize("case", [CHAIN, OWN], ids=["chain", "own"])
def test_the_last_blocks_are_trained_and_nothing_else_of_the_backbone(case):
    factory = FineTune(case["kind"](), 3, SHAPE)
    blocks = case["blocks"]
    assert factory.blocks == blocks
    own = dict(case["kind"]().named_parameters())
    for unfrozen in range(len(blocks) + 1):
        names = trained_names(factory(Config({"unfrozen": unfrozen})))
        wanted = {
            f"body.{name}" for name in own
            if name.split(".")[0] in blocks[len(blocks) - unfrozen :]
            or unfrozen == len(blocks)
        }  # fmt: skip
        assert {name for name in names if name.startswith("body.")} == wanted
        assert {name for name in names if name.startswith("head.")}


@pytest.mark.parametrize("case", [CHAIN, OWN], ids=["chain", "own"])
def test_every_division_computes_what_backbone_and_head_compute(case):
    x = torch.randn(4, *SHAPE)
    backbone = case["kind"]().eval()
    factory = FineTune(backbone, 3, SHAPE)
    for unfrozen in range(len(case["blocks"]) + 1):
        torch.manual_seed(0)
        model = factory(Config({"unfrozen": unfrozen})).eval()
        features = backbone(x)
        torch.testing.assert_close(model(x), model.head(features))


def test_frozen_batch_norm_and_dropout_stay_in_evaluation_mode():
    factory = FineTune(chain(), 3, SHAPE)
    model = factory(Config({"unfrozen": 2})).train()
    # The third convolution trains, and so do the dropout and the norm behind it.
    assert model.body[0].training
    assert model.body.get_submodule("4").training
    assert model.body.get_submodule("5").training
    assert not model.frozen.module.get_submodule("1").training
    own = FineTune(Own(), 3, SHAPE)(Config({"unfrozen": 1})).train()
    assert not own.body.first[1].training
    assert own.body.second.training
    before = copy.deepcopy(own.body.first[1].state_dict())
    own(torch.randn(5, *SHAPE))
    assert all(torch.equal(before[n], v) for n, v in own.body.first[1].state_dict().items())
    assert FineTune(Own(), 3, SHAPE, unfrozen=2)(Config({})).train().body.first[1].training


def test_the_users_backbone_is_left_as_it_was():
    backbone = chain()
    before = copy.deepcopy(backbone.state_dict())
    model = FineTune(backbone, 3, SHAPE, unfrozen=4)(Config({})).train()
    model(torch.randn(4, *SHAPE)).sum().backward()
    assert backbone.training
    assert all(p.requires_grad and p.grad is None for p in backbone.parameters())
    assert all(torch.equal(before[n], v) for n, v in backbone.state_dict().items())


def test_features_are_computed_once_for_all_trials(few_digits, store):
    calls = []

    class Counted(nn.Module):
        def __init__(self):
            super().__init__()
            self.layer = nn.Linear(64, 5)

        def forward(self, x):
            calls.append(len(x))
            return self.layer(x.flatten(1))

    recipe = Recipe(FineTune(Counted(), 10, SHAPE), epochs=3)
    calls.clear()
    runner = TrainerRunner(recipe, few_digits, 5)
    orders = [Order(t, Config({"lr": 0.1 / (t + 1)}), 0, 3) for t in range(3)]
    assert all(o.status is OutcomeStatus.DONE for o in runner.run(orders, store, lambda: False))
    whole = len(few_digits.train) + len(few_digits.validation)
    assert sum(rows for rows in calls if rows > 2) == whole


@pytest.mark.parametrize("unfrozen", [0, 2])
def test_training_on_features_is_training_the_whole_model(few_digits, store, unfrozen, monkeypatch):
    recipe = Recipe(FineTune(chain(), 10, SHAPE), epochs=3, dtype="float64")
    fast = run(few_digits, store, recipe, unfrozen=unfrozen)
    monkeypatch.setattr("ripieno.recipes.backbone._MOST_BYTES", 0)
    slow = run(few_digits, store, recipe, unfrozen=unfrozen)
    left, right = store.read(fast.state)[0], store.read(slow.state)[0]
    for name, array in right.items():
        # The features are float32, computed in other batches.
        np.testing.assert_allclose(left[name], array, rtol=1e-4, atol=1e-5, err_msg=name)


def test_a_state_holds_what_was_trained_and_answers_with_the_backbone(few_digits, store):
    recipe = Recipe(FineTune(chain(), 10, SHAPE), epochs=3)
    outcome = run(few_digits, store, recipe, unfrozen=1)
    arrays = store.read(outcome.state)[0]
    kept = {name for name in arrays if name.startswith("model/")}
    assert not any(name.startswith("model/frozen.") for name in kept)
    assert "model/body.5.running_mean" in kept
    model = build_model(recipe, Config({"unfrozen": 1}), 0)
    State.from_arrays(arrays, epoch=3).load_into(model)
    stored = store.read(outcome.predictions)[0]["probabilities"]
    answer = predict_probabilities(model, few_digits.validation.x)
    np.testing.assert_allclose(answer, stored, rtol=1e-4, atol=1e-6)


def test_a_state_on_another_backbone_is_refused(few_digits, store):
    recipe = Recipe(FineTune(chain(), 10, SHAPE), epochs=3)
    outcome = run(few_digits, store, recipe)
    other = chain()
    with torch.no_grad():
        other[0].weight += 1
    model = build_model(Recipe(FineTune(other, 10, SHAPE)), Config({}), 0)
    with pytest.raises(RecipeError, match="features of another backbone"):
        State.from_arrays(store.read(outcome.state)[0]).load_into(model)


@pytest.mark.parametrize(
    "knob", [{"mixup": 0.4}, {"cutmix": 1.0}, {"input_noise": 0.1}, {"flip": 0.5}]
)
def test_inputs_that_change_from_step_to_step_are_not_replaced_by_features(knob, few_digits, store):
    recipe = Recipe(FineTune(chain(), 10, SHAPE), epochs=3)
    model = build_model(recipe, Config({}), 0)
    arrays = (few_digits.train.x,)
    assert take_features(model, read_knobs(knob), arrays) is None
    assert not model.takes_features
    assert run(few_digits, store, recipe, **knob).metrics[-1]["log_loss"] < 3
    assert take_features(model, read_knobs({}), arrays)[0].shape == (len(few_digits.train), 5, 4, 4)
    assert model.takes_features


def test_the_learning_rate_falls_with_the_distance_from_the_head():
    model = FineTune(chain(), 3, SHAPE)(Config({"unfrozen": 2}))
    knobs = read_knobs({"lr": 0.1, "backbone_lr": 0.5, "layer_decay": 0.8})
    assert rate_scales(model, knobs) == {
        "body.5.weight": 0.5 * 0.8, "body.5.bias": 0.5 * 0.8,
        "body.3.weight": 0.5 * 0.8**2, "body.3.bias": 0.5 * 0.8**2,
    }  # fmt: skip
    optimizer = build_optimizer(model, knobs, scales=rate_scales(model, knobs))
    rates = {n: g["lr_scale"] for g in optimizer.param_groups for n in g["param_names"]}
    assert {rate for name, rate in rates.items() if name.startswith("head")} == {1.0}
    assert rates["body.3.bias"] == 0.5 * 0.8**2
    assert rate_scales(model, read_knobs({})) == {}


def test_what_lies_in_no_block_belongs_to_the_first_one():
    model = FineTune(Own(), 3, SHAPE, unfrozen=2)(Config({}))
    assert model.depths["body.token"] == model.depths["body.first.0.weight"] == 2
    assert model.depths["body.second.weight"] == 1


def test_a_rate_of_the_backbone_without_one_is_refused():
    with pytest.raises(RecipeError, match=r"backbone_lr = 0.5 .* the model has none"):
        rate_scales(nn.Linear(2, 2), read_knobs({"backbone_lr": 0.5}))


@pytest.mark.parametrize("suffix", [".safetensors", ".pt"])
def test_weights_come_from_a_file(tmp_path, suffix):
    wanted = Own()
    with torch.no_grad():
        wanted.token += 1
    path = tmp_path / f"weights{suffix}"
    if suffix == ".pt":
        torch.save(wanted.state_dict(), path)
    else:
        save_file(wanted.state_dict(), path)
    model = FineTune(Own(), 3, SHAPE, weights=path, unfrozen=2)(Config({}))
    assert torch.equal(model.body.token, wanted.token)


def test_a_file_is_never_run(tmp_path):
    class Trap:
        def __reduce__(self):
            return (open, (str(tmp_path / "sprung"), "w"))

    path = tmp_path / "weights.pt"
    torch.save({"layer": Trap()}, path)
    with pytest.raises(RecipeError, match="cannot be read"):
        FineTune(Own(), 3, SHAPE, weights=path)
    assert not (tmp_path / "sprung").exists()


@pytest.mark.parametrize(
    ("content", "problem"),
    [(None, "cannot be read"), ({"epoch": 3}, "holds no state_dict"),
     ({"first.weight": torch.zeros(2)}, "do not fit the backbone")],
)  # fmt: skip
def test_weights_that_cannot_be_used_are_refused(tmp_path, content, problem):
    path = tmp_path / "weights.pt"
    if content is not None:
        torch.save(content, path)
    with pytest.raises(RecipeError, match=problem):
        FineTune(Own(), 3, SHAPE, weights=path)


def test_what_does_not_fit_together_is_refused():
    with pytest.raises(RecipeError, match="no block 'third'"):
        FineTune(Own(), 3, SHAPE, blocks=("first", "third"))
    with pytest.raises(RecipeError, match="the backbone cannot be run"):
        FineTune(Own(), 3, (1, 9, 9))
    with pytest.raises(RecipeError, match="gives tuple"):
        FineTune(nn.GRU(8, 4, batch_first=True), 3, (5, 8))
    with pytest.raises(RecipeError, match="unfrozen = 3 is no number"):
        FineTune(Own(), 3, SHAPE)(Config({"unfrozen": 3}))


def test_a_head_of_ones_own_is_given_the_config_and_the_number_of_features():
    factory = FineTune(Own(), 3, SHAPE, head=lambda config, n: nn.Linear(n, config.wide))
    assert factory(Config({"wide": 7})).head.weight.shape == (7, 6)


def test_it_travels_to_a_worker_with_its_weights_and_without_its_features(few_digits, store):
    recipe = fine_tune(few_digits, chain())
    recipe.model(Config({}))
    fresh = len(cloudpickle.dumps(recipe))
    here = run(few_digits, store, recipe, stop=1)
    assert len(cloudpickle.dumps(recipe)) == fresh
    runner = cloudpickle.loads(cloudpickle.dumps(TrainerRunner(recipe, few_digits, 5)))
    order = Order(0, Config({"lr": 0.05, "optimizer": "sgd"}), 0, 1)
    (there,) = runner.run([order], store, lambda: False)
    assert there.metrics == here.metrics


def test_the_default_of_the_recipe_is_a_head_on_features(few_digits):
    recipe = fine_tune(few_digits, chain())
    default = recipe.space.default()
    assert default["unfrozen"] == 0
    assert "backbone_lr" not in default
    model = recipe.model(default)
    assert model.frozen is not None
    assert model(torch.zeros(2, *SHAPE)).shape == (2, 10)
    rng = np.random.default_rng(0)
    for config in recipe.space.sample(rng, 10):
        knobs = read_knobs(config)
        assert rate_scales(recipe.model(config), knobs) or config["unfrozen"] == 0
