import pytest
import torch
from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes import Recipe, build_model
from ripieno.space import Config

CONFIG = Config({"width": 3})


def linear(config):
    return nn.Linear(4, config.width)


def test_the_initialisation_depends_on_the_seed_alone():
    recipe = Recipe(linear)
    torch.manual_seed(1)
    first = build_model(recipe, CONFIG, 5).weight
    torch.manual_seed(2)
    assert torch.equal(build_model(recipe, CONFIG, 5).weight, first)
    assert not torch.equal(build_model(recipe, CONFIG, 6).weight, first)


def test_the_initialisation_is_torchs_own_under_the_folded_seed():
    from ripieno.recipes import draws

    built = build_model(Recipe(linear), CONFIG, 5)
    with torch.random.fork_rng():
        torch.manual_seed(draws.fold(5, draws.Purpose.INITIALIZATION))
        assert torch.equal(built.weight, nn.Linear(4, 3).weight)


def test_torchs_generator_is_left_as_it_was():
    torch.manual_seed(0)
    expected = torch.rand(3)
    torch.manual_seed(0)
    build_model(Recipe(linear), CONFIG, 5)
    assert torch.equal(torch.rand(3), expected)


def test_the_module_has_the_dtype_of_the_recipe_and_is_in_training_mode():
    module = build_model(Recipe(linear, dtype="float64"), CONFIG, 0)
    assert module.weight.dtype == torch.float64
    assert module.training


def test_lazy_modules_learn_their_shapes_from_an_example():
    recipe = Recipe(lambda config: nn.Sequential(nn.LazyLinear(3), nn.LazyBatchNorm1d()))
    module = build_model(recipe, CONFIG, 0, example=torch.ones(2, 7))
    assert module[0].weight.shape == (3, 7)
    assert module.training
    assert module[1].num_batches_tracked == 0


@pytest.mark.parametrize("returned", [None, nn.Linear, "net"])
def test_what_is_no_module_is_refused(returned):
    with pytest.raises(RecipeError, match=r"not an nn\.Module"):
        build_model(Recipe(lambda config: returned), CONFIG, 0)
