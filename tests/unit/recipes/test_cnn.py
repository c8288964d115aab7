import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes import CnnFactory, Data, build_model, cnn
from ripieno.space import Space


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


def test_a_model_without_batch_norm_has_biases(digits):
    recipe = cnn(digits)
    config = recipe.space.config({**recipe.space.default(), "batch_norm": False})
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
    with pytest.raises(RecipeError, match="depth = 4 pools images"):
        CnnFactory((1, 8, 8), 10)(type(config)({**config, "depth": 4}))


def test_small_images_get_small_networks(digits):
    assert cnn(digits).space["width"].high == 64
    assert cnn(images(28, rows=12_000)).space["width"].high == 128


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
