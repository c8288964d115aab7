"""Two processes that train a model together = one process at the same batch, in float64."""

import numpy as np
import pytest
import torch
from torch import nn

from ripieno.executors import TogetherRunner
from ripieno.ledger import FileArtifacts
from ripieno.recipes import Data, Recipe, TrainerRunner, load
from ripieno.records import Config, Order, OutcomeStatus

EPOCHS = 4


class Stacked(nn.Module):
    """An MLP with a layer that is not used, and a dropout of pieces of rows."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(64, 24), nn.Linear(24, 10)
        self.unused = nn.Linear(3, 2)

    def forward(self, x):
        hidden = nn.functional.dropout(torch.tanh(self.first(x.flatten(1))), 0.3, self.training)
        # Four pieces of each row in the place of four rows: still rows of the batch.
        pieces = nn.functional.dropout(hidden.reshape(-1, 6), 0.2, self.training)
        return self.last(pieces.reshape(-1, 24))


def model(config):
    if config["net"] == "mlp":
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 24), nn.Tanh(), nn.Linear(24, 10))
    if config["net"] == "unused":
        return Stacked()
    if config["net"] == "checkpointed":
        return Checkpointed()
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding="same"),
        nn.BatchNorm2d(4),
        nn.ReLU(),
        nn.Dropout2d(0.2),
        nn.MaxPool2d(2),
        nn.Flatten(),
        nn.Linear(64, 16),
        nn.BatchNorm1d(16, momentum=None, affine=False),
        nn.Dropout(0.3),
        nn.Linear(16, 10),
    )


class Checkpointed(nn.Module):
    """A region whose forward pass runs again in the backward pass."""

    def __init__(self):
        super().__init__()
        self.block = nn.Sequential(nn.Linear(64, 24), nn.BatchNorm1d(24), nn.ReLU())
        self.drop, self.last = nn.Dropout(0.3), nn.Linear(24, 10)

    def forward(self, x):
        def block(x):
            return self.drop(self.block(x))

        x = x.flatten(1)
        return self.last(torch.utils.checkpoint.checkpoint(block, x, use_reentrant=False))


# The gradient of a bias in front of a batch norm is zero but for rounding, and Adam divides it
# by its own size: only an eps above that rounding leaves numbers that can be compared.
_EPS = 1e-3

CONFIGS = {
    "mlp, momentum": {"net": "mlp", "optimizer": "sgd", "momentum": 0.9, "lr": 0.05},
    "mlp, adam, weighted": {
        "net": "mlp", "optimizer": "adam", "class_weights": "balanced", "label_smoothing": 0.1,
        "weight_decay": 0.01, "gradient_clip": 0.5, "l1": 1e-3, "schedule": "cosine",
    },
    "mlp, a last batch of one row": {"net": "mlp", "optimizer": "adam", "batch_size": 26},
    "mlp, focal, best epoch": {
        "net": "mlp", "loss": "focal", "restore": "best", "max_norm": 1.0,
        "gradient_clip_value": 0.01, "optimizer": "sgd", "lr": 0.1,
    },
    "unused parameters, penalised, dropout of pieces": {"net": "unused", "l1": 1e-3, "lr": 0.01},
    "cnn, online, off the cliff": {
        "net": "cnn", "optimizer": "sgd", "lr": 20.0, "hypergradient": "lr",
    },
    "checkpointed": {"net": "checkpointed", "optimizer": "adam", "lr": 0.01, "eps": _EPS},
    "cnn, batch norm, adam": {"net": "cnn", "optimizer": "adam", "lr": 0.01, "eps": _EPS},
    "cnn, batch norm, momentum, all that is drawn": {
        "net": "cnn", "optimizer": "sgd", "momentum": 0.9, "lr": 0.05, "mixup": 0.4, "cutmix": 1.0,
        "input_noise": 0.1, "flip": 0.5, "crop_padding": 1, "cutout": 0.3, "rotation": 10.0,
    },
}  # fmt: skip


@pytest.fixture(scope="module")
def data():
    digits = load("digits").validation
    return Data.from_arrays(digits.x[:150, 0], digits.y[:150], test_share=0, validation_share=0.3)


@pytest.fixture(scope="module")
def one(data):
    return TrainerRunner(Recipe(model, epochs=EPOCHS, dtype="float64"), data, 7)


@pytest.fixture(scope="module")
def two(one):
    return TogetherRunner(one, 2)


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return FileArtifacts(tmp_path_factory.mktemp("states"))


def train(runner, store, config, *, start=0, stop=2, state=None):
    made = Config({"batch_size": 32, **config})
    order = Order(3, made, start, stop, state=state)
    (outcome,) = runner.run([order], store, lambda: False)
    assert outcome.status is OutcomeStatus.DONE, outcome.error
    return outcome


def arrays_of(outcome, store):
    return store.read(outcome.state)[0] | store.read(outcome.predictions)[0]


def assert_close(left, right, store, rtol=1e-10):
    for mine, other in zip(left.metrics, right.metrics, strict=True):
        assert mine.keys() == other.keys()
        for name in mine:
            assert mine[name] == pytest.approx(other[name], rel=rtol), name
    first, second = arrays_of(left, store), arrays_of(right, store)
    assert first.keys() == second.keys()
    for name, array in first.items():
        rounding = 1e-6 if array.dtype == np.float32 else rtol  # predictions
        np.testing.assert_allclose(
            array, second[name], rtol=rounding, atol=rounding * 1e-2, err_msg=name
        )


@pytest.mark.parametrize("config", CONFIGS.values(), ids=CONFIGS)
def test_two_processes_train_what_one_does(one, two, store, config):
    assert_close(train(one, store, config), train(two, store, config), store)


def test_the_last_batch_is_as_uneven_as_it_was_meant_to_be(data):
    assert len(data.train.x) % 32 % 2 == 1
    assert len(data.train.x) % 26 == 1


def test_a_trial_goes_on_from_two_processes_to_one_and_back(one, two, store):
    config = CONFIGS["cnn, batch norm, adam"]
    whole = train(one, store, config, stop=3)
    state, last = None, None
    for runner, start in ((two, 0), (one, 1), (two, 2)):
        last = train(runner, store, config, start=start, stop=start + 1, state=state)
        state = last.state
    assert last.metrics[0] == pytest.approx(dict(whole.metrics[2]), rel=1e-10)
    first, second = arrays_of(whole, store), arrays_of(last, store)
    assert first.keys() == second.keys()
    for name, array in first.items():
        np.testing.assert_allclose(array, second[name], rtol=1e-6, atol=1e-8, err_msg=name)


def test_many_orders_are_one_order_bit_for_bit(two, store):
    config = CONFIGS["cnn, batch norm, momentum, all that is drawn"]
    whole = train(two, store, config, stop=2)
    half = train(two, store, config, stop=1)
    rest = train(two, store, config, start=1, stop=2, state=half.state)
    assert rest.metrics[0] == whole.metrics[1]
    assert rest.state.rpartition("-")[2] == whole.state.rpartition("-")[2]


class Noisy(torch.utils.data.Dataset):
    """Rows with a random transform."""

    def __init__(self):
        draw = np.random.default_rng(0)
        self.x = draw.normal(size=(230, 6)).astype(np.float32)
        self.targets = self.x[:, :2] * 1.5 + self.x[:, 2:4]

    def __len__(self):
        return len(self.x)

    def __getitem__(self, index):
        return torch.from_numpy(self.x[index]) + 0.1 * torch.randn(6), self.targets[index]


def test_three_processes_train_all_models_of_a_trial_on_a_stream_of_values(store):
    def net(config):
        return nn.Sequential(nn.LazyLinear(8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))

    stream = Data.from_dataset(Noisy(), in_memory=False)
    assert stream.streamed
    one = TrainerRunner(Recipe(net, dtype="float64", epochs=2), stream, 3, 2)
    config = {"optimizer": "sgd", "momentum": 0.9, "lr": 0.01, "mixup": 0.3, "batch_size": 64}
    found = [train(runner, store, config) for runner in (one, TogetherRunner(one, 3))]
    assert_close(*found, store)
