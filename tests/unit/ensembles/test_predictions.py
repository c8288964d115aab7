import numpy as np
import pytest

from ripieno.ensembles import Predictions
from ripieno.errors import EnsembleError


def make(members=3, rows=4, classes=2, *, fingerprint="rows-a", prefix="m"):
    rng = np.random.default_rng(members * 100 + rows)
    return Predictions(
        rng.dirichlet(np.ones(classes), (members, rows)),
        np.arange(rows) % classes,
        tuple(f"{prefix}{i}" for i in range(members)),
        fingerprint,
    )


def refused(match, *, p=None, targets=(0, 1), ids=("a", "b")):
    if p is None:
        p = np.full((2, 2, 2), 0.5)
    with pytest.raises(EnsembleError, match=match) as caught:
        Predictions(p, np.asarray(targets), ids, "rows")
    assert caught.value.where
    assert caught.value.fix
    return caught.value


def test_predictions_say_how_many_members_rows_and_classes_they_hold():
    predictions = make(3, 5, 4)
    assert (predictions.members, predictions.rows, predictions.classes) == (3, 5, 4)
    assert repr(predictions) == "Predictions(members=3, rows=5, classes=4, fingerprint='rows-a')"


def test_the_arrays_are_read_only_and_the_callers_own_stay_writable():
    p = np.full((1, 2, 2), 0.5)
    predictions = Predictions(p, np.array([0, 1]), ("a",), "rows")
    with pytest.raises(ValueError, match="read-only"):
        predictions.probabilities[0, 0, 0] = 1.0
    p[0, 0, 0] = 0.5


def test_float32_is_kept_and_half_precision_and_whole_numbers_become_float64():
    one_hot = np.eye(2, dtype=np.int64)[None]
    for kind, held in [(np.float32, np.float32), (np.float16, np.float64), (int, np.float64)]:
        predictions = Predictions(one_hot.astype(kind), np.array([0, 1]), ("a",), "rows")
        assert predictions.probabilities.dtype == held


@pytest.mark.parametrize("shape", [(2, 2), (0, 2, 2), (2, 0, 2), (2, 2, 1)])
def test_a_shape_that_is_not_members_rows_classes_is_refused(shape):
    refused(r"probabilities have the shape \(", p=np.full(shape, 0.5))


def test_targets_of_another_length_or_type_are_refused():
    refused(r"targets have the shape \(3,\)", targets=(0, 1, 1))
    refused("the type float64", targets=(0.0, 1.0))


@pytest.mark.parametrize("target", [-1, 2])
def test_a_target_that_is_no_class_is_refused_with_its_row(target):
    error = refused(f"the target {target} of row 1", targets=(0, target))
    assert "0 to 1" in error.fix


def test_too_few_ids_and_ids_that_are_no_strings_are_refused():
    refused("there are 1 ids for 2 members", ids=("a",))
    refused("there are 2 ids", ids=(1, 2))


def test_a_name_that_stands_twice_is_refused():
    refused("the member 'a' stands twice", ids=("a", "a"))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_refused_with_the_member_and_row(value):
    p = np.full((2, 2, 2), 0.5)
    p[1, 1, 0] = value
    error = refused("the member 'b' holds a number that is not finite: row 1 is", p=p)
    assert "1 such rows of 1 members" in error.where


def test_infinities_that_cancel_are_not_finite_either():
    refused("not finite", p=np.array([[[np.inf, -np.inf], [0.5, 0.5]]]), ids=("a",))


def test_logits_are_refused_as_negative_or_as_a_wrong_sum():
    p = np.full((2, 2, 2), 0.5)
    p[0, 0] = [1.5, -0.5]
    assert "softmax" in refused("'a' holds a negative probability", p=p).fix
    p[0, 0] = [1.5, 2.5]
    refused(r"do not sum to 1: row 0 is \[1.5, 2.5\]", p=p)


def test_a_sum_within_a_thousandth_of_one_passes():
    p = np.full((1, 2, 2), 0.5)
    p[0, 0, 0] += 0.0009
    assert Predictions(p, np.array([0, 1]), ("a",), "rows").members == 1
    p[0, 0, 0] += 0.0002
    refused("do not sum to 1", p=p, ids=("a",))


def test_stack_joins_members_in_order():
    first, second = make(2), make(1, prefix="n")
    stacked = Predictions.stack([first, second])
    assert stacked.ids == ("m0", "m1", "n0")
    np.testing.assert_array_equal(stacked.probabilities[:2], first.probabilities)
    np.testing.assert_array_equal(stacked.probabilities[2:], second.probabilities)
    assert stacked.fingerprint == "rows-a"


def test_stack_refuses_other_rows_classes_targets_and_names():
    first = make(2)
    with pytest.raises(EnsembleError, match="fingerprint 'rows-b' is not 'rows-a'"):
        Predictions.stack([first, make(1, fingerprint="rows-b", prefix="n")])
    with pytest.raises(EnsembleError, match="'n0' knows 3 classes, 'm0' 2"):
        Predictions.stack([first, make(1, classes=3, prefix="n")])
    other = Predictions(first.probabilities[:1], 1 - first.targets, ("n0",), "rows-a")
    with pytest.raises(EnsembleError, match="different targets"):
        Predictions.stack([first, other])
    with pytest.raises(EnsembleError, match="'m0' stands twice"):
        Predictions.stack([first, make(1)])
    with pytest.raises(EnsembleError, match="no predictions to stack"):
        Predictions.stack([])


def test_a_subset_keeps_the_members_and_rows_that_were_asked_for():
    whole = make(4, 6, 3)
    part = whole.subset([2, 0], rows=[5, 1])
    assert part.ids == ("m2", "m0")
    np.testing.assert_array_equal(part.probabilities, whole.probabilities[[2, 0]][:, [5, 1]])
    np.testing.assert_array_equal(part.targets, whole.targets[[5, 1]])
    masked = whole.subset(np.array([True, False, True, False]))
    assert masked.ids == ("m0", "m2")
    assert masked.fingerprint == whole.fingerprint


def test_subsets_of_different_rows_cannot_be_stacked():
    whole = make(2, 6)
    left = whole.subset([0], rows=[0, 2])
    with pytest.raises(EnsembleError, match="other rows"):
        Predictions.stack([left, whole.subset([1], rows=[1, 3])])
    assert Predictions.stack([left, whole.subset([1], rows=[0, 2])]).members == 2


def test_a_subset_with_a_member_twice_or_with_none_is_refused():
    with pytest.raises(EnsembleError, match="stands twice"):
        make().subset([0, 0])
    with pytest.raises(EnsembleError, match="shape"):
        make().subset(np.array([], dtype=int))


def test_the_mean_is_the_weighted_sum_of_the_members():
    predictions = make(3, 4, 2)
    weights = [0.25, 0.0, 0.75]
    expected = 0.25 * predictions.probabilities[0] + 0.75 * predictions.probabilities[2]
    np.testing.assert_allclose(predictions.mean(weights), expected, rtol=1e-15)


@pytest.mark.parametrize(
    ("weights", "match"),
    [
        ([0.5, 0.5], "not one share for each of 3 members"),
        ([0.5, 0.7, -0.2], "not one share"),
        ([0.5, np.nan, 0.5], "not one share"),
        ([1.0, 1.0, 1.0], "sum to 3, not to 1"),
    ],
)
def test_weights_that_are_no_shares_are_refused(weights, match):
    with pytest.raises(EnsembleError, match=match):
        make(3).mean(weights)
