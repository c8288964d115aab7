import numpy as np
import pytest

from ripieno.searchers.gaussian_process.targets import signed, standardized


def test_targets_have_mean_zero_and_variance_one_and_keep_their_sequence():
    numbers = np.random.default_rng(0).lognormal(0.0, 3.0, 50)
    targets = standardized(numbers)
    assert targets.mean() == pytest.approx(0.0, abs=1e-12)
    assert targets.std() == pytest.approx(1.0)
    assert (np.argsort(targets) == np.argsort(numbers)).all()


def test_what_failed_is_as_bad_as_the_worst_that_did_not():
    targets = standardized(np.array([1.0, np.inf, 3.0, np.nan, 2.0]))
    assert targets[1] == targets[3] == targets[2] == targets.max()


def test_one_huge_number_does_not_make_the_others_alike():
    numbers = np.append(np.linspace(0.0, 1.0, 20), 1e9)
    targets = standardized(numbers)
    # Standardised alone, they would be 5e-9 apart.
    assert np.ptp(targets[:20]) > 0.3


def test_the_better_half_is_moved_and_stretched_and_not_bent():
    numbers = np.random.default_rng(1).lognormal(0.0, 2.0, 41)
    lower = np.sort(numbers)[:21]
    targets = np.sort(standardized(numbers))[:21]
    ratios = np.diff(targets) / np.diff(lower)
    assert ratios.max() / ratios.min() == pytest.approx(1.0, abs=1e-8)


@pytest.mark.parametrize("numbers", [[2.0, 2.0, 2.0], [np.inf, np.nan]])
def test_numbers_that_say_nothing_are_all_the_mean(numbers):
    assert standardized(np.array(numbers)).tolist() == [0.0] * len(numbers)


def test_a_limit_keeps_its_sign_and_its_sequence():
    excess = np.array([-2.0, -0.5, 0.0, 1.0, 1e9, np.inf])
    targets = signed(excess)
    assert np.sign(targets).tolist() == [-1.0, -1.0, 0.0, 1.0, 1.0, 1.0]
    assert (np.diff(targets[:5]) > 0.0).all()
    assert targets[5] == targets[4] < 50.0
    assert signed(np.array([np.nan, np.inf])).tolist() == [0.0, 0.0]
