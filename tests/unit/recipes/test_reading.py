import json

import pytest

from ripieno.errors import DataError
from ripieno.recipes import Reading


def test_what_is_said_survives_json():
    said = Reading(target="y", groups="g", drop=("a", "b"), numeric="quantile", image_size=32)
    assert said.to_dict() == {
        "target": "y", "groups": "g", "drop": ("a", "b"), "numeric": "quantile",
        "image_size": (32, 32),
    }  # fmt: skip
    assert Reading.from_dict(json.loads(json.dumps(said.to_dict()))) == said
    assert Reading.from_dict({}) == Reading()
    assert Reading().to_dict() == {}


def test_one_name_is_one_name():
    assert Reading(drop="id", categorical="zip") == Reading(drop=("id",), categorical=("zip",))


@pytest.mark.parametrize("size", [0, (1, 2, 3), (4, -1), (2.0, 2), "32"])
def test_a_size_that_is_none_is_refused(size):
    with pytest.raises(DataError, match="is no height and width"):
        Reading(image_size=size)


def test_an_unknown_transform_is_refused():
    with pytest.raises(DataError, match="cannot be scaled by 'log'"):
        Reading(numeric="log")


def test_what_has_no_meaning_is_refused_by_name():
    with pytest.raises(DataError, match=r"drop = \('a',\) is given, but cats have no columns"):
        Reading(drop="a").refuse("time", "drop", where="cats", because="cats have no columns")
