"""Every searcher keeps the protocol."""

import pytest

from ripieno.records import Goal, Objective
from ripieno.searchers import (
    Enqueued,
    Grid,
    Random,
    Scalarized,
    Sobol,
    Steered,
    make_searcher,
)
from ripieno.testing import Learner, SearcherContract, finite_spaces


class TestRandom(SearcherContract):
    def make(self, space, seed):
        return Random(space, seed)


class TestSobol(SearcherContract):
    def make(self, space, seed):
        return Sobol(space, seed)


class TestGrid(SearcherContract):
    @pytest.fixture(params=sorted(finite_spaces()))
    def space(self, request):
        return finite_spaces()[request.param]

    def make(self, space, seed):
        return Grid(space)


class TestEnqueuedBeforeAGrid(TestGrid):
    def make(self, space, seed):
        return Enqueued(Grid(space).suggest(3)[::-1], Grid(space))


class TestEnqueuedBeforeRandom(SearcherContract):
    def make(self, space, seed):
        return Enqueued(Random(space, seed + 100).suggest(4), Random(space, seed))


class TestEnqueuedBeforeALearner(SearcherContract):
    def make(self, space, seed):
        return Enqueued([space.default()], Learner(space, seed))


class TestSobolByName(SearcherContract):
    def make(self, space, seed):
        return make_searcher("sobol", space, seed=seed)


class TestSteered(SearcherContract):
    def make(self, space, seed):
        searcher = Steered(lambda space, changes: Random(space, seed + changes), space)
        searcher.enqueue([space.default()])
        return searcher


class TestScalarized(SearcherContract):
    def make(self, space, seed):
        goal = Goal((Objective("loss"), Objective("accuracy", "maximize")))
        return Scalarized(Learner(space, seed), goal, seed=seed)
