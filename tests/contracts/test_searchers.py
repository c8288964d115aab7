"""Every searcher keeps the protocol."""

import pytest

from ripieno.records import Goal, Objective
from ripieno.searchers import (
    Bananas,
    Blocks,
    CmaEs,
    Enqueued,
    Evolution,
    GaussianProcess,
    Grid,
    LocalSearch,
    Random,
    Reinforce,
    Scalarized,
    Sobol,
    Steered,
    TreeParzen,
    make_searcher,
)
from ripieno.testing import (
    Learner,
    LearningSearcherContract,
    SearcherContract,
    example_spaces,
    finite_spaces,
)
from ripieno.testing.simulation import OBJECTIVE


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


class TestTreeParzen(LearningSearcherContract):
    def make(self, space, seed):
        return TreeParzen(space, OBJECTIVE, seed)


class TestTreeParzenWithAShareOfRandomConfigs(LearningSearcherContract):
    def make(self, space, seed):
        return TreeParzen(space, OBJECTIVE, seed, startup=3, random_share=1 / 3)


class TestGaussianProcess(LearningSearcherContract):
    def make(self, space, seed):
        return GaussianProcess(space, OBJECTIVE, seed)


class TestGaussianProcessOfTwoObjectives(SearcherContract):
    @pytest.fixture(params=["finite_nested"])
    def space(self, request):
        return example_spaces()[request.param]

    def make(self, space, seed):
        return GaussianProcess(space, [OBJECTIVE, Objective("accuracy", "maximize")], seed)


class TestCmaEs(LearningSearcherContract):
    def make(self, space, seed):
        return CmaEs(space, OBJECTIVE, seed)


class TestEvolution(LearningSearcherContract):
    def make(self, space, seed):
        return Evolution(space, OBJECTIVE, seed)


class TestLocalSearch(LearningSearcherContract):
    def make(self, space, seed):
        return LocalSearch(space, OBJECTIVE, seed, starts=4)


class TestBananas(LearningSearcherContract):
    def make(self, space, seed):
        return Bananas(space, OBJECTIVE, seed, startup=4, candidates=20)


class TestReinforce(LearningSearcherContract):
    def make(self, space, seed):
        return Reinforce(space, OBJECTIVE, seed)


@pytest.mark.parametrize("kind", [TreeParzen, CmaEs, LocalSearch])
class TestBlocks(LearningSearcherContract):
    @pytest.fixture(autouse=True)
    def _kind(self, kind):
        self._searcher = kind

    def make(self, space, seed):
        shared = list(space.searched)[::2]
        return Blocks(self._searcher(space, OBJECTIVE, seed), space, shared=shared, block=3)


class TestBlocksByName(SearcherContract):
    def make(self, space, seed):
        return make_searcher(
            "treeparzen", space, seed=seed, objective=OBJECTIVE, shared=space.searched[:1], block=4
        )


class TestSteered(SearcherContract):
    def make(self, space, seed):
        searcher = Steered(lambda space, changes: Random(space, seed + changes), space)
        searcher.enqueue([space.default()])
        return searcher


class TestScalarized(SearcherContract):
    def make(self, space, seed):
        goal = Goal((Objective("loss"), Objective("accuracy", "maximize")))
        return Scalarized(Learner(space, seed), goal, seed=seed)
