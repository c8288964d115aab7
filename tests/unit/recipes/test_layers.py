import pytest
import torch

from ripieno.errors import RecipeError
from ripieno.recipes import KNOBS
from ripieno.recipes.layers import ACTIVATIONS, activation, model_space


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_torchs_function_of_the_same_name(name):
    x = torch.linspace(-3, 3, 50)
    function = getattr(torch, name, None) or getattr(torch.nn.functional, name)
    assert torch.allclose(activation(name)(x), function(x))


def test_an_unknown_activation_is_answered_with_the_closest():
    with pytest.raises(RecipeError, match="there is no activation 'rely'") as caught:
        activation("rely")
    assert "Did you mean 'relu'?" in caught.value.fix


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
