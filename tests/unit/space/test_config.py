import copy
import enum
import json
import pickle

import numpy as np
import pytest

from ripieno.errors import SpaceError
from ripieno.space import Config
from ripieno.space.config import plain

CONFIG = Config({"lr": 0.1, "depth": 3, "bias": True, "activation": "relu", "clip": None})


def test_values_are_read_as_items_and_as_attributes():
    assert CONFIG["lr"] == CONFIG.lr == 0.1
    assert CONFIG.get("momentum", 0.9) == 0.9
    assert list(CONFIG) == ["lr", "depth", "bias", "activation", "clip"]
    assert len(CONFIG) == 5
    assert "lr" in dir(CONFIG)


def test_an_absent_name_is_explained():
    with pytest.raises(AttributeError, match=r"no 'momentum'; it holds lr, depth.*config\.get"):
        _ = CONFIG.momentum
    with pytest.raises(AttributeError, match="it holds nothing"):
        _ = Config({}).momentum


def test_a_config_cannot_be_changed():
    with pytest.raises(AttributeError, match="immutable"):
        CONFIG.lr = 0.2
    values = {"lr": 0.1}
    config = Config(values)
    values["lr"] = 0.5
    assert config.lr == 0.1


def test_equality_and_hash_go_by_names_values_and_types_and_not_by_order():
    twin = Config(dict(reversed(list(CONFIG.items()))))
    assert twin == CONFIG
    assert hash(twin) == hash(CONFIG)
    assert Config({"x": 1}) != Config({"x": 1.0})
    assert Config({"x": 1}) != Config({"x": True})
    assert Config({"x": 1}) != {"x": 1}
    nan = float("nan")
    assert Config({"x": nan}) == Config({"x": float("nan")})
    assert len({Config({"x": nan}), Config({"x": float("nan")})}) == 1


def test_the_digest_is_the_start_of_the_sha256_of_the_canonical_json():
    # echo -n '{"depth":3,"lr":0.1}' | sha256sum
    config = Config({"lr": 0.1, "depth": 3})
    assert config.to_json() == '{"depth":3,"lr":0.1}'
    assert config.digest == "82c44b759135df14"


def test_a_config_survives_json_pickle_and_copy():
    assert Config(json.loads(CONFIG.to_json())) == CONFIG
    unpickled = pickle.loads(pickle.dumps(CONFIG))  # noqa: S301 - our own bytes
    for twin in (unpickled, copy.deepcopy(CONFIG), copy.copy(CONFIG)):
        assert twin == CONFIG
        assert list(twin) == list(CONFIG)


def test_a_config_shows_itself_as_it_is_written():
    assert repr(Config({"lr": 0.1, "name": "a"})) == "Config(lr=0.1, name='a')"


@pytest.mark.parametrize("value", [[1], (1,), {"a": 1}, 1j, b"x", np.int64(3), object])
def test_values_that_json_does_not_know_are_refused(value):
    with pytest.raises(SpaceError, match="'x' holds a") as caught:
        Config({"x": value})
    assert "build the object from it" in caught.value.fix


class Colour(enum.StrEnum):
    RED = "red"


class Mixed(str, enum.Enum):  # noqa: UP042 - the older way, whose str() is the name
    BLUE = "blue"


class Level(enum.IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    ("value", "expected"),
    [(np.float64(0.1), 0.1), (Colour.RED, "red"), (Mixed.BLUE, "blue"), (Level.HIGH, 3)],
)
def test_relatives_of_the_builtins_become_builtins(value, expected):
    assert plain(value) == expected
    assert type(plain(value)) is type(expected)
    assert type(Config({"x": value})["x"]) is type(expected)


@pytest.mark.parametrize("value", [None, True, 3, 0.5, "relu"])
def test_builtins_stay_what_they_are(value):
    assert plain(value) is value
