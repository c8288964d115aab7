import cmaes
import numpy as np
import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective, Trial, TrialStatus
from ripieno.searchers import CmaEs
from ripieno.space import Categorical, Constant, Float, Int, Space

LOSS = Objective("loss")
SPACE = Space(**{f"x{i}": Float(0.0, 1.0) for i in range(4)})


def trial(number, config, *losses, status=TrialStatus.PAUSED):
    return Trial(number, config, status, tuple({"loss": loss} for loss in losses))


def bowl(config):
    return sum((value - 0.2 * i) ** 2 for i, value in enumerate(config.values()))


def seed_of(seed, restarts=0):
    return int(np.random.SeedSequence(seed, spawn_key=(restarts, 0)).generate_state(1)[0])


def test_it_suggests_what_the_cmaes_package_asks_on_a_continuous_space():
    searcher = CmaEs(SPACE, LOSS, seed=5)
    bounds = np.tile([0.0, 1.0], (4, 1))
    reference = cmaes.CMA(np.full(4, 0.5), 1 / 6, bounds=bounds, seed=seed_of(5))
    number = 0
    for _ in range(15):
        solutions = []
        for _ in range(reference.population_size):
            point = reference.ask()
            (config,) = searcher.suggest(1)
            np.testing.assert_allclose(list(config.values()), point, atol=1e-12)
            searcher.observe([trial(number, config, bowl(config))])
            solutions.append((point, bowl(config)))
            number += 1
        reference.tell(solutions)


def test_a_batch_of_two_generations_is_drawn_from_one_distribution_and_told_in_its_order():
    one_by_one, at_once = (CmaEs(SPACE, LOSS, seed=1, population=6) for _ in range(2))
    batch = at_once.suggest(12)
    assert one_by_one.suggest(6) == batch[:6]
    trials = [trial(n, config, bowl(config)) for n, config in enumerate(batch)]
    at_once.observe(trials[::-1][:6])  # the later half first: they make a generation too
    reference = cmaes.CMA(np.full(4, 0.5), 1 / 6, bounds=np.tile([0.0, 1.0], (4, 1)),
                          seed=seed_of(1), population_size=6)  # fmt: skip
    points = [reference.ask() for _ in range(12)]
    reference.tell([(points[n], bowl(batch[n])) for n in range(6, 12)])
    np.testing.assert_allclose(list(at_once.suggest(1)[0].values()), reference.ask(), atol=1e-9)


def test_dead_trials_are_the_worst_of_their_generation():
    searchers = [CmaEs(SPACE, LOSS, seed=2, population=4) for _ in range(2)]
    for searcher, dead in zip(searchers, (True, False), strict=True):
        configs = searcher.suggest(4)
        bad = (
            trial(0, configs[0], status=TrialStatus.FAILED) if dead else trial(0, configs[0], 99.0)
        )
        searcher.observe([bad, *(trial(n, configs[n], float(n)) for n in (1, 2, 3))])
    assert searchers[0].suggest(1) == searchers[1].suggest(1)


def test_a_generation_is_compared_where_all_of_it_have_been():
    searchers = [CmaEs(SPACE, LOSS, seed=3, population=4) for _ in range(2)]
    for searcher, further in zip(searchers, ((), (0.0,)), strict=True):
        configs = searcher.suggest(4)
        searcher.observe(
            [trial(n, c, float(n), *(further if n == 3 else ())) for n, c in enumerate(configs)]
        )
    assert searchers[0].suggest(1) == searchers[1].suggest(1)


def test_it_finds_choices_whole_numbers_and_reals_together():
    space = Space(
        op=Categorical(*"abcd"),
        twin=Categorical(True, False),
        depth=Int(1, 12),
        width=Int(1, 10_000, log=True),
        x=Float(0.0, 1.0),
        none=Constant(1),
    )

    def loss(config):
        return (
            (config.op != "c")
            + (config.twin is not False)
            + abs(config.depth - 9) / 6
            + abs(np.log10(config.width) - 3)
            + (config.x - 0.7) ** 2
        )

    searcher = CmaEs(space, LOSS, seed=0)
    losses = []
    for number in range(300):
        (config,) = searcher.suggest(1)
        losses.append(float(loss(config)))
        searcher.observe([trial(number, config, losses[-1])])
    assert min(losses) < 0.05


def test_a_contracted_distribution_begins_anew_with_twice_the_population():
    space = Space(a=Int(1, 6), b=Int(1, 6), c=Int(1, 6))
    searcher = CmaEs(space, LOSS, seed=4)
    configs = []
    for number in range(216):
        (config,) = searcher.suggest(1)
        configs.append(config)
        searcher.observe([trial(number, config, float(sum(config.values())))])
    assert len(set(configs)) == 216
    assert searcher.suggest(1) == []
    # The optimum was found early, by the first distribution.
    assert configs.index(space.config(a=1, b=1, c=1)) < 60


def test_a_config_that_it_did_not_draw_is_learnt_from_where_it_is():
    plain, swapped = (CmaEs(SPACE, LOSS, seed=6, population=4) for _ in range(2))
    drawn = plain.suggest(4)
    assert swapped.suggest(4) == drawn
    given = SPACE.config(dict.fromkeys(SPACE, 0.9))
    swapped.swap(drawn[3], given)
    losses = [1.0, 2.0, 3.0, 0.0]
    plain.observe([trial(n, c, losses[n]) for n, c in enumerate(drawn)])
    swapped.observe([trial(n, c, losses[n]) for n, c in enumerate([*drawn[:3], given])])
    means = [np.mean([list(c.values()) for c in s.suggest(40)]) for s in (plain, swapped)]
    assert means[1] > means[0] + 0.05


def test_a_generation_without_two_halves_is_refused():
    with pytest.raises(SearchError, match="generation of 3"):
        CmaEs(SPACE, LOSS, population=3)
