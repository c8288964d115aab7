import copy
import math

import numpy as np
import pytest
import torch

from ripieno.recipes import Data, MlpFactory, mlp
from ripieno.recipes.table_input import PeriodicEmbedding, TableInput, embedding_width
from ripieno.space import Config


def test_the_waves_are_those_of_their_formula():
    module = PeriodicEmbedding(3, 0.5).double()
    x = torch.randn(5, 3, dtype=torch.float64)
    got = module(x).view(5, 3, -1)
    for row in range(5):
        for number in range(3):
            angles = 2 * math.pi * module.frequencies[number] * x[row, number]
            waves = torch.cat([angles.cos(), angles.sin()])
            expected = (waves @ module.weight[number] + module.bias[number]).clamp(min=0)
            assert torch.allclose(got[row, number], expected)


def test_a_row_is_its_features_its_waves_and_its_looked_up_categories():
    module = TableInput(5, numbers=2, cardinalities=(4, 90))
    x = torch.tensor([[0.5, -1.0, 1.0, 3.0, 89.0], [0.0, 0.0, 0.0, 0.0, 1.0]])
    out = module(x)
    assert out.shape == (2, module.width)
    assert torch.equal(out[:, :3], x[:, :3])
    assert torch.equal(out[:, 3:19], module.periodic(x[:, :2]))
    small, large = module.tables
    assert torch.equal(out[0, 19 : 19 + small.embedding_dim], small.weight[3])
    assert torch.equal(out[0, -large.embedding_dim :], large.weight[89])


def test_what_was_never_seen_is_nothing_and_stays_it():
    module = TableInput(1, cardinalities=(6,))
    optimizer = torch.optim.SGD(module.parameters(), lr=1.0)
    (module(torch.tensor([[0.0], [2.0]])) - 1).square().sum().backward()
    optimizer.step()
    assert torch.equal(module(torch.zeros(1, 1)), torch.zeros(1, module.width))


def test_wider_embeddings_stand_for_more_categories():
    widths = [embedding_width(n) for n in (2, 66, 200, 10_000)]
    assert widths == sorted(widths)
    assert widths[0] == 3
    assert widths[-1] == 32


def table(rows):
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=(rows, 2)), rng.integers(80, size=rows)])
    return Data.from_arrays(x, (x[:, 0] > 0).astype(int), categorical=[2])


def test_the_recipe_offers_embeddings_to_tables_alone(few_digits):
    data = table(9000)
    recipe = mlp(data)
    assert recipe.space.default().numeric_embedding == "periodic"
    module = recipe.model(recipe.space.default())
    assert type(module[0]).__name__ == "TableInput"
    assert module(torch.from_numpy(data.train.x[:7])).shape == (7, 2)
    assert mlp(table(900)).space.default().numeric_embedding == "none"
    assert "numeric_embedding" not in mlp(few_digits).space
    wide = Data.from_arrays(np.random.default_rng(0).normal(size=(90, 65)), np.arange(90) % 2)
    assert "numeric_embedding" not in mlp(wide).space


def test_rare_and_large_columns_are_looked_up_whatever_the_config_says():
    data = table(9000)
    factory = MlpFactory(data.shape, 2, numbers=2, cardinalities=data.preprocess.cardinalities)
    config = Config({"depth": 1, "width": 8, "activation": "relu", "norm": "none", "dropout": 0.0})
    first = factory(config)[0]
    assert first.periodic is None
    assert first.tables[0].num_embeddings == 81


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_codes_are_looked_up_in_any_floating_type(dtype):
    module = TableInput(2, numbers=1, cardinalities=(10_000,)).to(dtype)
    x = torch.tensor([[0.3, 9999.0]], dtype=dtype)
    expected = copy.deepcopy(module.tables[0]).weight[9999]
    assert torch.equal(module(x)[0, -32:], expected)
