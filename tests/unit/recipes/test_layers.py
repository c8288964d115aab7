import pytest
import torch
from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes import ARCHITECTURE, KNOBS, Architecture
from ripieno.recipes.layers import (
    ACTIVATIONS,
    Residual,
    activation,
    activation_of,
    global_pooling,
    model_space,
    normalization,
    pooling,
)


def test_the_table_names_every_activation():
    assert ARCHITECTURE["activation"].knob.choices == tuple(ACTIVATIONS)


@pytest.mark.parametrize("name", [name for name in ACTIVATIONS if name != "prelu"])
def test_an_activation_is_torchs_function_of_the_same_name(name):
    x = torch.linspace(-3, 3, 50)
    function = getattr(torch, name, None) or getattr(torch.nn.functional, name)
    assert torch.allclose(activation(name)(x), function(x))


def test_the_slope_of_a_leaky_relu_is_the_configs():
    x = torch.tensor([-2.0, 3.0])
    config = {"activation": "leaky_relu", "negative_slope": 0.2}
    made = activation_of(Architecture.read(config, "mlp"))
    assert torch.allclose(made(x), torch.tensor([-0.4, 3.0]))
    parametric = activation("prelu")(x).detach()
    assert torch.allclose(parametric, torch.tensor([-0.5, 3.0]))


def test_an_unknown_activation_is_answered_with_the_closest():
    with pytest.raises(RecipeError, match="there is no activation 'rely'") as caught:
        activation("rely")
    assert "Did you mean 'relu'?" in caught.value.fix


def norm(kind, features, *, spatial, groups=4):
    config = {"norm": kind, "norm_groups": groups}
    return normalization(Architecture.read(config, "cnn"), features, spatial=spatial)


def test_a_norm_is_torchs_of_its_name():
    assert norm("none", 6, spatial=True) == []
    assert isinstance(norm("batch", 6, spatial=True)[0], nn.BatchNorm2d)
    assert isinstance(norm("batch", 6, spatial=False)[0], nn.BatchNorm1d)
    assert isinstance(norm("layer", 6, spatial=False)[0], nn.LayerNorm)


def test_the_layer_norm_of_maps_runs_over_all_that_an_example_has():
    x = torch.randn(3, 4, 5, 5)
    (made,) = norm("layer", 4, spatial=True)
    expected = nn.functional.layer_norm(x, (4, 5, 5))
    assert torch.allclose(made(x), expected, atol=1e-6)


@pytest.mark.parametrize(
    ("features", "wanted", "groups"), [(8, 4, 4), (6, 4, 3), (7, 4, 1), (3, 8, 3), (16, 5, 4)]
)
def test_the_groups_of_a_group_norm_divide_the_channels(features, wanted, groups):
    for spatial in (True, False):
        assert norm("group", features, spatial=spatial, groups=wanted)[0].num_groups == groups


def test_pooling_by_name():
    x = torch.arange(16.0).view(1, 1, 4, 4)
    assert pooling("max", 2)[0](x).flatten().tolist() == [5, 7, 13, 15]
    assert pooling("average", 4)[0](x).item() == 7.5
    assert pooling("stride", 2) == pooling("none", 2) == []
    assert global_pooling("average")[0](x).item() == 7.5
    assert global_pooling("max")[0](x).item() == 15
    assert global_pooling("none") == []


def test_a_residual_adds_the_shortcut_before_what_follows():
    double = nn.Linear(2, 2, bias=False)
    nn.init.constant_(double.weight, -2.0)
    x = torch.tensor([[1.0, 1.0]])
    assert Residual([double], nn.Identity())(x).tolist() == [[-3.0, -3.0]]
    assert Residual([double], nn.Identity(), nn.ReLU())(x).tolist() == [[0.0, 0.0]]


def test_the_training_part_of_a_space_is_made_of_knobs():
    assert set(model_space({})) <= set(KNOBS)


def test_the_default_keeps_its_own_rules():
    space = model_space({})
    assert dict(space.default()) == {
        "optimizer": "adam",
        "lr": 0.002,
        "weight_decay": 1e-5,
        "batch_size": 32,
        "schedule": "cosine",
    }
