"""Optuna's samplers keep the protocol of searchers."""

import optuna
import pytest

from ripieno.interop.optuna import OptunaSearcher
from ripieno.records import Objective
from ripieno.testing import SearcherContract, finite_spaces

OBJECTIVE = Objective("loss")


class TestRandomSampler(SearcherContract):
    def make(self, space, seed):
        return OptunaSearcher(space, OBJECTIVE, optuna.samplers.RandomSampler(seed=seed))


class TestTpeSampler(SearcherContract):
    def make(self, space, seed):
        sampler = optuna.samplers.TPESampler(seed=seed, n_startup_trials=3, n_ei_candidates=4)
        return OptunaSearcher(space, OBJECTIVE, sampler, epochs=2)


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
class TestBruteForceSampler(SearcherContract):
    @pytest.fixture(params=["single", "finite", "finite_nested"])
    def space(self, request):
        return finite_spaces()[request.param]

    def make(self, space, seed):
        return OptunaSearcher(space, OBJECTIVE, optuna.samplers.BruteForceSampler(seed=seed))
