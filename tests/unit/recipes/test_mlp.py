import numpy as np
import pytest
import torch
from torch import nn

from ripieno.recipes import Data, build_model, mlp


def test_every_config_of_the_space_gives_one_logit_a_class(digits):
    recipe = mlp(digits)
    x = torch.from_numpy(digits.train.x[:4])
    for config in recipe.space.sample(np.random.default_rng(0), 30):
        assert build_model(recipe, config, 0)(x).shape == (4, 10)


def test_depth_counts_the_hidden_layers(digits):
    recipe = mlp(digits)
    config = recipe.space.config({**recipe.space.default(), "depth": 3, "width": 20})
    shapes = [layer.weight.shape for layer in recipe.model(config) if isinstance(layer, nn.Linear)]
    assert shapes == [(20, 64), (20, 20), (20, 20), (10, 20)]


@pytest.mark.parametrize(("rows", "widest"), [(300, 128), (9000, 512)])
def test_few_rows_get_narrow_networks(rows, widest):
    x, y = np.random.default_rng(0).random((rows, 4)), np.arange(rows) % 2
    assert mlp(Data.from_arrays(x, y)).space["width"].high == widest
