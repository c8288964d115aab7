import numpy as np
import pytest
from scipy.special import ndtr
from sklearn.preprocessing import QuantileTransformer

from ripieno.recipes.quantiles import MOST_QUANTILES, normal_scores, quantiles

COLUMNS = {
    "normal": lambda rng: rng.normal(size=1000),
    "skewed": lambda rng: rng.lognormal(sigma=3, size=5000),
    "mostly zero": lambda rng: np.maximum(rng.normal(-1, 1, 3000), 0),
    "whole": lambda rng: rng.integers(40, size=2000).astype(float),
    "large": lambda rng: rng.normal(size=20_000) + 1e9,
}


@pytest.mark.parametrize("name", COLUMNS)
def test_the_scores_are_those_of_scikit_learn(name):
    rng = np.random.default_rng(0)
    values = COLUMNS[name](rng)
    new = np.concatenate([values, values + rng.normal(size=len(values)), [-1e12, 1e12]])
    known = quantiles(values)
    reference = QuantileTransformer(
        n_quantiles=len(known), output_distribution="normal", subsample=None
    ).fit(values[:, None])
    assert np.allclose(known, reference.quantiles_[:, 0], rtol=1e-12)
    ends = [end for end, beside in ((known[0], known[1]), (known[-1], known[-2])) if end == beside]
    new = new[~np.isin(new, ends)]
    assert np.allclose(normal_scores(new, known), reference.transform(new[:, None])[:, 0])


def test_zeros_that_are_most_of_a_column_stand_in_their_middle():
    values = np.concatenate([np.zeros(6000), np.arange(1, 4001)])
    score = normal_scores(np.zeros(1), quantiles(values))[0]
    assert ndtr(score) == pytest.approx(0.3, abs=0.005)


def test_few_numbers_are_stored():
    assert len(quantiles(np.arange(1_000_000.0))) == MOST_QUANTILES
    assert len(quantiles(np.arange(600.0))) == 20
    assert len(quantiles(np.arange(30.0))) == 10
    assert len(quantiles(np.arange(4.0))) == 4


def test_the_training_part_becomes_normal():
    values = np.random.default_rng(0).lognormal(size=9999)
    scores = normal_scores(values, quantiles(values))
    assert abs(scores.mean()) < 0.01
    assert scores.std() == pytest.approx(1.0, abs=0.02)
    assert np.array_equal(scores.argsort(), values.argsort())
