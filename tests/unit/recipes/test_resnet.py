import numpy as np
import pytest
import torch
from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes import Data, ResnetFactory, build_model, resnet
from ripieno.recipes.layers import Residual
from ripieno.space import Config


def test_every_config_of_the_space_gives_one_logit_a_class(digits):
    recipe = resnet(digits)
    x = torch.from_numpy(digits.train.x[:4])
    for config in recipe.space.sample(np.random.default_rng(0), 20):
        assert build_model(recipe, config, 0)(x).shape == (4, 10)


@pytest.mark.parametrize("side", [2, 3, 5, 28])
@pytest.mark.parametrize("pool", ["none", "average", "max"])
def test_no_image_is_too_small(side, pool):
    config = Config({"depth": 4, "blocks": 2, "filters": 2, "global_pool": pool, "kernel": 5})
    net = ResnetFactory((3, side, side + 1), 7)(config)
    assert net(torch.ones(2, 3, side, side + 1)).shape == (2, 7)


def test_the_layout_is_a_convolution_and_stages_of_blocks():
    factory = ResnetFactory((1, 28, 28), 10)
    net = factory(Config({"depth": 3, "blocks": 2, "blocks_1": 1, "filters": 8}))
    blocks = [layer for layer in net if isinstance(layer, Residual)]
    assert len(blocks) == 1 + 2 + 2
    assert [block.layers[0].out_channels for block in blocks] == [8, 16, 16, 32, 32]
    assert [block.layers[0].stride[0] for block in blocks] == [1, 2, 1, 2, 1]
    shortcuts = [type(block.shortcut) for block in blocks]
    assert shortcuts == [nn.Identity, nn.Conv2d, nn.Identity, nn.Conv2d, nn.Identity]
    kinds = [type(layer) for layer in net[-4:]]
    assert kinds == [nn.AdaptiveAvgPool2d, nn.Flatten, nn.Dropout, nn.Linear]


def test_a_block_is_two_convolutions_and_the_sum_with_its_input():
    net = ResnetFactory((2, 6, 6), 3)(Config({"depth": 1, "filters": 2, "norm": "none"}))
    block = next(layer for layer in net if isinstance(layer, Residual))
    x = torch.randn(3, 2, 6, 6)
    first, second = block.layers[0], block.layers[2]
    expected = torch.relu(second(torch.relu(first(x))) + x)
    assert torch.equal(block(x), expected)


def test_spatial_dropout_is_there_where_the_config_names_it():
    factory = ResnetFactory((1, 8, 8), 3)
    plain = factory(Config({"depth": 2}))
    named = factory(Config({"depth": 2, "spatial_dropout": 0.0, "spatial_dropout_2": 0.3}))
    rates = [layer.p for layer in named.modules() if isinstance(layer, nn.Dropout2d)]
    assert rates == [0.0, 0.3]
    assert not any(isinstance(layer, nn.Dropout2d) for layer in plain.modules())


def test_tables_are_refused():
    x, y = np.random.default_rng(0).random((30, 4)), np.arange(30) % 2
    with pytest.raises(RecipeError, match="are no images"):
        resnet(Data.from_arrays(x, y))
