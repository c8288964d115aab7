from dataclasses import replace

import numpy as np
import pytest

from ripieno.diagnostics import inspect
from ripieno.recipes import Split


def only(data):
    (finding,) = inspect(data)
    return finding


def test_healthy_rows_give_no_finding(data):
    assert inspect(data) == ()


def test_validation_rows_in_the_training_part_are_counted(data, with_training):
    x = np.concatenate([data.train.x, data.validation.x[:6]])
    y = np.concatenate([data.train.y, data.validation.y[:3], (data.validation.y[3:6] + 1) % 3])
    finding = only(with_training(x, y))
    assert (finding.kind, finding.severity) == ("leakage", "warning")
    assert finding.evidence == {
        "part": "validation", "rows": 6, "share": 6 / len(data.validation), "same_target": 0.5,
    }  # fmt: skip


def test_test_rows_in_the_training_part_are_found(data):
    leaking = replace(data, test=Split(data.train.x[:10], data.train.y[:10]))
    assert only(leaking).evidence["part"] == "test"


def test_minus_zero_is_zero_to_the_search_for_duplicates(data, with_training):
    x, v = data.train.x.copy(), data.validation.x.copy()
    x[:4, 0], v[:4] = 0.0, x[:4]
    v[:4, 0] = -0.0
    spoiled = replace(with_training(x), validation=Split(v, data.validation.y))
    assert only(spoiled).evidence["rows"] == 4


def test_rows_of_coarse_features_are_no_leak(data):
    parts = {
        n: Split(np.round(np.sign(getattr(data, n).x)) + np.float32(0.5), getattr(data, n).y)
        for n in ("train", "validation")
    }
    for part in parts.values():
        part.x[:, 2:] = 1.0
    kinds = {finding.kind for finding in inspect(replace(data, **parts))}
    assert "leakage" not in kinds


@pytest.mark.parametrize("factor", [100.0, 0.01])
def test_features_far_from_unit_scale_are_found(data, with_training, factor):
    finding = only(with_training(data.train.x * factor))
    assert finding.kind == "unscaled_inputs"
    size = factor * np.sqrt(np.mean(np.square(data.train.x, dtype=np.float64)))
    assert finding.evidence["root_mean_square"] == pytest.approx(size, rel=1e-5)


def test_one_wide_column_among_narrow_ones_is_found(data, with_training):
    x = data.train.x * np.float32(0.01)
    x[:, 1] *= 1000
    finding = only(with_training(x))
    assert 500 < finding.evidence["largest_to_median_spread"] < 2000


def test_a_class_with_few_rows_is_advice(data, with_training):
    y = np.where(np.arange(len(data.train)) < 4, 2, np.arange(len(data.train)) % 2)
    finding = only(with_training(data.train.x, y))
    assert (finding.kind, finding.severity) == ("class_imbalance", "advice")
    assert finding.evidence["rows"] == 4


def test_fewer_than_ten_rows_a_class_are_too_few(data, with_training):
    few = with_training(data.train.x[:29], np.arange(29) % 3)
    assert only(few).kind == "too_little_data"
    assert inspect(with_training(data.train.x[:30], np.arange(30) % 3)) == ()


def test_constant_columns_are_named(data, with_training):
    x = data.train.x.copy()
    x[:, 4] = 0.0
    finding = only(with_training(x))
    assert finding.kind == "constant_features"
    assert finding.sentence.endswith("training rows: 4.")
