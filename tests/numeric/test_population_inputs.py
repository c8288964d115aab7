"""Rows of a stack equal the trainer where the inputs are tables, or batches of a stream."""

import numpy as np
import pytest
import torch
from torch.utils.data import TensorDataset

import ripieno as rp
from ripieno.ledger import MemoryArtifacts
from ripieno.population import PopulationRunner
from ripieno.recipes import Data, Recipe, TrainerRunner, mlp
from ripieno.records import Order, OutcomeStatus

TIERS = ("leaves", "traced", "vmap")


def tables() -> Data:
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=(170, 2)), rng.integers(75, size=170)])
    return Data.from_arrays(x, ((x[:, 0] + x[:, 2] % 2) > 0.5).astype(int), categorical=[2])


def stream() -> Data:
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(size=(129, 5)))
    dataset = TensorDataset(x, (x[:, 0] > 0).long())
    return Data.from_dataset(dataset, in_memory=False)


def configs() -> list[rp.Config]:
    return [
        rp.Config(
            {
                "depth": 1, "width": 6, "activation": "tanh", "norm": "batch",
                "dropout": 0.1 * row, "numeric_embedding": "periodic",
                "frequency_scale": 0.1 + 0.2 * row, "optimizer": "adam", "lr": 0.01 * (1 + row),
                "weight_decay": 1e-3, "batch_size": 16,
            }
        )
        for row in range(3)
    ]  # fmt: skip


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("make", [tables, stream])
def test_rows_of_a_stack_equal_the_trainer(make, tier):
    data = make()
    recipe = Recipe(mlp(data).model, epochs=3, dtype="float64")
    orders = [Order(trial, config, 0, 3) for trial, config in enumerate(configs())]
    store = MemoryArtifacts()
    alone = list(TrainerRunner(recipe, data, 3).run(orders, store, lambda: False))
    runner = PopulationRunner(recipe, data, 3, tier=tier)
    stacked = {o.order.trial: o for o in runner.run(orders, store, lambda: False)}
    for expected in alone:
        got = stacked[expected.order.trial]
        assert got.status is expected.status is OutcomeStatus.DONE
        assert got.notes.startswith(f"3 rows; {tier}")
        for one, other in zip(got.metrics, expected.metrics, strict=True):
            assert one == pytest.approx(other, rel=1e-9)
        mine, theirs = store.read(got.state)[0], store.read(expected.state)[0]
        assert mine.keys() == theirs.keys()
        for name, array in theirs.items():
            assert np.allclose(mine[name], array, rtol=1e-9, atol=1e-10), name


@pytest.mark.parametrize("changes", [{"mixup": 0.4, "input_noise": 0.1}, {"flip": 0.5}])
def test_a_stream_is_changed_row_by_row_as_the_trainer_changes_it(changes):
    rng = np.random.default_rng(0)
    images = torch.from_numpy(rng.normal(size=(90, 1, 4, 4)))
    dataset = TensorDataset(images, (images[:, 0, 0, 0] > 0).long())
    data = Data.from_dataset(dataset, in_memory=False)
    config = {"depth": 1, "width": 5, "norm": "none", "dropout": 0.0, "batch_size": 16}
    recipe = Recipe(mlp(data).model, epochs=2, dtype="float64")
    orders = [
        Order(trial, rp.Config({**config, "lr": 0.01 * (1 + trial), **changes}), 0, 2)
        for trial in range(2)
    ]
    store = MemoryArtifacts()
    alone = list(TrainerRunner(recipe, data, 3).run(orders, store, lambda: False))
    runner = PopulationRunner(recipe, data, 3, tier="leaves")
    stacked = {o.order.trial: o for o in runner.run(orders, store, lambda: False)}
    for expected in alone:
        got = stacked[expected.order.trial]
        assert got.notes.startswith("2 rows; leaves")
        for one, other in zip(got.metrics, expected.metrics, strict=True):
            assert one == pytest.approx(other, rel=1e-9)


def test_rows_of_a_stream_are_grouped_by_their_epoch():
    data = stream()
    recipe = Recipe(mlp(data).model, epochs=3)
    runner = PopulationRunner(recipe, data, 3, tier="leaves")
    store = MemoryArtifacts()
    first = [Order(trial, config, 0, 1) for trial, config in enumerate(configs())]
    begun = {o.order.trial: o for o in runner.run(first, store, lambda: False)}
    late = Order(0, first[0].config, 1, 3, state=begun[0].state)
    assert runner.group(late) != runner.group(first[1])
    mixed = {o.order.trial: o for o in runner.run([late, *first[1:]], store, lambda: False)}
    assert mixed[1].metrics == begun[1].metrics
    alone = next(iter(TrainerRunner(recipe, data, 3).run([late], store, lambda: False)))
    for one, other in zip(mixed[0].metrics, alone.metrics, strict=True):
        assert one == pytest.approx(other, rel=1e-4)
