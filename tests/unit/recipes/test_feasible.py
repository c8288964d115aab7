import numpy as np
import pytest

from ripieno.errors import RecipeError
from ripieno.recipes import CnnFactory, MlpFactory, build_model, restricted
from ripieno.recipes.recipe import Recipe
from ripieno.space import Categorical, Constant, Float, Int, Space

SHAPE = (1, 8, 8)
FACTORY = CnnFactory(SHAPE, 3)


def works(config):
    try:
        build_model(Recipe(FACTORY), config, 0)
    except RecipeError:
        return False
    return True


def test_what_is_left_is_just_what_can_be_built():
    space = Space(
        kernel=Categorical(2, 3, 5), padding=Categorical("same", "valid"), depth=Int(1, 4),
        pool=Categorical("max", "stride", "none"), residual=Categorical(False, True),
        kernel_2=Categorical(3, 7).when(depth=(3, 4)),
    )  # fmt: skip
    whole = list(space.grid())
    left = set(restricted(space, FACTORY, shape=SHAPE).grid())
    assert left == {config for config in whole if works(config)}
    assert 0 < len(left) < len(whole)


def test_the_rules_travel_with_the_space_and_are_added_once():
    space = restricted(Space(depth=Int(1, 5)), FACTORY, shape=SHAPE)
    assert [c.rule for c in space.constraints] == ["not (depth == 4)", "not (depth == 5)"]
    again = restricted(Space.from_json(space.to_json()), FACTORY, shape=SHAPE)
    assert again == space
    rng = np.random.default_rng(0)
    assert {config.depth for config in again.sample(rng, 50)} == {1, 2, 3}


def test_the_default_spaces_need_no_rule(digits):
    from ripieno.recipes import cnn, mlp, resnet

    for recipe in (cnn(digits), mlp(digits), resnet(digits)):
        rules = restricted(recipe.space, recipe.model, shape=digits.shape).constraints
        assert rules == recipe.space.constraints


def test_a_space_of_which_nothing_can_be_built_is_refused_with_the_reason():
    space = Space(kernel=Categorical(9, 11), padding=Constant("valid"))
    with pytest.raises(RecipeError, match="layer 1 reads 9 x 9 pixels"):
        restricted(space, FACTORY, shape=SHAPE)


def test_too_many_combinations_and_continuous_ones_are_left_to_the_trials():
    many = Space(**{f"kernel_{i}": Int(1, 20) for i in range(1, 4)})
    assert restricted(many, FACTORY, shape=SHAPE) == many
    smooth = Space(stride=Float(1.0, 2.0))
    with pytest.raises(RecipeError, match=r"'stride' cannot be 1\.5"):
        FACTORY(smooth.config(stride=1.5))


def test_a_name_that_the_recipe_does_not_know_is_refused_before_anything_is_trained():
    with pytest.raises(RecipeError, match="no hyperparameter 'kernal'"):
        restricted(Space(kernal=Float(1.0, 5.0)), FACTORY, shape=SHAPE)
    with pytest.raises(RecipeError, match="'width' cannot be 0"):
        restricted(Space(width=Int(0, 5)), MlpFactory((4,), 2), shape=(4,))


def test_a_function_of_the_users_rules_nothing_out():
    space = Space(kernal=Int(1, 5), lr=Float(0.1, 1.0))
    assert restricted(space, lambda config: None, shape=SHAPE) is space


def test_boxes_of_a_table_are_refused_unless_they_are_off():
    factory = MlpFactory((4,), 2)
    with pytest.raises(RecipeError, match="'cutmix' cuts boxes out of images"):
        restricted(Space(cutmix=Float(0.0, 1.0)), factory, shape=(4,))
    off = Space(cutmix=Constant(0.0), mixup=Float(0.0, 1.0))
    assert restricted(off, factory, shape=(4,)) == off


def test_augmentations_of_a_table_are_refused_unless_they_are_off():
    space = Space(flip=Constant(0.0), lr=Float(0.1, 1.0))
    assert restricted(space, MlpFactory((4,), 2), shape=(4,)) is space
    with pytest.raises(RecipeError, match="'rotation' changes images, and the rows have"):
        restricted(Space(rotation=Float(0.0, 20.0)), MlpFactory((4,), 2), shape=(4,))
