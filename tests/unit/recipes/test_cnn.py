import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes import CnnFactory, Data, build_model, cnn
from ripieno.recipes.layers import Residual
from ripieno.space import Config, Space


def images(size, rows=60):
    rng = np.random.default_rng(0)
    return Data.from_arrays(rng.random((rows, size, size)), np.arange(rows) % 3)


def test_every_config_of_the_space_gives_one_logit_a_class(digits):
    recipe = cnn(digits)
    x = torch.from_numpy(digits.train.x[:4])
    for config in recipe.space.sample(np.random.default_rng(0), 30):
        assert build_model(recipe, config, 0)(x).shape == (4, 10)


def test_the_default_is_two_blocks_of_convolution_norm_activation_and_pooling(digits):
    recipe = cnn(digits)
    net = recipe.model(recipe.space.default())
    kinds = [type(layer) for layer in net]
    block = [nn.Conv2d, nn.BatchNorm2d, nn.ReLU, nn.MaxPool2d]
    head = [nn.Flatten, nn.Dropout, nn.Linear, nn.ReLU, nn.Dropout, nn.Linear]
    assert kinds == [*block, *block, *head]
    assert net[0].bias is None
    assert (net[0].out_channels, net[4].out_channels) == (16, 32)


def test_a_config_that_says_nothing_is_the_default(digits):
    recipe = cnn(digits)
    said, unsaid = recipe.space.default(), Config({"lr": 0.1})
    assert str(recipe.model(said)) == str(recipe.model(unsaid))


def test_a_model_without_a_norm_has_biases(digits):
    recipe = cnn(digits)
    config = recipe.space.config({**recipe.space.default(), "norm": "none"})
    net = recipe.model(config)
    assert net[0].bias is not None
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in net)


@pytest.mark.parametrize(
    ("size", "deepest"), [(2, 1), (3, 1), (4, 2), (7, 2), (8, 2), (28, 3), (64, 4)]
)
def test_the_depth_never_empties_the_map(size, deepest):
    recipe = cnn(images(size))
    assert recipe.space["depth"].high == deepest
    config = recipe.space.config({**recipe.space.default(), "depth": deepest})
    assert recipe.model(config)(torch.ones(2, 1, size, size)).shape == (2, 3)


def test_a_depth_that_would_empty_the_map_is_refused(digits):
    config = dataclasses.replace(cnn(digits)).space.default()
    with pytest.raises(RecipeError, match="the pooling of layer 4 leaves nothing"):
        CnnFactory((1, 8, 8), 10)(type(config)({**config, "depth": 4}))


CONFIGS = {
    "own layers": {"kernel_1": 5, "filters_2": 7, "stride_1": 2, "dilation_2": 2, "pool_2": "none"},
    "even kernels": {"kernel": 4, "depth": 2, "pool": "stride", "pool_size": 3},
    "valid": {"padding": "valid", "depth": 1, "pool": "average", "kernel": 2},
    "residual": {
        "residual": True,
        "depth": 3,
        "stride_2": 2,
        "pool_3": "none",
        "filters_growth": 1,
    },
    "no hidden layer": {"width": 0, "global_pool": "average", "spatial_dropout": 0.5},
    "largest of maps": {"global_pool": "max", "norm": "group", "activation": "prelu"},
}


@pytest.mark.parametrize("name", CONFIGS)
def test_whatever_the_table_names_can_be_built_and_trained(name):
    net = CnnFactory((2, 9, 8), 4)(Config(CONFIGS[name]))
    logits = net(torch.randn(3, 2, 9, 8))
    assert logits.shape == (3, 4)
    logits.square().sum().backward()
    assert all(p.grad is not None for p in net.parameters())


def test_a_layers_own_values_are_its_own():
    net = CnnFactory((2, 9, 8), 4)(Config(CONFIGS["own layers"]))
    first, second = (layer for layer in net if isinstance(layer, nn.Conv2d))
    assert (first.kernel_size, first.stride, first.out_channels) == ((5, 5), (2, 2), 16)
    assert (second.kernel_size, second.dilation, second.out_channels) == ((3, 3), (2, 2), 7)
    assert sum(isinstance(layer, nn.MaxPool2d) for layer in net) == 1


def test_a_residual_layer_adds_its_input_projected_where_the_channels_change():
    config = Config({"residual": True, "depth": 2, "filters_growth": 1, "filters": 2})
    net = CnnFactory((2, 6, 6), 2)(config)
    blocks = [layer for layer in net if isinstance(layer, Residual)]
    assert [type(block.shortcut) for block in blocks] == [nn.Identity, nn.Identity]
    x = torch.randn(3, 2, 6, 6)
    assert torch.equal(blocks[0](x), torch.relu(blocks[0].layers(x) + x))
    wider = CnnFactory((2, 6, 6), 2)(Config({"residual": True, "depth": 1}))
    assert wider[0].shortcut.weight.shape == (16, 2, 1, 1)


def test_spatial_dropout_drops_whole_maps_behind_the_layers_that_are_named():
    net = CnnFactory((1, 8, 8), 2)(Config({"spatial_dropout_2": 0.25}))
    rates = [layer.p for layer in net if isinstance(layer, nn.Dropout2d)]
    assert rates == [0.25]


def test_a_space_for_other_images_can_be_searched_without_a_failure(digits):
    from ripieno.recipes import restricted
    from ripieno.space import Categorical, Int

    free = Space(depth=Int(1, 4), padding=Categorical("valid", "same"), kernel=Int(1, 5))
    recipe = cnn(digits)
    space = restricted(free, recipe.model, shape=digits.shape)
    x = torch.from_numpy(digits.train.x[:2])
    for config in space.sample(np.random.default_rng(0), 40):
        assert recipe.model(config)(x).shape == (2, 10)


def test_small_images_get_small_networks(digits):
    assert cnn(digits).space["width"].high == 64
    assert cnn(images(28, rows=12_000)).space["width"].high == 128


@pytest.mark.parametrize(("size", "depth"), [(3, 1), (8, 2), (16, 2), (28, 3), (64, 3)])
def test_large_images_get_a_deeper_default(size, depth):
    assert cnn(images(size)).space.default().depth == depth


def test_tables_are_refused():
    x, y = np.random.default_rng(0).random((30, 4)), np.arange(30) % 2
    with pytest.raises(RecipeError, match="are no images") as caught:
        cnn(Data.from_arrays(x, y))
    assert "mlp" in caught.value.fix


def test_the_space_survives_json_with_its_rules(digits):
    space = Space.from_json(cnn(digits).space.to_json())
    assert space == cnn(digits).space
    for config in space.sample(np.random.default_rng(1), 100):
        assert config.lr >= 0.001 if config.optimizer == "sgd" else config.lr <= 0.03
        assert ("momentum" in config) == (config.optimizer == "sgd")
