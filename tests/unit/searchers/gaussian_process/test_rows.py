import numpy as np
import pytest

from ripieno.searchers.gaussian_process.rows import Rows, share


def rows(count):
    rng = np.random.default_rng(0)
    badness = rng.random((count, 1))
    return made(np.arange(count)[:, None] / count, badness)


def made(units, badness, excess=None):
    free = np.empty((len(units), 0))
    return Rows(units, np.ones(len(units)), badness, free if excess is None else excess)


def test_the_best_and_the_latest_are_kept_in_sequence():
    whole = rows(3_000)
    few = whole.thinned(400, seed=1)
    kept = set(few.units[:, 0].tolist())
    best = np.argsort(whole.badness[:, 0])[:200]
    assert len(few) == 400
    assert {*whole.units[best, 0].tolist(), *whole.units[-100:, 0].tolist()} <= kept
    assert (np.diff(few.units[:, 0]) > 0.0).all()


def test_few_rows_are_all_kept():
    whole = rows(50)
    assert whole.thinned(50, seed=0) is whole


def test_one_row_more_changes_little():
    whole = rows(1_001)
    before = made(whole.units[:-1], whole.badness[:-1]).thinned(200, seed=3)
    after = whole.thinned(200, seed=3)
    assert len(set(after.units[:, 0]) - set(before.units[:, 0])) <= 4


def test_failed_rows_are_not_among_the_best():
    badness = np.full((100, 1), np.inf)
    badness[:20, 0] = np.arange(20)
    kept = made(np.arange(100)[:, None], badness).thinned(40, seed=0)
    assert set(range(20)) <= set(kept.units[:, 0].astype(int).tolist())


def test_rows_that_break_a_limit_are_not_among_the_best():
    badness = np.arange(100.0)[:, None]
    excess = np.where(badness < 50.0, 1.0, -1.0)
    kept = made(badness, badness, excess).thinned(40, seed=0)
    assert set(range(50, 70)) <= set(kept.units[:, 0].astype(int).tolist())


def test_an_epoch_has_its_place_on_a_logarithmic_scale():
    assert share(27, most=27) == 1.0
    assert share(0, most=27) == 0.0
    assert share(3, most=15) == pytest.approx(0.5)
    assert share(40, most=27) == 1.0
