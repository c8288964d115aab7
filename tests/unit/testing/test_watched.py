from ripieno.records import Trial, TrialStatus
from ripieno.searchers import Grid
from ripieno.space import Int, Space
from ripieno.testing import Learner, SearcherContract, Watched

SPACE = Space(depth=Int(1, 3))


class TestWatched(SearcherContract):
    def make(self, space, seed):
        return Watched(Learner(space, seed))


def test_what_was_asked_and_observed_is_remembered():
    watched = Watched(Grid(SPACE))
    trials = [
        Trial(number, config, TrialStatus.PAUSED)
        for number, config in enumerate(watched.suggest(5))
    ]
    watched.observe(trials[:2])
    watched.observe(trials[2:])
    assert watched.asked == 5
    assert watched.observed == [trials[:2], trials[2:]]
