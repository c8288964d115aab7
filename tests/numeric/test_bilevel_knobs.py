"""What tunes itself in trials beside single numbers of a table: weights, groups, images, pairs."""

import gc
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from knob_cases import CASES, EPOCHS, alike, case, mlp, table, train
from ripieno.errors import RecipeError
from ripieno.hypergradient import KnobTuner, Tuning, Unrolled, tune_online
from ripieno.ledger import MemoryArtifacts
from ripieno.population import PopulationRunner
from ripieno.population.changes import Drawn
from ripieno.recipes import Data, Recipe, State, TrainerRunner, draws, read_knobs
from ripieno.records import Config, Order, OutcomeStatus, tuned_of, tuned_spans


class Differences(KnobTuner):
    """Takes a step of SGD, and compares every slope with differences of the losses after it."""

    def slopes(self, train_loss, validation_loss, *, params, moved):
        method = Unrolled(1, "sgd", {"lr": self.rate})
        found, useless = KnobTuner(method).slopes(
            train_loss, validation_loss, params=params, moved=moved
        )

        def after(hyper):
            own = {name: p.clone().requires_grad_() for name, p in params.items()}
            slopes = torch.autograd.grad(train_loss(own, hyper).sum(), list(own.values()))
            pairs = zip(own.items(), slopes, strict=True)
            stepped = {name: p.detach() - self.rate * slope for (name, p), slope in pairs}
            return validation_loss(stepped, hyper).detach()

        for name, value in moved.items():
            for place in range(value[0].numel()):
                move = torch.zeros_like(value)
                move.reshape(len(value), -1)[:, place] = 1e-5
                ends = [after({**moved, name: value + sign * move}) for sign in (1, -1)]
                wanted = (ends[0] - ends[1]) / 2e-5
                slope = found[name].reshape(len(value), -1)[:, place]
                torch.testing.assert_close(slope, wanted, rtol=1e-5, atol=1e-9)
                self.seen.setdefault(name, []).append(float(slope.abs().max()))
        return found, useless

    def __init__(self):
        super().__init__()
        for name, value in {"rate": 0.5, "seen": {}}.items():
            object.__setattr__(self, name, value)


@pytest.mark.parametrize("name", CASES)
def test_slopes_through_a_step_are_differences_of_the_losses_of_the_engine(name):
    recipe, data, config = case(name)
    tuner = Differences()
    runner = PopulationRunner(recipe, data, 3, tuner=tuner)
    train(runner, [config, Config({**config, "lr": 0.02})], 2)
    assert set(tuner.seen) == set(config["hypergradient"].split("+"))
    assert all(max(slopes) > 1e-8 for slopes in tuner.seen.values())


@pytest.mark.parametrize("name", CASES)
def test_a_trial_is_tuned_as_a_run_of_its_own(name):
    """``tune_online`` has the penalties in its loss, and torch's Adam for the knobs."""
    recipe, data, config = case(name)
    configs = [Config({**config, "lr": lr}) for lr in (0.003, 0.03)]
    found = train(PopulationRunner(recipe, data, 3, tuner=KnobTuner()), configs, EPOCHS)
    names = tuple(name.partition("_per_")[0] for name in config["hypergradient"].split("+"))
    per = config["hypergradient"].partition("_per_")[2].partition("+")[0] or "model"
    plain = [Config({**own, "hypergradient": "off"}) for own in configs]
    tuning = Tuning(names, every=5, decay_per=per)
    wanted = tune_online(recipe, data, plain, tuning=tuning, seed=3)
    for row, (metrics, arrays) in enumerate(found):
        for epoch, values in zip(metrics, wanted.values, strict=True):
            own = sorted(tuned_of(epoch).values())
            flat = torch.cat([values[name][row].flatten() for name in names])
            assert own == pytest.approx(sorted(flat.tolist()), rel=1e-6)
        state = State.from_arrays(arrays)
        for name_, value in wanted.states[row].model.items():
            torch.testing.assert_close(state.model[name_], value, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("tier", ["traced", "leaves", "vmap"])
@pytest.mark.parametrize(
    ("name", "more"),
    [("class weights", "mixup+weight_decay_per_layer+lr"), ("images", "mixup+class_weights")],
)
def test_orders_end_and_go_on_and_rows_are_alone_in_every_tier(name, more, tier):
    recipe, data, config = case(name)
    names = f"{config['hypergradient']}+{more}"
    configs = [Config({**config, "lr": lr, "hypergradient": names}) for lr in (0.003, 0.03)]
    runner = PopulationRunner(recipe, data, 3, tier=tier, tuner=KnobTuner())
    whole = train(runner, configs, EPOCHS)
    parts = train(runner, configs, 1, 3, EPOCHS)
    for found, others in zip(whole, parts, strict=True):
        alike(found, others)
    alone = train(runner, configs[1:], EPOCHS, trials=[1])
    assert alone[0][0][-1] == pytest.approx(dict(whole[1][0][-1]), rel=1e-7)
    first, last = tuned_of(whole[0][0][0]), tuned_of(whole[0][0][-1])
    assert all(first[knob] != last[knob] for knob in last)
    assert set(tuned_spans(whole[0][0][-1])) == set(names.split("+"))


class Still(KnobTuner):
    """Moves nothing."""

    def slopes(self, train_loss, validation_loss, *, params, moved):
        found, useless = super().slopes(train_loss, validation_loss, params=params, moved=moved)
        return found, torch.ones_like(useless)


@pytest.mark.parametrize("per", ["layer", "parameter"])
@pytest.mark.parametrize("optimizer", ["adam", "sgd", "rmsprop"])
def test_decays_of_groups_that_are_alike_are_the_decay_of_torch(optimizer, per):
    data, recipe = table(), Recipe(mlp(2), epochs=EPOCHS, dtype="float64")
    own = {"optimizer": optimizer, "lr": 0.01, "batch_size": 16, "weight_decay": 0.3,
           "gradient_clip": 0.5}  # fmt: skip
    tuned = Config({**own, "hypergradient": f"weight_decay_per_{per}"})
    ((rows, arrays),) = train(PopulationRunner(recipe, data, 3, tuner=Still()), [tuned], EPOCHS)
    ((others, theirs),) = train(TrainerRunner(recipe, data, 3), [Config(own)], EPOCHS)
    assert set(tuned_of(rows[-1]).values()) == {0.3}
    assert rows[-1]["log_loss"] == pytest.approx(others[-1]["log_loss"], rel=1e-9)
    for name in (name for name in theirs if name.startswith("model/")):
        np.testing.assert_allclose(arrays[name], theirs[name], rtol=1e-9, atol=1e-11)


def test_what_is_several_numbers_is_named_by_class_and_layer_and_told_in_short():
    recipe, data, config = case("class weights")
    names = Config({**config, "hypergradient": "class_weights+weight_decay_per_layer"})
    ((rows, arrays),) = train(PopulationRunner(recipe, data, tuner=KnobTuner()), [names], 3)
    assert set(tuned_of(rows[-1])) == {
        "class_weights[rare]", "class_weights[usual]",
        "weight_decay_per_layer[0]", "weight_decay_per_layer[3]",
    }  # fmt: skip
    weights = [rows[-1][f"tuned_class_weights[{label}]"] for label in ("rare", "usual")]
    said = "..".join(f"{weight:.3g}" for weight in sorted(weights))
    assert tuned_spans(rows[-1])["class_weights"] == said
    moved = arrays["optimizer/0.weight/tuned_class_weights"]
    np.testing.assert_allclose(np.exp(moved), weights, rtol=1e-12)
    assert tuned_spans({"tuned_lr": 0.012345, "loss": 1.0}) == {"lr": "0.0123"}


def test_weights_of_classes_begin_where_the_config_has_them():
    recipe, data, config = case("class weights")
    balanced = Config({**config, "class_weights": "balanced"})
    ((rows, _),) = train(PopulationRunner(recipe, data, tuner=KnobTuner()), [balanced], 1)
    shares = [np.mean(data.train.y == code) for code in (0, 1)]
    wanted = [1 / (2 * share) for share in shares]
    assert list(tuned_of(rows[0]).values()) == pytest.approx(wanted)


def test_the_weight_of_a_class_that_is_seen_too_seldom_in_training_grows():
    """Training knows few of a class that validation is full of: its weight has to grow."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 6)).astype(np.float32)
    y = (x[:, 0] + 0.7 * rng.normal(size=400) > 0).astype(int)
    trained = np.concatenate([np.flatnonzero(y[:200] == 0), np.flatnonzero(y[:200] == 1)[:20]])
    data = Data.from_arrays(
        x[trained], y[trained], x_validation=x[200:], y_validation=y[200:], seed=0, test_share=0
    )
    own = {"optimizer": "adam", "lr": 0.02, "batch_size": 16, "hypergradient": "class_weights"}
    recipe = Recipe(lambda _: nn.Linear(6, 2), epochs=20)
    runner = PopulationRunner(recipe, data, tuner=KnobTuner())
    plain = Config({**own, "hypergradient": "off"})
    ((rows, _),) = train(runner, [Config(own)], 20)
    ((others, _),) = train(runner, [plain], 20)
    weights = tuned_of(rows[-1])
    assert weights["class_weights[1]"] > 2 * weights["class_weights[0]"]
    assert rows[-1]["log_loss"] < others[-1]["log_loss"]


def test_the_loss_of_mixed_pairs_slopes_as_differences_of_plans():
    """A linear model on mixed pairs: autograd by ``mixup`` against plans drawn beside it."""
    from ripieno.population.altering import alter_inputs, alter_losses
    from ripieno.population.epoch import growths, planned
    from ripieno.recipes import smooth_cross_entropy as cross_entropy

    rng = torch.Generator().manual_seed(0)
    x = torch.randn(2, 9, 4, generator=rng, dtype=torch.float64)
    y = torch.randint(3, (2, 9), generator=rng)
    w = torch.randn(2, 4, 3, generator=rng, dtype=torch.float64)
    uses, keys = frozenset({"mixup"}), draws.step_keys(5, 0, 2)
    knobs = read_knobs({"mixup": 0.3})

    class Row:
        epoch, judging = 0, None

        def __init__(self, seed):
            self.seed, self.knobs = seed, knobs

    rows, alphas = [Row(1), Row(2)], torch.tensor([0.3, 1.7], dtype=torch.float64)
    options = {"shape": (4,), "device": torch.device("cpu")}

    def plan(mixup):
        found = planned(rows, 3, **options, mixup=mixup)
        return {name: numbers[:, 1] for name, numbers in found.items()}

    def loss(batch):
        batch = {"y": y, "keys": keys, **batch}
        inputs = alter_inputs({}, batch, uses)
        losses, _ = alter_losses(lambda t: cross_entropy(inputs @ w, t), batch, uses)
        return losses.sum(-1)

    growth = growths(rows, 3, shape=(4,), mixup=alphas)[:, 1]
    drawn = Drawn(x, None, {}, growth)
    free = alphas.clone().requires_grad_()
    value = loss(drawn.under({"mixup": free}, plan(alphas)))
    (slope,) = torch.autograd.grad(value.sum(), free)
    torch.testing.assert_close(value.detach(), loss({"x": x, **plan(alphas)}))
    near = 1e-6
    ends = [loss({"x": x, **plan(alphas + sign * near)}) for sign in (1, -1)]
    torch.testing.assert_close(slope, (ends[0] - ends[1]) / (2 * near), rtol=1e-5, atol=1e-7)
    assert bool((slope.abs() > 1e-3).all())


def refused(recipe, data, config):
    runner = PopulationRunner(recipe, data, tuner=KnobTuner())
    (outcome,) = runner.run([Order(0, config, 0, 2)], MemoryArtifacts(), lambda: False)
    assert outcome.status is OutcomeStatus.FAILED
    return outcome.error


def test_what_does_not_fit_says_why_and_what_does():
    recipe, data, config = case("delta of huber")
    said = refused(recipe, data, Config({**config, "hypergradient": "class_weights"}))
    assert "the loss 'huber' does not read 'class_weights'" in said
    assert "cross_entropy, focal" in said
    recipe, data, config = case("class weights of focal")
    said = refused(recipe, data, Config({**config, "hypergradient": "pos_weight"}))
    assert "it is for a multilabel, and this is a classification" in said
    decoupled = Config({**config, "hypergradient": "weight_decay_per_layer", "optimizer": "adamw"})
    assert "the weight decay of 'adamw' is no part of the loss" in refused(recipe, data, decoupled)
    turned = Config({**config, "hypergradient": "rotation"})
    assert "'rotation' changes images" in refused(recipe, data, turned)


@pytest.mark.parametrize(
    ("names", "why"),
    [
        ("weight_decay+lr+weight_decay_per_layer", "weight_decay and weight_decay_per_layer tune"),
        ("lr+crop_padding", "crop_padding counts whole pixels, which has no gradient"),
        ("cutmix", "cutmix pastes whole pixels"),
        ("dropout", "dropout drops a unit or not"),
        ("quantile_level", "quantile_level says what is predicted"),
    ],
)
def test_what_no_gradient_tunes_is_refused_before_anything_is_trained(names, why):
    with pytest.raises(RecipeError, match=f"'hypergradient' cannot be .*: {why}") as caught:
        read_knobs({"hypergradient": names})
    assert "'rotation', 'color_jitter', 'weight_decay_per_layer'" in caught.value.fix


def test_what_is_held_does_not_grow_with_the_epochs():
    recipe, data, config = case("class weights")
    names = "class_weights+weight_decay_per_parameter+mixup+lr"
    own = Config({**config, "hypergradient": names, "batch_size": 4})
    counts, seen = [], []

    class Counting(KnobTuner):
        def slopes(self, train_loss, validation_loss, *, params, moved):
            seen.append(None)
            if len(seen) % 25 == 0:
                gc.collect()
                held = (type(each) for each in gc.get_objects())
                counts.append(sum(issubclass(each, torch.Tensor) for each in held))
            return super().slopes(train_loss, validation_loss, params=params, moved=moved)

    epochs = 30
    runner = PopulationRunner(replace(recipe, epochs=epochs), data, tuner=Counting(),
                              measures=False)  # fmt: skip
    train(runner, [own], epochs)
    assert len(seen) == 4 * (epochs - 1)
    assert len(counts) == 4
    assert len(set(counts[1:])) == 1
