"""The doctor on ten trainings that were broken on purpose, and on three healthy ones."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pytest
import torch
from torch import nn

import ripieno as rp
from ripieno.diagnostics import Diagnosis, diagnose
from ripieno.recipes import Data, Recipe, Split, cnn, mlp


def dense(activation: Callable[[], nn.Module] = nn.ReLU) -> Callable[[rp.Config], nn.Sequential]:
    def model(config: rp.Config) -> nn.Sequential:
        return nn.Sequential(
            nn.Flatten(), nn.Linear(64, 64), activation(), nn.Dropout(config.get("dropout", 0.2)),
            nn.Linear(64, 64), activation(), nn.Dropout(config.get("dropout", 0.2)),
            nn.Linear(64, 10),
        )  # fmt: skip

    return model


def drowned(config: rp.Config) -> nn.Module:
    """Biases so low that no unit of the second hidden layer ever gives anything."""
    module = dense()(config)
    nn.init.constant_(module[4].bias, -20.0)
    return module


def blown_up(config: rp.Config) -> nn.Module:
    """First weights so large that every sigmoid sits at one of its ends."""
    module = dense(nn.Sigmoid)(config)
    with torch.no_grad():
        for layer in (module[1], module[4]):
            layer.weight *= 60.0
    return module


def softmaxed(config: rp.Config) -> nn.Module:
    """Probabilities, out of which cross entropy makes probabilities once more."""
    return nn.Sequential(dense()(config), nn.Softmax(dim=1))


def unscaled(data: Data) -> Data:
    parts = {n: Split(getattr(data, n).x * 1000, getattr(data, n).y) for n in PARTS}
    return replace(data, **parts)


def shuffled(data: Data) -> Data:
    rng = np.random.default_rng(0)
    parts = {n: Split(getattr(data, n).x, rng.permutation(getattr(data, n).y)) for n in PARTS}
    return replace(data, **parts)


def tiny(data: Data) -> Data:
    count = len(data.train) // 100
    return replace(data, train=Split(data.train.x[:count], data.train.y[:count]))


def leaking(data: Data) -> Data:
    """A tenth of the validation rows stand in the training part as well."""
    count = len(data.validation) // 10
    x = np.concatenate([data.train.x, data.validation.x[:count]])
    y = np.concatenate([data.train.y, data.validation.y[:count]])
    return replace(data, train=Split(x, y))


PARTS = ("train", "validation", "test")
PLAIN = dense()


@dataclass(frozen=True, slots=True)
class Broken:
    cause: str
    config: dict
    model: Callable[[rp.Config], nn.Module] = PLAIN
    spoil: Callable[[Data], Data] = lambda data: data


GOOD = {"lr": 2e-3, "optimizer": "adam"}
BROKEN = {
    "learning rate 100 times too high": Broken("learning_rate_too_high", GOOD | {"lr": 0.2}),
    "learning rate 100 times too low": Broken("learning_rate_too_low", GOOD | {"lr": 2e-5}),
    "dead relus": Broken("dead_relus", GOOD, drowned),
    "unscaled inputs": Broken("unscaled_inputs", GOOD, spoil=unscaled),
    "shuffled labels": Broken("labels_without_signal", GOOD, spoil=shuffled),
    "1 % of the data": Broken("too_little_data", GOOD, spoil=tiny),
    "duplicate rows across the split": Broken("leakage", GOOD, spoil=leaking),
    "wrong loss": Broken("wrong_loss", GOOD, softmaxed),
    "too strong dropout": Broken("strong_dropout", GOOD | {"dropout": 0.95}),
    "saturated sigmoids": Broken("saturated_activations", GOOD, blown_up),
}


@pytest.fixture(scope="module")
def digits() -> Data:
    return rp.load_data("digits")


def examined(broken: Broken, data: Data) -> Diagnosis:
    return diagnose(Recipe(broken.model), broken.spoil(data), rp.Config(broken.config))


def changed(recipe: Recipe, **values: object) -> rp.Config:
    return rp.Config({**recipe.space.default(), **values})


@pytest.mark.slow
def test_the_cause_of_ten_broken_trainings_is_named_in_at_least_nine(digits):
    named = {}
    for name, broken in BROKEN.items():
        alarms = examined(broken, digits).alarms
        named[name] = broken.cause in {finding.kind for finding in alarms}
        assert all(f.evidence and f.advice for f in alarms), name
    assert sum(named.values()) >= 9, [name for name, found in named.items() if not found]


@pytest.mark.slow
def test_three_healthy_trainings_raise_no_alarm(digits):
    healthy = {
        "mlp": (mlp(digits), None),
        "cnn with sgd": (
            cnn(digits),
            changed(cnn(digits), optimizer="sgd", lr=0.05, momentum=0.9, dropout=0.4),
        ),
        "tanh": (Recipe(dense(nn.Tanh)), rp.Config(GOOD)),
    }
    for name, (recipe, config) in healthy.items():
        assert diagnose(recipe, digits, config).alarms == (), name
