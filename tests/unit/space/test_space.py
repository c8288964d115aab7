import copy
import pickle
from collections import Counter

import numpy as np
import pytest

from ripieno.errors import SpaceError
from ripieno.space import Categorical, Config, Constant, Float, Int, Space
from ripieno.testing import example_spaces

SPACE = Space(
    filters=Int(8, 64, log=True),
    optimizer=Categorical("sgd", "adam"),
    lr=Float(1e-4, 1.0, log=True),
    momentum=Float(0.0, 0.9).when(optimizer="sgd"),
    epochs=Constant(27),
)


def test_a_space_is_a_mapping_of_names_to_domains():
    assert list(SPACE) == ["filters", "optimizer", "lr", "momentum", "epochs"]
    assert SPACE["lr"] == Float(1e-4, 1.0, log=True)
    assert len(SPACE) == 5
    assert SPACE.searched == ("filters", "optimizer", "lr", "momentum")
    assert SPACE.dims == 4


def test_the_default_is_the_center_of_every_active_hyperparameter():
    assert dict(SPACE.default()) == {
        "filters": 22, "optimizer": "sgd", "lr": 0.01, "momentum": 0.45, "epochs": 27,
    }  # fmt: skip


def test_the_default_of_a_constrained_space_is_an_allowed_config_near_the_center():
    space = Space(x=Float(0.0, 1.0), y=Float(0.0, 1.0)).where("x >= 0.6")
    default = space.default()
    assert default == space.default()
    assert 0.6 <= default["x"] < 0.65
    assert abs(default["y"] - 0.5) < 0.1


def test_a_config_is_completed_by_constants_and_brought_into_order():
    config = SPACE.config(lr=0.1, optimizer="adam", filters=16)
    assert list(config.items()) == [
        ("filters", 16), ("optimizer", "adam"), ("lr", 0.1), ("epochs", 27),
    ]  # fmt: skip
    assert SPACE.config(config) == config
    assert SPACE.config({"lr": 0.1, "filters": 16}, optimizer="adam") == config


def test_a_config_is_brought_into_the_types_of_the_domains():
    config = SPACE.config(lr=1, optimizer="adam", filters=16.0)
    assert [type(value) for value in config.values()] == [int, str, float, int]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"lrr": 0.1}, "'lrr' is no hyperparameter of this space"),
        ({"filters": 16, "optimizer": "adam"}, "'lr' has no value"),
        (
            {"filters": 16, "optimizer": "adam", "lr": 0.1, "momentum": 0.5},
            r"'momentum' is given, but its condition optimizer in \{'sgd'\} is not met",
        ),
        ({"filters": 99, "optimizer": "adam", "lr": 0.1}, "'filters': 99 is not a value"),
        ({"filters": 9, "optimizer": "adam", "lr": 0.1, "epochs": 3}, "'epochs': 3 is not"),
    ],
)
def test_a_config_that_does_not_fit_is_refused(values, problem):
    with pytest.raises(SpaceError, match=problem):
        SPACE.config(values)


def test_an_unknown_name_is_refused_with_a_close_match():
    with pytest.raises(SpaceError) as caught:
        SPACE.config(momemtum=0.5)
    assert caught.value.fix == "did you mean 'momentum'?"


def test_a_config_that_breaks_a_constraint_is_refused_by_its_description():
    space = Space(a=Int(1, 9), b=Int(1, 9)).where(lambda c: c.a < c.b, "a below b")
    assert space.config(a=1, b=2) == Config({"a": 1, "b": 2})
    assert not space.allows(Config({"a": 3, "b": 2}))
    with pytest.raises(SpaceError, match="breaks the constraint 'a below b'"):
        space.config(a=3, b=2)


def test_where_leaves_the_space_as_it_was():
    bound = SPACE.where("filters < 20")
    assert SPACE.constraints == ()
    assert [constraint.description for constraint in bound.constraints] == ["filters < 20"]
    assert bound != SPACE
    assert bound.where("lr < 0.1", "slow").constraints[1].description == "slow"


def test_samples_keep_the_constraints_and_depend_on_the_generator_alone():
    space = example_spaces()["constrained"]
    draws = space.sample(np.random.default_rng(3), 50)
    assert all(space.allows(draw) for draw in draws)
    assert draws == space.sample(np.random.default_rng(3), 50)


def test_samples_of_a_constrained_space_are_uniform_on_what_is_allowed():
    space = Space(x=Int(1, 4), y=Int(1, 4)).where("x < y")
    draws = space.sample(np.random.default_rng(0), 6_000)
    counts = Counter((draw["x"], draw["y"]) for draw in draws)
    assert sorted(counts) == [(1, 2), (1, 3), (1, 4), (2, 3), (2, 4), (3, 4)]
    # Four standard deviations of a binomial count with n = 6,000 and p = 1/6 are 115.
    assert max(abs(count - 1_000) for count in counts.values()) < 115


def test_encode_gives_one_coordinate_a_choice_and_one_half_where_inactive():
    config = SPACE.config(filters=16, optimizer="adam", lr=0.01)
    unit = SPACE.encode(config)
    assert unit.shape == (4,)
    assert unit.dtype == np.float64
    assert unit.tolist()[1:] == [0.75, 0.5, 0.5]


def test_decode_does_not_read_the_coordinates_of_inactive_hyperparameters():
    first = SPACE.decode(np.array([0.5, 0.9, 0.5, 0.1]))
    second = SPACE.decode(np.array([0.5, 0.9, 0.5, 0.8]))
    assert first == second
    assert "momentum" not in first


def test_decode_of_a_point_of_the_wrong_length_is_an_error():
    with pytest.raises(ValueError, match="zip"):
        SPACE.decode(np.zeros(3))


def test_children_may_be_declared_before_their_parents():
    space = Space(b=Int(1, 3).when(a=2), a=Int(1, 2))
    assert list(space.config(a=2, b=3)) == ["b", "a"]
    assert dict(space.config(a=1)) == {"a": 1}


@pytest.mark.parametrize("name", ["a b", "1x", "", "x-y"])
def test_a_name_that_is_no_identifier_is_refused(name):
    with pytest.raises(SpaceError, match="cannot be read as an attribute"):
        Space(**{name: Int(1, 2)})


@pytest.mark.parametrize("value", [3, "relu", None, [1, 2]])
def test_a_value_in_place_of_a_domain_is_refused(value):
    with pytest.raises(SpaceError, match="is no domain") as caught:
        Space(x=value)
    assert f"x=Constant({value!r})" in caught.value.fix


def test_a_continuous_grid_is_refused_before_the_first_config():
    with pytest.raises(SpaceError, match="'lr' is continuous"):
        SPACE.grid()


@pytest.mark.parametrize("name", sorted(set(example_spaces()) - {"constrained"}))
def test_a_space_survives_json_pickle_and_copy(name):
    space = example_spaces()[name]
    unpickled = pickle.loads(pickle.dumps(space))  # noqa: S301 - our own bytes
    for twin in (Space.from_json(space.to_json()), unpickled, copy.deepcopy(space)):
        assert twin == space
        assert hash(twin) == hash(space)
        assert twin.sample(np.random.default_rng(0), 5) == space.sample(np.random.default_rng(0), 5)


def test_spaces_differ_by_domains_and_order_and_are_no_dictionaries():
    assert Space(a=Int(1, 2)) != Space(a=Int(1, 3))
    assert Space(a=Int(1, 2), b=Int(1, 2)) != Space(b=Int(1, 2), a=Int(1, 2))
    assert Space(a=Int(1, 2)) != {"a": Int(1, 2)}


def test_a_space_shows_itself_as_it_is_written():
    space = Space(depth=Int(1, 3), x=Float(0.0, 1.0).when(depth=2))
    assert (
        repr(space)
        == "Space(depth=Int(low=1, high=3), x=Float(low=0.0, high=1.0).when(depth=(2,)))"
    )
