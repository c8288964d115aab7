from dataclasses import replace

import pytest

from ripieno.records import Trial, TrialStatus
from ripieno.space import Float, Space
from ripieno.testing import Learner, SearcherContract

SPACE = Space(lr=Float(0.0, 1.0))
TRIAL = Trial(3, SPACE.default(), TrialStatus.PAUSED, ({"loss": 0.5},))
OTHER = replace(TRIAL, id=4)


class TestLearner(SearcherContract):
    def make(self, space, seed):
        return Learner(space, seed)


def taught(*batches):
    learner = Learner(SPACE)
    for trials in batches:
        learner.observe(trials)
    return learner.suggest(1)


@pytest.mark.parametrize(
    "batches",
    [
        [],
        [[OTHER]],
        [[OTHER, TRIAL]],
        [[replace(TRIAL, history=({"loss": 0.6},)), OTHER]],
        [[replace(TRIAL, status=TrialStatus.DIVERGED), OTHER]],
        [[TRIAL, OTHER], [TRIAL]],
    ],
)
def test_suggestions_depend_on_every_fact_and_on_the_sequence(batches):
    assert taught(*batches) != taught([TRIAL, OTHER])


def test_suggestions_do_not_depend_on_how_observations_are_grouped():
    assert taught([TRIAL], [OTHER]) == taught([TRIAL, OTHER])
