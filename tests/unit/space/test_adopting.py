import pytest

from ripieno.space import Categorical, Config, Constant, Float, Int, Space

SPACE = Space(
    optimizer=Categorical("sgd", "adam"),
    lr=Float(1e-3, 1.0, log=True),
    momentum=Float(0.0, 0.99, default=0.9).when(optimizer="sgd"),
    layers=Int(1, 4, default=2),
    kind=Constant("x"),
)


@pytest.mark.parametrize(
    ("given", "adopted"),
    [
        # What is missing takes its default.
        (
            {"lr": 0.1},
            {"optimizer": "sgd", "lr": 0.1, "momentum": 0.9, "layers": 2, "kind": "x"},
        ),
        # What is not of the space, or not active, is dropped.
        (
            {"optimizer": "adam", "lr": 0.1, "momentum": 0.5, "layers": 3, "depth": 9},
            {"optimizer": "adam", "lr": 0.1, "layers": 3, "kind": "x"},
        ),
        ({"layers": 2}, None),  # lr has no default
        ({"lr": 2.0}, None),  # out of range, and not moved into it
        ({"lr": 0.1, "optimizer": "lion"}, None),
        ({"lr": 0.1, "kind": "y"}, None),
        ({"lr": 0.1, "layers": True}, None),
    ],
)
def test_a_config_of_another_space_is_adopted_by_one_rule(given, adopted):
    found = SPACE.adopt(Config(given))
    assert (None if found is None else dict(found)) == adopted


def test_an_own_config_is_adopted_as_it_is():
    for config in SPACE.grid() if SPACE.size < 99 else [SPACE.default()]:
        assert SPACE.adopt(config) == config
        assert SPACE.holds(config)


def test_a_config_that_breaks_a_constraint_is_not_adopted():
    space = Space(n=Int(1, 9), m=Int(1, 9)).where("n * m <= 20")
    assert space.adopt(Config({"n": 5, "m": 5})) is None
    assert space.adopt(Config({"n": 5, "m": 4})) is not None


def test_a_space_holds_values_of_its_domains_whatever_else_there_is():
    assert SPACE.holds(Config({"lr": 0.5}))
    assert not SPACE.holds(Config({"lr": 5.0}))
    assert not SPACE.holds(Config({"lr": 0.5, "depth": 3}))


def test_active_hyperparameters_follow_their_parents_values():
    assert "momentum" in SPACE.active({"optimizer": "sgd"})
    assert "momentum" not in SPACE.active({"optimizer": "adam"})
    assert "momentum" not in SPACE.active({})
