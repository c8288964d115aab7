import json

import pytest

from ripieno.diagnostics import Diagnosis, Finding, RangeTest
from ripieno.errors import DataError


def test_a_kind_that_is_not_in_the_table_is_refused():
    with pytest.raises(DataError, match="'bad_luck'"):
        Finding("bad_luck", "warning", "It rained.")


def test_a_diagnosis_survives_json():
    tested = RangeTest((0.1, 0.2), (2.0, 1.0), (2.0, 1.5), None, 0.2)
    finding = Finding("leakage", "warning", "Rows.", {"rows": 3, "share": 0.5}, "Drop them.")
    found = Diagnosis((finding,), tested, {"lr": 0.1})
    assert Diagnosis.from_dict(json.loads(json.dumps(found.to_dict()))) == found
    assert found.alarms == (finding,)


def test_advice_is_no_alarm():
    assert Diagnosis((Finding("overfitting", "advice", "It rises."),)).alarms == ()
