import numpy as np
import pytest

from ripieno.errors import SpaceError
from ripieno.searchers import Random, Sobol
from ripieno.space import Categorical, Float, Int, Space
from ripieno.space.priors import quantile

SPACE = Space(
    lr=Float(1e-4, 1.0, log=True, default=1e-2, confidence="high"),
    kind=Categorical("a", "b", "c", default="b", confidence="medium"),
    width=Int(8, 64, default=16, confidence="low"),
    free=Float(0.0, 1.0),
)


@pytest.mark.parametrize("name", SPACE)
def test_a_quantile_ascends_from_one_end_of_the_domain_to_the_other(name):
    shares = np.linspace(0.0, 1.0, 101)
    mapped = [quantile(SPACE[name], share) for share in shares]
    assert mapped == sorted(mapped)
    assert (mapped[0], mapped[-1]) == (pytest.approx(0.0, abs=1e-9), pytest.approx(1.0))


def test_without_a_prior_a_share_is_its_own_quantile():
    assert [quantile(SPACE["free"], share) for share in (0.0, 0.3, 1.0)] == [0.0, 0.3, 1.0]
    free = Space(x=Float(0.0, 1.0, default=0.1))
    unit = np.array([0.123])
    assert free.favour(unit) is unit


def test_a_normal_prior_has_the_median_at_its_default_where_the_ends_are_far():
    domain = Float(0.0, 1.0, default=0.5, confidence="high")
    assert quantile(domain, 0.5) == pytest.approx(0.5)
    # One standard deviation of 0.125 holds 68 percent, four hold all.
    assert quantile(domain, 0.8413) == pytest.approx(0.625, abs=1e-3)


@pytest.mark.parametrize("searcher", [Random(SPACE, seed=2), Sobol(SPACE, seed=2)])
def test_random_and_sobol_draw_as_the_priors_say(searcher):
    configs = searcher.suggest(600)
    rates = np.log10([config.lr for config in configs])
    assert np.median(rates) == pytest.approx(-2.0, abs=0.06)
    assert np.std(rates) == pytest.approx(4 * 0.125, abs=0.05)
    assert np.mean([config.kind == "b" for config in configs]) == pytest.approx(4 / 6, abs=0.06)
    assert np.mean([config.width < 36 for config in configs]) > 0.55
    assert np.mean([config.free for config in configs]) == pytest.approx(0.5, abs=0.05)


def test_a_prior_travels_with_the_json_and_leaves_other_spaces_as_they_were():
    assert Space.from_json(SPACE.to_json()) == SPACE
    assert Space.from_json(SPACE.to_json())["lr"].confidence == "high"
    assert "confidence" not in Space(x=Float(0.0, 1.0)).to_json()


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Float(0.0, 1.0, confidence="high"), "no default"),
        (lambda: Int(1, 9, default=3, confidence="sure"), "is no word"),
        (lambda: Categorical("a", "b", confidence=0.9), "is no word"),
    ],
)
def test_a_prior_that_says_nothing_is_refused(make, problem):
    with pytest.raises(SpaceError, match=problem):
        make()
