import pytest

from ripieno.errors import RecipeError
from ripieno.recipes import KNOBS, read_knobs
from ripieno.recipes.knobs import Knobs, check_knob


def test_every_knob_of_the_table_is_a_field_and_allows_its_default():
    assert set(KNOBS) == set(Knobs.__dataclass_fields__)
    assert all(knob.allows(knob.default) for knob in KNOBS.values())


def test_knobs_that_a_config_lacks_have_their_defaults():
    knobs = read_knobs({"lr": 0.5, "filters": 3})
    assert (knobs.lr, knobs.optimizer, knobs.batch_size) == (0.5, "adam", 32)


def test_a_whole_float_is_a_batch_size():
    size = read_knobs({"batch_size": 64.0}).batch_size
    assert size == 64
    assert type(size) is int


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lr", 0.0),
        ("lr", float("nan")),
        ("lr", "fast"),
        ("momentum", 1.0),
        ("batch_size", 0),
        ("batch_size", 32.5),
        ("nesterov", 1),
        ("label_smoothing", 1.1),
        ("weight_decay", -1e-4),
        ("schedule_gamma", 0.0),
        ("class_weights", "auto"),
        ("optimizer", True),
    ],
)
def test_an_impossible_value_is_refused_by_name(name, value):
    with pytest.raises(RecipeError, match=f"{name!r} cannot be") as caught:
        read_knobs({name: value})
    assert KNOBS[name].allowed in caught.value.fix


@pytest.mark.parametrize(
    ("name", "value", "meant"),
    [("optimizer", "Adam", "adam"), ("optimizer", "rmprop", "rmsprop"), ("schedule", "cos", "cos")],
)
def test_the_closest_choice_is_named(name, value, meant):
    with pytest.raises(RecipeError) as caught:
        check_knob(name, value)
    assert f"Did you mean '{meant}" in caught.value.fix or meant in caught.value.fix


def test_a_name_that_is_no_knob_belongs_to_the_model():
    check_knob("filters", "anything")
