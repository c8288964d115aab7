import pytest
from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes import Recipe
from ripieno.space import Categorical, Constant, Float, Int, Space


def model(config):
    return nn.Linear(2, 2)


def test_loss_and_metrics_are_left_to_the_task():
    recipe = Recipe(model)
    assert (recipe.loss, recipe.metrics, recipe.epochs) == (None, None, 27)


@pytest.mark.parametrize(
    ("fields", "problem", "fix"),
    [
        ({"loss": "cross-entropy"}, "there is no loss 'cross-entropy'", "'cross_entropy'?"),
        ({"metrics": ("acuracy",)}, "there is no metric 'acuracy'", "'accuracy'?"),
        ({"epochs": 0}, "epochs = 0 trains nothing", "at least 1"),
        ({"epochs": 2.5}, "epochs = 2.5", "whole number"),
        ({"dtype": "float16"}, "there is no dtype 'float16'", "float32, float64"),
        ({"space": Space(lr=Float(0.0, 1.0))}, "'lr' cannot be 0.0", "0 < value"),
        (
            {"space": Space(optimizer=Categorical("sgd", "adma"))},
            "'optimizer' cannot be 'adma'",
            "Did you mean 'adam'?",
        ),
        ({"space": Space(batch_size=Int(0, 64))}, "'batch_size' cannot be 0", "1 <= value"),
        ({"space": Space(schedule=Constant("steps"))}, "'schedule' cannot be 'steps'", "'step'?"),
    ],
)
def test_an_impossible_field_is_refused_at_once(fields, problem, fix):
    with pytest.raises(RecipeError, match=problem) as caught:
        Recipe(model, **fields)
    assert fix in caught.value.fix


def test_a_model_that_cannot_be_called_is_refused():
    with pytest.raises(RecipeError, match="cannot be called"):
        Recipe(nn)


def test_names_that_are_no_knobs_may_have_any_domain():
    space = Space(filters=Int(-3, 8), activation=Categorical("adma", 3))
    assert Recipe(model, space=space).space is space
