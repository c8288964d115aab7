"""Each searcher that learns beats random search at equal evaluations, over several seeds."""

import itertools

import numpy as np
import pytest

from ripieno.records import Objective, Trial, TrialStatus
from ripieno.searchers import CmaEs, Evolution, LocalSearch, Random, Reinforce, TreeParzen
from ripieno.space import Categorical, Float, Int, Space

LOSS = Objective("loss")
SEEDS = range(7)
KINDS = [TreeParzen, CmaEs, Evolution, LocalSearch, Reinforce]


def sphere():
    """Five reals, with the optimum off the middle."""
    space = Space(**{f"x{i}": Float(-1.0, 1.0) for i in range(5)})
    return space, lambda config: sum((x - 0.35) ** 2 for x in config.values())


def table():
    """A table of 4,096 cells: each edge has an effect, and so has each pair of neighbours."""
    rng = np.random.default_rng(0)
    space = Space(**{f"edge{i}": Categorical(*"abcd") for i in range(6)})
    alone, pairs = rng.random((6, 4)), 0.5 * rng.random((5, 4, 4))

    def loss(config):
        ops = ["abcd".index(op) for op in config.values()]
        beside = sum(pairs[i, a, b] for i, (a, b) in enumerate(itertools.pairwise(ops)))
        return sum(alone[i, op] for i, op in enumerate(ops)) + beside

    return space, loss


def conditional():
    """Two branches of three reals each; the better one is the harder one to find."""
    space = Space(
        branch=Categorical("wide", "deep"),
        width=Int(8, 512, log=True).when(branch="wide"),
        depth=Int(1, 30).when(branch="deep"),
        **{f"x{i}": Float(0.0, 1.0).when(branch="deep") for i in range(3)},
    )

    def loss(config):
        if config.branch == "wide":
            return 0.4 + abs(np.log2(config.width) - 6.0) / 6.0
        return sum((config[f"x{i}"] - 0.2 * i) ** 2 for i in range(3)) + abs(config.depth - 21) / 30

    return space, loss


PROBLEMS = {"sphere": sphere(), "table": table(), "conditional": conditional()}


def search(searcher, loss, trials):
    """Return the best loss of a search with one worker."""
    best = np.inf
    for number in range(trials):
        (config,) = searcher.suggest(1)
        value = float(loss(config))
        best = min(best, value)
        searcher.observe([Trial(number, config, TrialStatus.PAUSED, ({"loss": value},))])
    return best


@pytest.fixture(scope="module", params=sorted(PROBLEMS))
def problem(request):
    space, loss = PROBLEMS[request.param]
    floor = {"sphere": 0.0, "conditional": 0.0}.get(request.param)
    if floor is None:
        floor = min(map(loss, space.grid()))
    by_chance = [search(Random(space, seed), loss, 100) - floor for seed in SEEDS]
    return space, lambda config: loss(config) - floor, float(np.mean(by_chance))


@pytest.mark.parametrize("kind", KINDS)
def test_its_mean_regret_is_at_most_three_fifths_of_that_of_random_search(kind, problem):
    space, loss, by_chance = problem
    regrets = [search(kind(space, LOSS, seed), loss, 100) for seed in SEEDS]
    assert np.mean(regrets) < 0.6 * by_chance
