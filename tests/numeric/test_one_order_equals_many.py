"""Mother test 2: epochs 0→9 equal 0→3→9, state for state and bit for bit."""

import numpy as np
import pytest
import torch
from torch import nn

from ripieno.ledger import FileArtifacts
from ripieno.recipes import Data, Recipe, TrainerRunner, cnn, load
from ripieno.records import Config, Order, OutcomeStatus

EPOCHS = 9

CONFIGS = {
    "adam, cosine, warm-up": {
        "optimizer": "adam",
        "schedule": "cosine",
        "warmup_epochs": 1.5,
        "lr": 0.01,
        "weight_decay": 1e-3,
    },
    "adamw, exponential": {"optimizer": "adamw", "schedule": "exponential", "lr": 0.01},
    "sgd with momentum, polynomial": {
        "optimizer": "sgd",
        "momentum": 0.9,
        "nesterov": True,
        "schedule": "polynomial",
        "schedule_power": 1.5,
        "lr": 0.05,
        "gradient_clip": 1.0,
        "l1": 1e-4,
    },
    "plain sgd, constant": {"optimizer": "sgd", "lr": 0.05, "label_smoothing": 0.1},
    "rmsprop with momentum": {"optimizer": "rmsprop", "momentum": 0.5, "lr": 1e-3},
    "adagrad, restarts": {"optimizer": "adagrad", "lr": 0.05, "schedule": "cosine_restarts"},
    "adadelta, step": {"optimizer": "adadelta", "lr": 1.0, "schedule": "step"},
    "nadam, one cycle": {"optimizer": "nadam", "lr": 0.01, "schedule": "one_cycle"},
    "radam, plateau": {
        "optimizer": "radam", "lr": 0.1, "schedule": "plateau", "schedule_patience": 0,
    },
    "lion, all that is drawn": {
        "optimizer": "lion", "lr": 1e-3, "mixup": 0.4, "cutmix": 1.0, "input_noise": 0.1,
    },
    "muon, max-norm": {"optimizer": "muon", "lr": 0.02, "max_norm": 1.0},
    "best epoch": {"lr": 0.05, "restore": "best"},
    "online, off the cliff": {
        "optimizer": "sgd", "lr": 30.0, "hypergradient": "lr", "schedule": "cosine",
        "warmup_epochs": 0.5,
    },
    "online, additive": {"lr": 0.01, "hypergradient": "lr_additive", "weight_decay": 1e-3},
    "online, one's own": {"optimizer": "mine", "lr": 0.1, "hypergradient": "lr"},
    "adamax": {"optimizer": "torch.optim.Adamax", "lr": 0.01},
    "adafactor": {"optimizer": "torch.optim.Adafactor", "lr": 0.01},
    "one's own": {"optimizer": "mine", "lr": 0.01},
}  # fmt: skip


class Counting(torch.optim.Optimizer):
    """Keeps a Python number."""

    def __init__(self, params, lr):
        super().__init__(params, {"lr": lr})

    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                count = self.state[p]["count"] = self.state[p].get("count", 0) + 1
                with torch.no_grad():
                    p.sub_(p.grad, alpha=group["lr"] / count)


def model(config):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding="same"),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout2d(0.2),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 16),
        nn.BatchNorm1d(16, momentum=None),
        nn.AlphaDropout(0.1),
        nn.Dropout(0.3),
        nn.Linear(16, 10),
    )


@pytest.fixture(scope="module")
def data():
    digits = load("digits").validation
    return Data.from_arrays(digits.x[:150, 0], digits.y[:150], test_share=0, validation_share=0.3)


@pytest.fixture
def train(data, tmp_path):
    """Train in orders that end at the given epochs; return outcomes, states, predictions."""
    artifacts = FileArtifacts(tmp_path)

    def run(config, *ends, recipe=None, trial=3, start=0, state=None):
        recipe = recipe or Recipe(model, epochs=EPOCHS, optimizers={"mine": Counting})
        runner = TrainerRunner(recipe, data, 7)
        outcomes = []
        for end in ends:
            order = Order(trial, config, start, end, state=state)
            (outcome,) = runner.run([order], artifacts, lambda: False)
            assert outcome.status is OutcomeStatus.DONE, outcome.error
            outcomes.append(outcome)
            start, state = end, outcome.state
        rows = [row for outcome in outcomes for row in outcome.metrics]
        arrays = artifacts.read(state)[0] | artifacts.read(outcomes[-1].predictions)[0]
        return rows, arrays, state

    return run


def assert_same(left, right):
    assert left[0] == right[0]
    assert left[1].keys() == right[1].keys()
    for name, array in left[1].items():
        assert array.dtype == right[1][name].dtype, name
        assert array.tobytes() == right[1][name].tobytes(), name


@pytest.mark.parametrize("ends", [(3, 9), (1, 2, 9), tuple(range(1, 10))])
@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_one_order_equals_many(train, config, ends):
    config = Config({"batch_size": 32, **config})
    assert_same(train(config, EPOCHS), train(config, *ends))


def test_one_order_equals_many_in_float64(train):
    recipe = Recipe(model, epochs=EPOCHS, dtype="float64")
    # torch keeps the product of NAdam's momenta in float32, and it must stay in it.
    config = Config(CONFIGS["nadam, one cycle"])
    assert_same(train(config, EPOCHS, recipe=recipe), train(config, 4, EPOCHS, recipe=recipe))
    config = Config(CONFIGS["adam, cosine, warm-up"])
    whole = train(config, EPOCHS, recipe=recipe)
    assert whole[1]["model/0.weight"].dtype == np.float64
    assert_same(whole, train(config, 4, EPOCHS, recipe=recipe))


def test_one_order_equals_many_for_random_configs_of_the_built_in_recipe(train, data):
    recipe = cnn(data)
    for config in recipe.space.sample(np.random.default_rng(0), 4):
        assert_same(train(config, 4, recipe=recipe), train(config, 1, 4, recipe=recipe))


def test_a_fork_that_changes_nothing_but_the_trial_goes_on_from_its_parents_state(train):
    config = Config(CONFIGS["adam, cosine, warm-up"])
    parent = train(config, 4)
    whole = train(config, EPOCHS, start=4, state=parent[2])
    assert_same(whole, train(config, EPOCHS, start=4, state=parent[2]))
    fork = train(config, EPOCHS, trial=8, start=4, state=parent[2])
    assert_same(fork, train(config, 6, EPOCHS, trial=8, start=4, state=parent[2]))
    # Its draws are its own: the same start, another order of the data and other masks.
    assert fork[1]["model/0.weight"].tobytes() != whole[1]["model/0.weight"].tobytes()
    assert [row["learning_rate"] for row in fork[0]] == [row["learning_rate"] for row in whole[0]]


def test_a_fork_may_change_its_hyperparameters_and_its_optimizer(train):
    parent = train(Config(CONFIGS["adam, cosine, warm-up"]), 4)
    for config in CONFIGS.values():
        child = Config({**config, "lr": 0.02})
        fork = train(child, EPOCHS, trial=8, start=4, state=parent[2])
        assert_same(fork, train(child, 5, EPOCHS, trial=8, start=4, state=parent[2]))
