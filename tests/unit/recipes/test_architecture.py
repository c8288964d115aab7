import pytest

from ripieno.errors import RecipeError
from ripieno.recipes import ARCHITECTURE, KNOBS, Architecture

RECIPES = ("cnn", "mlp", "resnet")


def test_no_hyperparameter_is_a_knob_of_training_too():
    assert not set(ARCHITECTURE) & set(KNOBS)


def test_every_default_is_allowed():
    for setting in ARCHITECTURE.values():
        assert set(setting.recipes) <= set(RECIPES)
        assert set(setting.layered) <= set(setting.recipes)
        assert all(setting.knob.allows(value) for value in setting.recipes.values())


def test_a_layers_own_value_stands_before_the_networks_and_that_before_the_default():
    architecture = Architecture.read({"kernel": 5, "kernel_2": 7, "lr": 0.1}, "cnn")
    assert [architecture.at("kernel", layer) for layer in (1, 2, 3)] == [5, 7, 5]
    assert architecture["depth"] == 2
    assert architecture.at("stride", 1) == 1


def test_filters_grow_from_layer_to_layer_but_where_a_layer_has_its_own():
    architecture = Architecture.read({"filters": 6, "filters_3": 10}, "cnn")
    assert [architecture.filters(layer) for layer in (1, 2, 3, 4)] == [6, 12, 10, 48]
    slower = Architecture.read({"filters": 10, "filters_growth": 1.5}, "resnet")
    assert [slower.filters(stage) for stage in (1, 2, 3)] == [10, 15, 22]


def test_whole_floats_are_counts():
    architecture = Architecture.read({"depth": 3.0, "filters": 8.0}, "cnn")
    assert (architecture.count("depth"), architecture.filters(2)) == (3, 16)
    assert type(architecture.count("depth")) is int


@pytest.mark.parametrize(
    ("name", "value", "recipe"),
    [
        ("kernel", 0, "cnn"),
        ("kernel_2", 2.5, "cnn"),
        ("padding_1", "full", "cnn"),
        ("norm", "batchnorm", "mlp"),
        ("dropout_1", 1.0, "mlp"),
        ("blocks", 0, "resnet"),
        ("activation", "rely", "resnet"),
    ],
)
def test_an_impossible_value_is_refused_by_name(name, value, recipe):
    with pytest.raises(RecipeError, match=f"{name!r} cannot be") as caught:
        Architecture.read({name: value}, recipe)
    assert recipe in caught.value.where


@pytest.mark.parametrize(
    ("name", "recipe", "hint"),
    [
        ("kernl", "cnn", "Did you mean 'kernel'?"),
        ("learning_rate", "mlp", "use one of depth, width"),
        ("momentun", "mlp", "Did you mean 'momentum'?"),
        ("blocks", "cnn", "'blocks' belongs to resnet."),
        ("kernel_2", "mlp", "'kernel' belongs to cnn, resnet."),
        ("depth_2", "cnn", "'depth' is one for the whole network."),
        ("kernel_0", "cnn", "Did you mean"),
    ],
)
def test_an_unknown_name_is_refused_with_a_hint(name, recipe, hint):
    with pytest.raises(RecipeError, match=f"no hyperparameter {name!r}") as caught:
        Architecture.read({name: 1}, recipe)
    assert hint in caught.value.fix
