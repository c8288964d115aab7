import math

import pytest

from ripieno.records import Objective, Target


@pytest.mark.parametrize(
    ("direction", "value", "reached"),
    [
        ("maximize", 0.99, True), ("maximize", 0.995, True), ("maximize", 0.98, False),
        ("minimize", 0.99, True), ("minimize", 0.98, True), ("minimize", 0.995, False),
    ],
)  # fmt: skip
def test_a_target_is_reached_by_what_is_as_good(direction, value, reached):
    target = Target(Objective("score", direction), 0.99)
    assert target.is_reached({"score": value}) is reached


def test_a_target_is_not_reached_by_nan_or_by_another_metric():
    target = Target(Objective("score", "maximize"), 0.0)
    assert not target.is_reached({"score": math.nan})
    assert not target.is_reached({"loss": 1.0})
