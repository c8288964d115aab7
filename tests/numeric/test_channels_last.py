"""The layout of images in memory changes the speed of a training, and none of its numbers."""

from dataclasses import replace
from typing import ClassVar

import numpy as np
import pytest
import torch
from torch import nn

from ripieno.ledger import FileArtifacts
from ripieno.population import PopulationRunner
from ripieno.recipes import Data, Recipe, TrainerRunner, cnn, resnet
from ripieno.records import Config, Order

CONFIGS = (
    {"depth": 2, "pool": "average", "norm": "group", "residual": True},
    {"depth": 2, "optimizer": "sgd", "lr": 0.05, "momentum": 0.9, "spatial_dropout": 0.2},
)


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3, 8, 8)).astype(np.float32)
    return Data.from_arrays(x, (x[:, 0].mean((1, 2)) > 0).astype(int))


def last_rows(runner, config, folder, *, trials=1):
    orders = [Order(trial, Config(config), 0, 3, None, None) for trial in range(trials)]
    outcomes = list(runner.run(orders, FileArtifacts(folder), lambda: False))
    assert all(outcome.error is None for outcome in outcomes)
    return [list(outcome.metrics[-1].values()) for outcome in outcomes]


@pytest.mark.parametrize("config", CONFIGS)
def test_a_model_that_is_trained_alone_gives_the_same_numbers(data, config, tmp_path):
    recipe = replace(cnn(data), dtype="float64", epochs=3)
    assert recipe.channels_last
    rows = [
        last_rows(TrainerRunner(replace(recipe, channels_last=chosen), data), config, tmp_path)
        for chosen in (True, False)
    ]
    np.testing.assert_allclose(*rows, rtol=1e-8)


class Own(nn.Module):
    """A user's own model, which may take a view of its maps."""

    seen: ClassVar = []

    def __init__(self, config):
        super().__init__()
        self.conv, self.line = nn.Conv2d(3, 4, 3, padding=1), nn.Linear(256, 2)
        self.views = config["views"]

    def forward(self, x):
        maps = self.conv(x)
        if self.training:
            Own.seen.append(maps.is_contiguous(memory_format=torch.channels_last))
        return self.line(maps.view(len(x), -1) if self.views else maps.flatten(1))


@pytest.mark.parametrize(
    ("chosen", "views", "last"),
    [(None, False, True), (None, True, False), (False, False, False), (True, False, True)],
)
def test_a_users_own_model_is_laid_out_so_where_it_runs_so(data, tmp_path, chosen, views, last):
    Own.seen.clear()
    recipe = Recipe(Own, epochs=3, dtype="float64", channels_last=chosen)
    rows = last_rows(TrainerRunner(recipe, data), {"views": views}, tmp_path)
    assert set(Own.seen) == {last}
    plain = replace(recipe, channels_last=False)
    expected = last_rows(TrainerRunner(plain, data), {"views": views}, tmp_path)
    np.testing.assert_allclose(rows, expected, rtol=1e-8)


def test_a_stack_and_its_loop_give_the_same_numbers(data, tmp_path):
    recipe = replace(resnet(data), dtype="float64", epochs=3)
    rows = [
        last_rows(PopulationRunner(recipe, data, tier=tier), {"depth": 2}, tmp_path, trials=3)
        for tier in ("loop", "leaves", "auto")
    ]
    np.testing.assert_allclose(rows[1], rows[0], rtol=1e-8)
    np.testing.assert_allclose(rows[2], rows[0], rtol=1e-8)
