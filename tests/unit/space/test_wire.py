import json

import pytest

from ripieno.errors import SpaceError
from ripieno.space import Categorical, Constant, Float, Int, Space
from ripieno.space.wire import load

SPACE = Space(
    lr=Float(1e-4, 1.0, log=True, default=0.1),
    dropout=Float(0.0, 0.6, step=0.2),
    depth=Int(1, 8, step=2, default=3),
    kind=Categorical("a", 1, 2.5, None, True, default=None),
    seed=Constant(7),
    extra=Int(1, 3).when(kind=("a", True)).when(depth=3),
).where("lr * depth <= 1", "not too fast")


def tree():
    return json.loads(SPACE.to_json())


def test_a_space_is_versioned_json():
    written = tree()
    assert written["version"] == 1
    assert written["domains"]["depth"] == {
        "kind": "int", "low": 1, "high": 8, "log": False, "step": 2, "default": 3, "when": [],
    }  # fmt: skip
    assert written["domains"]["extra"]["when"] == [["kind", ["a", True]], ["depth", [3]]]
    assert written["constraints"] == [
        {"description": "not too fast", "expression": "lr * depth <= 1"}
    ]


def test_what_was_written_is_read_back_equal():
    domains, constraints = load(SPACE.to_json())
    assert domains == dict(SPACE)
    assert constraints == SPACE.constraints
    assert Space.from_json(SPACE.to_json()) == SPACE


def test_a_function_travels_as_its_description_and_is_missed_when_it_is_needed():
    space = Space(a=Int(1, 3)).where(lambda config: config.a > 1, "a above one")
    twin = Space.from_json(space.to_json())
    assert twin.constraints[0].description == "a above one"
    with pytest.raises(SpaceError, match="'a above one' is a function"):
        twin.default()


def damaged(path, value):
    """The space's JSON with one part replaced."""
    whole = tree()
    part = whole
    for key in path[:-1]:
        part = part[key]
    part[path[-1]] = value
    return json.dumps(whole)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        (["version"], 2),
        (["version"], None),
        (["domains"], []),
        (["domains"], None),
        (["domains", "lr"], 3),
        (["domains", "lr", "kind"], "complex"),
        (["domains", "lr", "kind"], ["float"]),
        (["domains", "lr", "low"], "x"),
        (["domains", "lr", "low"], None),
        (["domains", "lr", "low"], -1),
        (["domains", "lr", "low"], float("inf")),
        (["domains", "lr", "log"], "yes"),
        (["domains", "lr", "default"], [1]),
        (["domains", "depth", "high"], 10**400),
        (["domains", "depth", "low"], "1"),
        (["domains", "depth", "step"], [1]),
        (["domains", "kind", "choices"], "abc"),
        (["domains", "kind", "choices"], {"a": 1}),
        (["domains", "kind", "choices"], []),
        (["domains", "kind", "choices"], [[1], [2]]),
        (["domains", "kind", "default"], "zzz"),
        (["domains", "seed", "value"], [1]),
        (["domains", "extra", "when"], None),
        (["domains", "extra", "when"], [["kind"]]),
        (["domains", "extra", "when"], [["kind", "a"]]),
        (["domains", "extra", "when"], [[1, ["a"]]]),
        (["domains", "extra", "when"], [["nobody", ["a"]]]),
        (["domains", "extra", "when"], [["kind", ["b"]]]),
        (["domains", "extra", "when"], [["kind", [["a"]]]]),
        (["domains", "a b"], {"kind": "constant", "value": 1, "when": []}),
        (["constraints"], 3),
        (["constraints"], [3]),
        (["constraints", 0, "expression"], 3),
        (["constraints", 0, "expression"], "import os"),
        (["constraints", 0, "description"], None),
    ],
)
def test_a_damaged_space_is_refused_as_a_space(path, value):
    with pytest.raises(SpaceError):
        Space.from_json(damaged(path, value))


@pytest.mark.parametrize("field", ["kind", "low", "high", "log", "step", "default", "when"])
def test_a_missing_field_is_refused(field):
    whole = tree()
    del whole["domains"]["lr"][field]
    with pytest.raises(SpaceError, match="not a space"):
        load(json.dumps(whole))


@pytest.mark.parametrize("text", ["", "{", "[]", "3", "null", '"x"', "{}", "[" * 100_000])
def test_a_text_that_is_no_space_is_refused(text):
    with pytest.raises(SpaceError, match="not a space"):
        load(text)


def test_a_space_of_a_later_version_says_what_to_do():
    with pytest.raises(SpaceError, match="version 2, and this Ripieno reads 1") as caught:
        load(damaged(["version"], 2))
    assert "update Ripieno" in caught.value.fix


def test_a_domain_of_the_users_own_cannot_be_written():
    class Angle:
        conditions = ()
        size = float("inf")
        center = 0.0

        def nth(self, index):
            raise AssertionError

        def encode(self, value):
            return value / 360.0

        def decode(self, unit):
            return unit * 360.0

    space = Space(angle=Angle())
    assert space.default()["angle"] == 0.0
    with pytest.raises(SpaceError, match="a Angle cannot be written as JSON"):
        space.to_json()
