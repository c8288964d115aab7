import numpy as np
import pytest
import torch

from ripieno.population.inputs import Inputs
from ripieno.recipes import Data

SEARCHED = 602


@pytest.fixture(scope="module")
def data():
    """Folds of 201, 201 and 200 rows."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(SEARCHED, 3))
    return Data.from_arrays(x, (x[:, 0] > 0.5).astype(int), test_share=0, folds=3)


def test_a_batch_holds_each_members_own_rows_of_its_own_fold(data):
    inputs = Inputs(data, torch.float64)
    folds = [2, 0, 1, 0]
    rows = torch.tensor([[0, 5], [7, 7], [400, 1], [3, 2]])
    x, y = inputs.batch(rows, inputs.members(folds))
    assert (x.dtype, y.dtype) == (torch.float64, torch.int64)
    for member, fold in enumerate(folds):
        part = data.folds.parts[fold].train
        assert np.array_equal(x[member].numpy(), part.x[rows[member]].astype(np.float64))
        assert np.array_equal(y[member].numpy(), part.y[rows[member]])
        assert inputs.rows(fold) == len(part)


def test_validation_rows_are_each_members_own_and_filled_up(data):
    inputs = Inputs(data, torch.float32)
    folds = [1, 2, 2, 0]
    batches = list(inputs.validation(folds))
    assert not inputs.shared
    assert [tuple(batch.shape) for batch in batches] == [(4, 201, 3)]
    for member, fold in enumerate(folds):
        rows, targets = inputs.measured(batches[0][member].numpy(), fold)
        part = data.folds.parts[fold].validation
        assert np.array_equal(rows, part.x)
        assert np.array_equal(targets, part.y)


def test_long_validation_parts_come_in_batches():
    x = np.arange(1202.0).reshape(601, 2)
    data = Data.from_arrays(x, np.arange(601) % 2, test_share=0, folds=2)
    inputs = Inputs(data, torch.float32)
    batches = list(inputs.validation([1, 0]))
    assert [batch.shape[1] for batch in batches] == [256, 45]
    joined = torch.cat(batches, dim=1).numpy()
    for member, fold in enumerate([1, 0]):
        part = data.folds.parts[fold].validation
        assert np.array_equal(inputs.measured(joined[member], fold)[0], part.x)


def test_without_folds_all_members_read_the_same(data):
    single = data.folds.parts[1]
    inputs = Inputs(single, torch.float32)
    assert inputs.shared
    rows = torch.tensor([[0, 5], [7, 7]])
    x, _ = inputs.batch(rows, inputs.members([0, 0]))
    assert np.array_equal(x.numpy(), single.train.x[rows])
    assert np.array_equal(torch.cat(list(inputs.validation([0, 0]))).numpy(), single.validation.x)


def test_values_are_read_in_the_units_of_their_own_fold():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(40, 3)), rng.normal(100.0, 30.0, size=40)
    folded = Data.from_arrays(x, y, folds=3)
    inputs = Inputs(folded, torch.float64)
    rows = torch.tensor([[0, 1], [2, 3], [0, 1]])
    _, batch = inputs.batch(rows, inputs.members([2, 0, 1]))
    assert batch.shape == (3, 2, 1)
    for member, fold in enumerate([2, 0, 1]):
        part = folded.parts[fold]
        own = part.train.y[rows[member]]
        scaled = (own - part.train.y.mean()) / part.train.y.std()
        np.testing.assert_allclose(batch[member, :, 0], scaled, rtol=1e-12)
    scores = inputs.scores(batch, [2, 0, 1])
    for member, fold in enumerate([2, 0, 1]):
        own = folded.parts[fold].train.y[rows[member]]
        np.testing.assert_allclose(scores[member, :, 0], own, rtol=1e-12)
