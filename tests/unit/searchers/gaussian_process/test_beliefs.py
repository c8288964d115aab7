import math

import pytest
import torch

from ripieno.records import Objective, Trial, TrialStatus
from ripieno.searchers import GaussianProcess
from ripieno.searchers.gaussian_process.beliefs import Beliefs
from ripieno.space import Categorical, Float, Space

SPACE = Space(
    rate=Float(0.0, 1.0, default=0.25, confidence="medium"),
    free=Float(0.0, 1.0),
    kernel=Categorical(3, 5, 7, 9, default=5, confidence="high"),
)


def test_the_weight_is_the_logarithm_of_the_density_over_the_number_of_results():
    points = torch.tensor([[0.25, 0.9, 0.375], [0.75, 0.1, 0.375], [0.25, 0.9, 0.875]]).double()
    weights = Beliefs(SPACE).weight(points, observed=20)
    # A normal density with a standard deviation of a quarter, and a choice of six to one.
    expected = [math.log(6.0), math.log(6.0) - 2.0, 0.0]
    assert (2.0 * weights).tolist() == pytest.approx(expected)


def test_without_a_confidence_nothing_weighs():
    space = Space(rate=Float(0.0, 1.0, default=0.25), kernel=Categorical(3, 5))
    assert Beliefs(space).weight(torch.rand(4, 2).double(), observed=1).abs().max() == 0.0


def observed(space, count):
    """Let a searcher observe the same results everywhere: they say nothing."""
    searcher = GaussianProcess(space, Objective("loss"), 2)
    for number, config in enumerate(searcher.suggest(count)):
        searcher.observe([Trial(number, config, TrialStatus.PAUSED, ({"loss": 1.0},))])
    return searcher


def test_where_results_say_nothing_the_belief_decides():
    sure = Space(rate=Float(0.0, 1.0, default=0.2, confidence="high"))
    suggested = [config.rate for config in observed(sure, 8).suggest(3)]
    assert all(abs(rate - 0.2) < 0.25 for rate in suggested)
