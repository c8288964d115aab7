import pytest

from ripieno.errors import SpaceError
from ripieno.space import Categorical, Constant, Float, Int
from ripieno.space.activity import Activity


def test_a_hyperparameter_without_conditions_is_active():
    assert Activity({"lr": Float(0, 1)}).holds("lr", {})


def test_any_value_of_a_condition_will_do_and_all_conditions_must_hold():
    activity = Activity(
        {
            "optimizer": Categorical("sgd", "adam", "rmsprop"),
            "depth": Int(1, 3),
            "x": Float(0, 1).when(optimizer=("sgd", "rmsprop")).when(depth=2),
        }
    )
    assert activity.holds("x", {"optimizer": "rmsprop", "depth": 2})
    assert not activity.holds("x", {"optimizer": "adam", "depth": 2})
    assert not activity.holds("x", {"optimizer": "sgd", "depth": 1})
    assert not activity.holds("x", {"optimizer": "sgd"})


def test_parents_come_first_whatever_the_order_of_declaration():
    activity = Activity(
        {"c": Int(1, 2).when(b=1), "b": Int(1, 2).when(a=1), "d": Int(1, 2), "a": Int(1, 2)}
    )
    assert activity.order == ("d", "a", "b", "c")


def test_values_are_told_apart_by_type():
    activity = Activity(
        {"a": Categorical(1, 1.0, True), "b": Int(1, 2).when(a=1.0), "c": Int(1, 2).when(a=True)}
    )
    assert activity.holds("b", {"a": 1.0})
    assert not activity.holds("b", {"a": 1})
    assert not activity.holds("b", {"a": True})
    assert not activity.holds("c", {"a": 1})


def test_a_condition_names_a_value_as_a_config_holds_it():
    third = Activity({"lr": Float(0, 1), "x": Int(1, 2).when(lr=1 / 3)})
    assert third.holds("x", {"lr": Float(0, 1).canonical(1 / 3)})
    whole = Activity({"lr": Float(0, 1), "x": Int(1, 2).when(lr=1)})
    assert whole.holds("x", {"lr": 1.0})
    assert whole.decisive("lr") == [1.0]


@pytest.mark.parametrize(
    ("domains", "problem"),
    [
        ({"a": Int(1, 2).when(b=1)}, "'a' hangs on 'b', which this space does not have"),
        (
            {"a": Int(1, 2).when(b=3), "b": Int(1, 2)},
            "'a' hangs on a value that 'b' never takes: 3",
        ),
        ({"a": Int(1, 2).when(b=()), "b": Int(1, 2)}, "no value of it is named"),
        ({"a": Int(1, 2).when(b=[[1]]), "b": Constant("x")}, "'b' never takes"),
        ({"a": Int(1, 2).when(a=1)}, "conditions of a hang on each other in a circle"),
        (
            {"a": Int(1, 2).when(b=1), "b": Int(1, 2).when(a=1), "c": Int(1, 2)},
            "conditions of a, b hang on each other in a circle",
        ),
    ],
)
def test_conditions_that_cannot_be_are_refused(domains, problem):
    with pytest.raises(SpaceError, match=problem):
        Activity(domains)
