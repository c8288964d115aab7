"""What a file holds is held to the annotations of the record that is made of it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pytest

from ripieno.records import check_fields


@dataclass(frozen=True)
class Part:
    name: str


@dataclass(frozen=True)
class Whole:
    count: int = 1
    share: float = 0.5
    word: Literal["a", "b"] = "a"
    maybe: str | None = None
    parts: tuple[Part, ...] = (Part("x"),)
    numbers: Sequence[float] = (1.0,)
    table: Mapping[str, float] = field(default_factory=dict)
    rest: dict[str, Any] = field(default_factory=dict)
    flag: bool = True


@pytest.mark.parametrize(
    "fine",
    [
        {},
        {"share": 3},
        {"share": math.nan},
        {"maybe": "x", "parts": (), "numbers": [1, 2.5]},
        {"table": {"x": 1}, "rest": {"x": [None]}},
    ],
)
def test_what_json_writes_of_a_record_fits_it(fine):
    check_fields(replace(Whole(), **fine))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("count", 1.0),
        ("count", True),
        ("share", "0.5"),
        ("share", 10**400),
        ("word", "c"),
        ("word", ["a"]),
        ("maybe", 3),
        ("parts", ("x",)),
        ("numbers", "12"),
        ("numbers", [None]),
        ("table", {"x": "y"}),
        ("table", [1]),
        ("flag", 1),
    ],
)
def test_what_does_not_fit_is_named(name, value):
    with pytest.raises(TypeError, match=f"^{name} = "):
        check_fields(replace(Whole(), **{name: value}))


def test_a_part_of_a_part_is_looked_at_too():
    with pytest.raises(TypeError, match=r"^name = 3"):
        check_fields(Whole(parts=(Part(3),)))
