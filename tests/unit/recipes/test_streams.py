import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, IterableDataset, Subset, TensorDataset

import ripieno as rp
from ripieno.errors import DataError
from ripieno.recipes import (
    Data,
    Recipe,
    State,
    TrainerRunner,
    build_model,
    predict_probabilities,
)
from ripieno.recipes.streams import Stream, open_dataset
from ripieno.records import Order, OutcomeStatus

RNG = np.random.default_rng(0)
X = RNG.normal(3, 2, size=(300, 4)).astype(np.float32)
Y = (X[:, 0] > 3).astype(np.int64)


class Items(Dataset):
    """Rows that count how often they are read."""

    def __init__(self, noise=0.0, *, told=True):
        self.noise, self.reads = noise, []
        if told:
            self.targets = Y.tolist()

    def __len__(self):
        return len(X)

    def __getitem__(self, row):
        self.reads.append(row)
        return torch.from_numpy(X[row]) + self.noise * torch.randn(4), int(Y[row])


def model(config):
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Dropout(0.2), nn.Linear(6, 2))


RECIPE = Recipe(model=model, epochs=4)


def order(trial=0, start=0, stop=4, state=None, **knobs):
    return Order(trial, rp.Config({"lr": 0.02, **knobs}), start, stop, state=state)


def train(data, store, orders=None):
    runner = TrainerRunner(RECIPE, data, seed=5)
    return list(runner.run(orders or [order()], store, lambda: False))


def streamed(dataset=None, **options):
    return Data.from_dataset(dataset or Items(), in_memory=False, **options)


def test_a_small_dataset_is_read_at_once_and_equals_its_arrays():
    data, arrays = Data.from_dataset(Items()), Data.from_arrays(X, Y)
    assert not data.streamed
    assert np.array_equal(data.train.x, arrays.train.x)
    assert np.array_equal(data.test.y, arrays.test.y)
    assert data.fingerprint == arrays.fingerprint


def test_a_streamed_dataset_is_split_and_scaled_as_its_arrays_are():
    data, arrays = streamed(), Data.from_arrays(X, Y)
    assert data.streamed
    assert data.fingerprint == arrays.fingerprint
    assert data.preprocess == arrays.preprocess
    assert data.shape == (4,)
    assert len(data.train.x) == len(arrays.train.x)
    assert np.array_equal(data.train.x[:], arrays.train.x)
    assert np.array_equal(data.validation.x[10:20], arrays.validation.x[10:20])
    assert np.array_equal(data.test.x[np.array([3, 1])], arrays.test.x[[3, 1]])


def test_nothing_but_the_asked_rows_is_read():
    items = Items()
    data = streamed(items)
    items.reads.clear()
    batch = data.train.x[5:8]
    assert batch.shape == (3, 4)
    assert len(items.reads) == 3


def test_a_model_learns_from_a_stream_and_predicts_it_as_its_rows(store):
    data, arrays = streamed(), Data.from_arrays(X, Y)
    outcome = train(data, store)[0]
    assert outcome.metrics[-1]["accuracy"] > 0.85
    module = build_model(RECIPE, order().config, 0)
    State.from_arrays(store.read(outcome.state)[0], epoch=4).load_into(module)
    expected = predict_probabilities(module, arrays.test.x)
    assert np.array_equal(predict_probabilities(module, data.test.x), expected)
    kept = store.read(outcome.predictions)[0]["probabilities"]
    assert np.allclose(kept, predict_probabilities(module, arrays.validation.x), atol=1e-7)


@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_one_order_equals_two_and_loader_processes_change_nothing(store, noise):
    whole = train(streamed(Items(noise)), store)[0]
    first = train(streamed(Items(noise)), store, [order(stop=1)])[0]
    rest = train(streamed(Items(noise)), store, [order(start=1, state=first.state)])[0]
    assert first.metrics + rest.metrics == whole.metrics
    ahead = train(streamed(Items(noise), loader_workers=2), store)[0]
    assert ahead.metrics == whole.metrics


def test_trials_see_the_batches_in_one_order_of_the_study(store):
    seen = []
    for trial in (0, 7):
        items = Items()
        data = streamed(items)
        items.reads.clear()
        train(data, store, [order(trial, stop=1)])
        seen.append(items.reads)
    assert seen[0] == seen[1]
    assert sorted(seen[0][2 : 2 + len(data.train)]) == sorted(data.train.x.raw.rows)


def test_without_standardisation_the_features_stay_as_they_are():
    data = streamed(standardize=False)
    assert np.array_equal(data.train.x[:9], X[data.train.x.raw.rows[:9]])


def test_images_are_streamed_with_their_channels_first():
    pixels = RNG.integers(256, size=(90, 6, 5, 3)).astype(np.uint8)
    dataset = TensorDataset(torch.from_numpy(pixels), torch.arange(90) % 3)
    data, arrays = streamed(dataset), Data.from_arrays(pixels, np.arange(90) % 3)
    assert data.shape == arrays.shape == (3, 6, 5)
    assert np.array_equal(data.train.x[:], arrays.train.x)


def test_a_given_test_part_is_kept_whole():
    test = Subset(Items(), range(40))
    data = streamed(test=test)
    assert np.array_equal(data.test.y, Y[:40])
    assert np.array_equal(data.test.x[:], data.preprocess.apply(X[:40]))
    assert isinstance(data.test.x, Stream)


def test_targets_are_told_or_read():
    assert np.array_equal(open_dataset(Items(told=False))[1], Y)
    assert np.array_equal(open_dataset(Subset(Items(), [5, 1]))[1], Y[[5, 1]])
    assert np.array_equal(open_dataset(Items(), targets=1 - Y)[1], 1 - Y)
    items = Items()
    open_dataset(items)
    assert items.reads == []


class Broken(Items):
    def __getitem__(self, row):
        if row == 17:
            raise KeyError("no such file")
        return X[row] if row != 18 else X[row, :2], 0


class Endless(IterableDataset):
    def __iter__(self):
        yield X[0], 0


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (Endless, "Endless has no length"),
        (lambda: Subset(Items(), []), "the dataset is empty"),
        (lambda: TensorDataset(torch.zeros(9, 2)), "is a tuple, not a pair"),
        (Broken, "item 17 of the dataset cannot be read: KeyError"),
        (lambda: Subset(Broken(), [0, 18, 3]), r"item 0 .* shape \(4,\), and item 1 has \(2,\)"),
    ],
)
def test_a_dataset_that_cannot_be_read_is_refused(make, problem):
    with pytest.raises(DataError, match=problem):
        Data.from_dataset(make(), in_memory=True)


def test_an_item_that_cannot_be_read_fails_the_trial_in_words(store):
    data = streamed()
    data.train.x.raw.dataset.__class__ = Broken
    outcome = train(data, store)[0]
    assert outcome.status is OutcomeStatus.FAILED
    assert "item 17 of the dataset cannot be read" in outcome.error or "shape" in outcome.error


def test_torchs_own_generator_is_left_as_it_was():
    torch.manual_seed(3)
    expected = torch.get_rng_state()
    data = streamed(Items(noise=1.0))
    _ = data.train.x[:5]
    assert torch.equal(torch.get_rng_state(), expected)
