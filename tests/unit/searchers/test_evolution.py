import numpy as np
import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective, Trial, TrialStatus
from ripieno.searchers import Evolution
from ripieno.space import Categorical, Float, Space

LOSS = Objective("loss")
SPACE = Space(**{f"edge{edge}": Categorical(*range(8)) for edge in range(6)})


def trial(number, config, *losses, status=TrialStatus.PAUSED):
    return Trial(number, config, status, tuple({"loss": loss} for loss in losses))


def apart(left, right):
    return sum(left[name] != right[name] for name in left)


def test_the_oldest_trials_die_however_good_they_are():
    searcher = Evolution(SPACE, LOSS, population=5, tournament=2)
    configs = searcher.suggest(12)
    for number in range(12):
        searcher.observe([trial(number, configs[number], float(number))])
        assert searcher.population == list(range(max(0, number - 4), number + 1))


def test_age_is_that_of_the_trial_not_of_its_outcome():
    searcher = Evolution(SPACE, LOSS, population=3, tournament=1)
    configs = searcher.suggest(6)
    for number in (5, 4, 0, 3, 1):
        searcher.observe([trial(number, configs[number], 0.0)])
    assert searcher.population == [3, 4, 5]


def test_a_child_descends_from_the_best_of_the_population_where_all_take_part():
    searcher = Evolution(SPACE, LOSS, seed=1, population=8, tournament=8)
    configs = searcher.suggest(8)
    losses = [3.0, 5.0, 1.0, 4.0, 2.0, 6.0, 7.0, 8.0]
    searcher.observe(
        [trial(n, c, loss) for n, (c, loss) in enumerate(zip(configs, losses, strict=True))]
    )
    children = searcher.suggest(30)
    # One of six changes, and each of the five others with probability 1/6.
    assert np.mean([apart(child, configs[2]) for child in children]) == pytest.approx(
        11 / 6, abs=0.4
    )
    assert len(set(children)) == 30


def test_a_tournament_of_one_takes_any_parent():
    searcher = Evolution(SPACE, LOSS, seed=2, population=4, tournament=1)
    configs = searcher.suggest(4)
    searcher.observe([trial(n, c, float(n)) for n, c in enumerate(configs)])
    parents = [int(np.argmin([apart(child, c) for c in configs])) for child in searcher.suggest(80)]
    assert min(np.bincount(parents, minlength=4)) > 8


def test_a_tournament_compares_where_all_of_it_have_been_and_the_dead_lose():
    searcher = Evolution(SPACE, LOSS, seed=3, population=3, tournament=3)
    configs = searcher.suggest(3)
    searcher.observe([
        trial(0, configs[0], 5.0, 0.1),
        trial(1, configs[1], 4.0),
        trial(2, configs[2], 0.0, status=TrialStatus.DIVERGED),
    ])  # fmt: skip
    assert np.mean([apart(child, configs[1]) for child in searcher.suggest(20)]) < 2.5


def test_before_the_population_is_full_it_draws_at_random():
    searcher = Evolution(Space(x=Float(0.0, 1.0)), LOSS, population=40, tournament=40)
    xs = []
    for number in range(39):
        (config,) = searcher.suggest(1)
        xs.append(config.x)
        searcher.observe([trial(number, config, abs(config.x - 0.5))])
    assert np.std(xs) == pytest.approx(12**-0.5, abs=0.08)


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"population": 5, "tournament": 6}, "tournament of 6"),
        ({"tournament": 0}, "tournament of 0"),
        ({"step": 0.0}, "step = 0.0"),
    ],
)
def test_numbers_out_of_range_are_refused(options, problem):
    with pytest.raises(SearchError, match=problem):
        Evolution(SPACE, LOSS, **options)
