"""Rows that tune their own hyperparameters: as each alone, and as they should."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from ripieno.errors import HypergradientError, RecipeError
from ripieno.hypergradient import Implicit, RateRule, Tuning, Unrolled, tune_online
from ripieno.ledger import MemoryArtifacts
from ripieno.recipes import Data, State, TrainerRunner, cnn, load, mlp
from ripieno.records import Config, Order

DIGITS = load("digits", seed=0)
SMALL = {"depth": 1, "width": 8, "norm": "none", "residual": False, "batch_size": 64}
STILL = RateRule("additive", 1e-30, cliff=1e30)


def recipe(**options):
    made = replace(mlp(DIGITS), epochs=3, epoch_rows=256, dtype="float64")
    return replace(made, **options)


def config(**values):
    return Config({**SMALL, "optimizer": "adam", "lr": 0.01, "dropout": 0.2, **values})


def numbers(tuned, row):
    """Everything that a row has to show, as one list."""
    last = {name: value[row].flatten() for name, value in tuned.values[-1].items()}
    weights = [value.flatten().double() for value in tuned.states[row].model.values()]
    metrics = [value for epoch in tuned.metrics[row] for value in epoch.values()]
    return torch.cat([*last.values(), *weights, torch.tensor(metrics, dtype=torch.float64)])


@pytest.mark.parametrize("norm", ["none", "batch"])
def test_a_rate_that_never_moves_is_the_trainers(norm):
    configs = [
        config(norm=norm, lr=0.01, weight_decay=1e-3, schedule="cosine"),
        config(norm=norm, lr=0.03, weight_decay=0.0, dropout=0.0, l1=1e-3, gradient_clip=0.5,
               label_smoothing=0.1),
    ]  # fmt: skip
    found = tune_online(recipe(), DIGITS, configs, tuning=Tuning(("lr",), rate=STILL), seed=5)
    store = MemoryArtifacts()
    orders = [Order(i, c, 0, 3) for i, c in enumerate(configs)]
    outcomes = list(TrainerRunner(recipe(), DIGITS, seed=5).run(orders, store, lambda: False))
    for row, outcome in enumerate(outcomes):
        state = State.from_arrays(store.read(outcome.state)[0])
        for name, value in state.model.items():
            torch.testing.assert_close(found.states[row].model[name], value, rtol=1e-9, atol=1e-11)
        for ours, theirs in zip(found.metrics[row], outcome.metrics, strict=True):
            assert ours == pytest.approx({n: theirs[n] for n in ours}, rel=1e-9)


TUNINGS = {
    "rate": Tuning(("lr",)),
    "rate by validation": Tuning(("lr",), rate_by="validation", every=2),
    "conjugate gradient": Tuning(("lr", "weight_decay", "label_smoothing"), every=2,
                                 decay_per="layer"),
    "neumann": Tuning(("weight_decay", "l1", "input_noise"), method=Implicit("neumann", 2),
                      every=2, decay_per="parameter"),
    "classes": Tuning(("class_weights",), method=Implicit("identity"), every=2),
}  # fmt: skip


@pytest.mark.parametrize("name", TUNINGS)
def test_a_row_does_not_depend_on_its_neighbours(name):
    configs = [config(lr=lr, weight_decay=1e-3) for lr in (1e-3, 0.01, 0.1)]
    together = tune_online(recipe(), DIGITS, configs, tuning=TUNINGS[name], seed=1)
    for row, own in enumerate(configs):
        alone = tune_online(recipe(), DIGITS, [own], tuning=TUNINGS[name], seed=1, trials=[row])
        torch.testing.assert_close(numbers(together, row), numbers(alone, 0), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("name", TUNINGS)
def test_every_hyperparameter_that_is_named_moves_and_stays_allowed(name):
    tuning = TUNINGS[name]
    found = tune_online(recipe(), DIGITS, [config(), config(lr=0.03)], tuning=tuning)
    first, last = found.values[0], found.values[-1]
    assert set(last) == set(tuning.names)
    for key, value in last.items():
        assert bool((value > 0).all())
        assert not torch.equal(value, first[key])
    if "weight_decay" in last:
        layers = ("1", "4")
        groups = {
            "layer": layers,
            "parameter": tuple(f"{n}.{kind}" for n in layers for kind in ("weight", "bias")),
        }
        assert found.decay_groups == groups[tuning.decay_per]
        assert last["weight_decay"].shape == (2, len(found.decay_groups))
    if "lr" in last:
        assert [own["lr"] for own in found.configs] == last["lr"].tolist()


def test_a_row_that_diverges_leaves_its_neighbours_alone():
    tuning = Tuning(("weight_decay", "label_smoothing"), every=2)
    configs = [config(), config(lr=1e200), config(lr=0.03)]
    found = tune_online(recipe(), DIGITS, configs, tuning=tuning)
    calm = tune_online(recipe(), DIGITS, [configs[0], configs[2]], tuning=tuning, trials=[0, 2])
    assert len(found.metrics[1]) < 3
    assert found.skipped > calm.skipped == 0
    for row, other in ((0, 0), (2, 1)):
        torch.testing.assert_close(numbers(found, row), numbers(calm, other), rtol=1e-7, atol=1e-9)


@pytest.mark.parametrize("optimizer", ["sgd", "adam"])
def test_the_first_rate_no_longer_decides(optimizer):
    configs = [config(optimizer=optimizer, lr=lr, dropout=0.0, width=32)
               for lr in (1e-5, 1e-3, 1e-1, 1.0)]  # fmt: skip
    long = recipe(epochs=16, epoch_rows=None, dtype="float32")
    ends = {}
    for name, rule in (("tuned", RateRule()), ("fixed", STILL)):
        found = tune_online(long, DIGITS, configs, tuning=Tuning(("lr",), rate=rule))
        ends[name] = [epochs[-1]["train_loss"] for epochs in found.metrics]
    assert np.ptp(ends["tuned"]) < 0.25 * np.ptp(ends["fixed"])
    assert max(ends["tuned"]) < 0.6


def test_convolutions_and_values_are_tuned_too():
    images = replace(cnn(DIGITS), epoch_rows=128)
    own = Config({"filters": 4, "depth": 1, "width": 0, "lr": 0.01, "batch_size": 64})
    tuning = Tuning(("lr", "weight_decay", "label_smoothing"), decay_per="layer", every=1)
    found = tune_online(images, DIGITS, [own, own], tuning=tuning, epochs=2)
    assert len(found.metrics[1]) == 2
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 3)).astype(np.float32)
    values = Data.from_arrays(x, x.sum(1) + rng.normal(size=90), seed=0, task="regression")
    found = tune_online(mlp(values), values, [config()], tuning=Tuning(every=1), epochs=3)
    assert float(found.values[-1]["weight_decay"]) != 1e-4
    assert "rmse" in found.metrics[0][-1]


def test_what_cannot_be_tuned_or_stacked_is_refused():
    with pytest.raises(HypergradientError, match="'dropout' cannot be tuned"):
        Tuning(("dropout",))
    with pytest.raises(HypergradientError, match="tunes nothing"):
        Tuning(("lr",), every=0)
    for configs, words in (
        ([config(), config(batch_size=32)], "rows of one stack"),
        ([config(mixup=0.2)], "has no mixup"),
        ([], "needs configs"),
    ):
        with pytest.raises(RecipeError, match=words):
            tune_online(recipe(), DIGITS, configs)
    with pytest.raises(RecipeError, match="without folds"):
        tune_online(recipe(), load("digits", seed=0, folds=3), [config()])


def test_unrolling_tunes_through_one_step_of_the_same_stack():
    tuning = Tuning(("weight_decay",), method=Unrolled(1, "sgd", {"lr": 0.1}), every=2)
    found = tune_online(recipe(), DIGITS, [config()], tuning=tuning)
    assert float(found.values[-1]["weight_decay"]) != float(found.values[0]["weight_decay"])
