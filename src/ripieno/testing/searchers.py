"""What every searcher must keep to."""

import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import cycle

import numpy as np
import pytest

from ripieno.records import Config, Trial, TrialStatus
from ripieno.searchers import Searcher
from ripieno.space import Space
from ripieno.testing.simulation import curve
from ripieno.testing.spaces import example_spaces

__all__ = ["SearcherContract"]


class SearcherContract:
    """Tests that a searcher keeps the protocol, over spaces of every kind.

    Inherit from it in a class whose name begins with ``Test``, and say how to make the
    searcher. A searcher that is not for every space overrides the fixture ``space``.

    Example:
        >>> class TestRandom(SearcherContract):
        ...     def make(self, space, seed):
        ...         return Random(space, seed)
    """

    def make(self, space: Space, seed: int) -> Searcher:
        """Return a fresh searcher."""
        raise NotImplementedError

    @pytest.fixture(params=sorted(example_spaces()))
    def space(self, request: pytest.FixtureRequest) -> Space:
        """Return each example space in turn."""
        return example_spaces()[request.param]

    def test_same_seed_gives_the_same_configs(self, space: Space) -> None:
        """A searcher is a function of its arguments."""
        assert self.make(space, 7).suggest(12) == self.make(space, 7).suggest(12)

    @pytest.mark.parametrize("split", [[1] * 12, [5, 0, 7], [11, 1]])
    def test_configs_do_not_depend_on_the_size_of_batches(
        self, space: Space, split: list[int]
    ) -> None:
        """``suggest(a)`` and then ``suggest(b)`` equals ``suggest(a + b)``."""
        searcher = self.make(space, 3)
        parts = [config for count in split for config in searcher.suggest(count)]
        assert parts == self.make(space, 3).suggest(sum(split))

    def test_every_config_is_a_canonical_config_of_the_space(self, space: Space) -> None:
        """Values lie in their domains, conditions and constraints hold."""
        for config in self.make(space, 1).suggest(20):
            assert space.config(config) == config
            assert space.allows(config)
            assert space.decode(space.encode(config)) == config

    def test_no_more_configs_are_given_than_asked_for(self, space: Space) -> None:
        """Fewer are, once the space is exhausted."""
        searcher = self.make(space, 0)
        assert searcher.suggest(0) == []
        assert len(searcher.suggest(3)) <= 3

    def test_an_exhausted_searcher_stays_exhausted(self, space: Space) -> None:
        """Fewer configs than asked for mean that there will be no more."""
        searcher = self.make(space, 2)
        if len(searcher.suggest(300)) < 300:
            assert searcher.suggest(5) == []
            assert searcher.suggest(1) == []

    def test_same_observations_give_the_same_suggestions(self, space: Space) -> None:
        """Whatever was observed, failed and diverged trials included, nothing else counts."""
        searchers = [self.make(space, 5) for _ in range(2)]
        for _ in range(3):
            batches = [searcher.suggest(4) for searcher in searchers]
            assert batches[0] == batches[1]
            for searcher in searchers:
                searcher.observe([])
                searcher.observe(_trained(batches[0]))
        assert searchers[0].suggest(4) == searchers[1].suggest(4)

    def test_global_random_state_is_neither_used_nor_changed(self, space: Space) -> None:
        """Every draw comes from the seed that was passed in."""
        random.seed(1)
        np.random.seed(1)  # noqa: NPY002 - the state that must not be used
        before = random.getstate(), repr(np.random.get_state())  # noqa: NPY002
        first = self.make(space, 4).suggest(5)
        after = random.getstate(), repr(np.random.get_state())  # noqa: NPY002
        random.seed(2)
        np.random.seed(2)  # noqa: NPY002
        assert before == after
        assert self.make(space, 4).suggest(5) == first


def _trained(configs: Sequence[Config]) -> list[Trial]:
    """Return a trial for each config; one in three is fine, one diverged, one failed."""
    ends = cycle((TrialStatus.PAUSED, TrialStatus.DIVERGED, TrialStatus.FAILED))
    trials = [
        Trial(number, config, status, tuple(curve(config, epoch) for epoch in (1, 2)))
        for number, (config, status) in enumerate(zip(configs, ends, strict=False))
    ]
    return [
        replace(trial, history=(), error="it was meant to fail")
        if trial.status is TrialStatus.FAILED
        else trial
        for trial in trials
    ]
