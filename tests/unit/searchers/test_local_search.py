import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective, Trial, TrialStatus
from ripieno.searchers import LocalSearch
from ripieno.searchers.neighbours import neighbours
from ripieno.space import Categorical, Float, Space

LOSS = Objective("loss")
CELL = Space(**{f"edge{edge}": Categorical(*range(4)) for edge in range(4)})


def trial(number, config, *losses, status=TrialStatus.PAUSED):
    return Trial(number, config, status, tuple({"loss": loss} for loss in losses))


def walk(searcher, count, loss, first=0):
    """Carry suggestions out one by one, and return them."""
    configs = []
    for number in range(first, first + count):
        (config,) = searcher.suggest(1)
        searcher.observe([trial(number, config, loss(config))])
        configs.append(config)
    return configs


def test_all_neighbours_of_a_local_optimum_are_tried_and_nothing_else():
    searcher = LocalSearch(CELL, LOSS, seed=0, starts=1)
    start, *around = walk(searcher, 13, lambda config: 0.0)
    assert set(around) == set(neighbours(CELL, start, step=0.25))


def test_the_first_better_neighbour_is_where_it_goes_on():
    searcher = LocalSearch(CELL, LOSS, seed=1, starts=1)
    configs = walk(searcher, 40, lambda config: float(sum(config.values())))
    here = configs[0]
    for config in configs[1:]:
        if sum(here.values()) == 0:
            break
        assert config in set(neighbours(CELL, here, step=0.25))
        if sum(config.values()) < sum(here.values()):
            here = config
    assert sum(here.values()) == 0


def test_a_walk_begins_with_the_best_of_its_random_starts_and_another_follows_it():
    searcher = LocalSearch(CELL, LOSS, seed=2, starts=4)
    starts = searcher.suggest(4)
    for number, (config, loss) in enumerate(zip(starts, (3.0, 1.0, 2.0, 4.0), strict=True)):
        searcher.observe([trial(number, config, loss)])
    around = walk(searcher, 12 - sum(apart(starts[1], c) == 1 for c in starts), lambda _: 5.0, 4)
    assert all(apart(config, starts[1]) == 1 for config in around)
    # The neighbours are exhausted: the next ones are starts, of another walk that begins anew.
    fresh = walk(searcher, 4, lambda _: 9.0, 50)
    assert all(apart(config, starts[1]) > 1 for config in fresh)
    after = walk(searcher, 3, lambda _: 10.0, 60)
    assert all(any(apart(config, start) == 1 for start in fresh) for config in after)


def apart(left, right):
    return sum(left[name] != right[name] for name in left)


def test_numbers_take_smaller_steps_where_no_neighbour_is_better():
    space = Space(x=Float(0.0, 1.0))
    searcher = LocalSearch(space, LOSS, seed=3, starts=1)
    start, *around = (config.x for config in walk(searcher, 5, lambda config: abs(config.x - 0.4)))
    # Each is one step off the best so far, by a quarter or, later, by a half of that.
    best = start
    for x in around:
        assert any(
            x == pytest.approx(min(max(best + s * w, 0), 1))
            for s in (-1, 1)
            for w in (0.25, 0.125, 0.0625)
        )
        best = min(best, x, key=lambda each: abs(each - 0.4))
    # Halves of a quarter, down to a sixty-fourth, end within half of that of the optimum.
    xs = [config.x for config in walk(searcher, 30, lambda config: abs(config.x - 0.4), 5)]
    assert min(abs(x - 0.4) for x in xs) <= 1 / 128


def test_a_batch_tries_different_neighbours_and_random_configs_when_they_are_all_out():
    searcher = LocalSearch(CELL, LOSS, seed=4, starts=1)
    (start,) = walk(searcher, 1, lambda _: 1.0)
    batch = searcher.suggest(20)
    assert {apart(config, start) for config in batch[:12]} == {1}
    assert min(apart(config, start) for config in batch[12:]) > 1
    # A late result of the walk still moves it.
    searcher.observe([trial(1, batch[3], 0.0)])
    assert apart(searcher.suggest(1)[0], batch[3]) == 1


def test_a_dead_trial_is_no_place_to_go_on_from():
    searcher = LocalSearch(CELL, LOSS, seed=5, starts=2)
    first, second = searcher.suggest(2)
    searcher.observe([trial(0, first, 0.0, status=TrialStatus.DIVERGED), trial(1, second, 9.0)])
    assert all(apart(config, second) == 1 for config in searcher.suggest(5))


def test_a_longer_training_is_no_advantage():
    searcher = LocalSearch(CELL, LOSS, seed=6, starts=2)
    first, second = searcher.suggest(2)
    searcher.observe([trial(0, first, 5.0, 0.0), trial(1, second, 4.0)])
    assert all(apart(config, second) == 1 for config in searcher.suggest(5))


def test_no_start_at_all_is_refused():
    with pytest.raises(SearchError, match="best of 0 configs"):
        LocalSearch(CELL, LOSS, starts=0)
