import numpy as np
import pytest
import torch
from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes import Data, MlpFactory, build_model, mlp
from ripieno.recipes.layers import Residual
from ripieno.space import Config


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


@pytest.mark.parametrize(("rows", "embeds"), [(300, False), (9000, True)])
def test_networks_that_embed_numbers_answer_with_their_best_epoch(rows, embeds):
    x, y = np.random.default_rng(0).random((rows, 4)), np.arange(rows) % 2
    config = mlp(Data.from_arrays(x, y)).space.default()
    assert config.numeric_embedding == ("periodic" if embeds else "none")
    assert config.get("restore", "last") == ("best" if embeds else "last")
    assert config.get("frequency_scale") == (1.0 if embeds else None)


def test_layers_have_widths_and_rates_of_their_own():
    net = MlpFactory((4,), 2)(Config({"width": 9, "width_2": 5, "dropout": 0.1, "dropout_1": 0.4}))
    assert [m.weight.shape for m in net if isinstance(m, nn.Linear)] == [(9, 4), (5, 9), (2, 5)]
    assert [m.p for m in net if isinstance(m, nn.Dropout)] == [0.4, 0.1]


def test_a_residual_layer_adds_its_input_projected_where_the_width_changes():
    config = Config({"residual": True, "width": 6, "norm": "layer", "activation": "gelu"})
    net = MlpFactory((4,), 2)(config)
    first, second = (layer for layer in net if isinstance(layer, Residual))
    assert first.shortcut.weight.shape == (6, 4)
    x = torch.randn(3, 6)
    assert torch.equal(second(x), nn.functional.gelu(second.layers(x) + x))


@pytest.mark.parametrize("norm", ["batch", "layer", "group", "none"])
def test_only_a_layer_without_a_norm_has_a_bias(norm):
    net = MlpFactory((4,), 2)(Config({"norm": norm}))
    assert (net[1].bias is not None) == (norm == "none")
    assert net(torch.randn(3, 4)).shape == (3, 2)


def test_a_layer_without_units_is_refused():
    with pytest.raises(RecipeError, match="'width_2' cannot be 0"):
        MlpFactory((4,), 2)(Config({"width_2": 0}))
