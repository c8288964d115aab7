import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight
from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes import (
    Data,
    Metric,
    Recipe,
    balanced_pos_weight,
    chosen_loss,
    cnn,
    complete,
    loss_options,
    mlp,
)
from ripieno.space import Categorical, Config, Constant, Space

X = np.random.default_rng(0).normal(size=(120, 4))
LABELS = (np.random.default_rng(1).random((120, 2)) < [0.5, 0.1]).astype(int)


def data(task):
    y = {"classification": np.array(["no", "yes"])[(X[:, 0] > 0.5).astype(int)],
         "multilabel": LABELS, "regression": X[:, 0] * 3.5}[task]  # fmt: skip
    names = ["sport", "art"] if task == "multilabel" else None
    return Data.from_arrays(X, y, target_names=names)


def model(config):
    return nn.Linear(4, 2)


def mine(outputs, y):
    return (outputs - y).abs()


def worst(y, p):
    return float(np.abs(y - p).max())


@pytest.mark.parametrize(
    ("task", "loss", "metrics"),
    [
        ("classification", "cross_entropy", ("log_loss", "accuracy")),
        ("multilabel", "binary_cross_entropy", ("log_loss", "f1_macro")),
        ("regression", "mse", ("rmse", "mae", "r2")),
    ],
)
def test_the_task_gives_what_a_recipe_leaves_open(task, loss, metrics):
    full = complete(Recipe(model), data(task))
    assert (full.loss, full.metrics) == (loss, metrics)
    assert complete(full, data(task)) == full


def test_what_a_recipe_says_is_kept():
    metric = Metric(worst, direction="minimize")
    recipe = complete(Recipe(model, loss=mine, metrics=("mae", metric)), data("regression"))
    assert (recipe.loss, recipe.metrics) == (mine, ("mae", metric))
    assert chosen_loss(recipe, Config({})) is mine
    assert chosen_loss(recipe, Config({"loss": "huber"})) == "huber"


@pytest.mark.parametrize(
    ("task", "fields", "problem"),
    [
        ("regression", {"loss": "cross_entropy"}, "'cross_entropy' is for classification"),
        ("classification", {"loss": "mse"}, "'mse' is for regression"),
        ("multilabel", {"space": Space(loss=Categorical("focal", "l1"))}, "'l1' is for regr"),
        ("multilabel", {"space": Space(loss=Constant("huber"))}, "'huber' is for regression"),
        ("regression", {"metrics": ("accuracy",)}, "'accuracy' is for classification"),
        ("regression", {"class_weights": "balanced"}, "class_weights is for classification"),
        ("classification", {"pos_weight": "balanced"}, "pos_weight is for multilabel"),
        (
            "regression",
            {"metrics": (Metric(worst, direction="minimize", name="mae"),)},
            "two metrics are called 'mae'",
        ),
    ],
)
def test_what_is_for_another_task_is_refused(task, fields, problem):
    with pytest.raises(RecipeError, match=problem):
        complete(Recipe(model, **fields), data(task))


@pytest.mark.parametrize("weights", ["auto", {}, {"yes": -1.0}, {"yes": float("nan")}, {"a": 0.0}])
def test_weights_that_weigh_nothing_are_refused(weights):
    with pytest.raises(RecipeError, match="weighs nothing"):
        Recipe(model, class_weights=weights)


def test_class_weights_are_balanced_given_or_none():
    part = data("classification")
    names = np.array(part.classes)[part.train.y]
    balanced = compute_class_weight("balanced", classes=np.array(part.classes), y=names)
    plain = complete(Recipe(model), part)
    given = complete(Recipe(model, class_weights={"yes": 3.0, "no": 0.5}), part)
    whole = complete(Recipe(model, class_weights="balanced"), part)
    found = {
        "plain": loss_options(plain, Config({}), part),
        "asked": loss_options(plain, Config({"class_weights": "balanced"}), part),
        "given": loss_options(given, Config({}), part),
        "named": loss_options(given, Config({"class_weights": "given"}), part),
        "not now": loss_options(given, Config({"class_weights": None}), part),
        "whole": loss_options(whole, Config({}), part),
    }
    assert found["plain"] == found["not now"] == {"label_smoothing": 0.0}
    for name in ("asked", "whole"):
        np.testing.assert_allclose(found[name]["class_weights"], balanced)
    for name in ("given", "named"):
        assert found[name]["class_weights"].tolist() == [0.5, 3.0]


def test_the_weight_of_a_label_is_rows_without_by_rows_with():
    part = data("multilabel")
    there = part.train.y.mean(axis=0)
    options = loss_options(complete(Recipe(model, pos_weight="balanced"), part), Config({}), part)
    np.testing.assert_allclose(options["pos_weight"], (1 - there) / there)
    assert balanced_pos_weight(np.array([[0, 1], [0, 1]])).tolist() == [1.0, 0.0]
    given = complete(Recipe(model, pos_weight={"sport": 2.0, "art": 9.0}), part)
    assert loss_options(given, Config({}), part)["pos_weight"].tolist() == [2.0, 9.0]


@pytest.mark.parametrize(
    ("weights", "config", "problem"),
    [
        ({"yes": 1.0, "nay": 2.0, "no": 1.0}, {}, "names 'nay'"),
        ({"yes": 1.0}, {}, "lacks 'no'"),
        (None, {"class_weights": "given"}, "'given', and the recipe gives none"),
    ],
)
def test_weights_of_other_names_are_refused(weights, config, problem):
    part = data("classification")
    recipe = complete(Recipe(model, class_weights=weights), part)
    with pytest.raises(RecipeError, match=problem):
        loss_options(recipe, Config(config), part)


def test_a_loss_gets_the_options_of_its_own_task_alone():
    config = Config({"loss": "focal", "focal_gamma": 1.5, "class_weights": "balanced"})
    part = data("multilabel")
    assert loss_options(complete(Recipe(model), part), config, part) == {"focal_gamma": 1.5}


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_the_built_in_networks_have_an_output_for_each_class_label_or_column(task):
    part = data(task)
    network = mlp(part).model(mlp(part).space.default())
    assert network[-1].out_features == part.outputs
    images = Data.from_arrays(
        np.random.default_rng(0).normal(size=(120, 8, 8)),
        {"classification": np.arange(120) % 3,
        "multilabel": LABELS, "regression": X[:, 0] * 3.5}[task],
    )  # fmt: skip
    recipe = cnn(images)
    assert recipe.model(recipe.space.default())[-1].out_features == images.outputs
