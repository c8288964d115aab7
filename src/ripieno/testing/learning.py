"""What every searcher that learns from trials must keep to, beside what all searchers do."""

from collections.abc import Sequence

import pytest

from ripieno.records import Config, Trial, TrialStatus
from ripieno.searchers import Searcher
from ripieno.space import Space
from ripieno.testing.searchers import SearcherContract
from ripieno.testing.simulation import curve
from ripieno.testing.spaces import example_spaces, finite_spaces

__all__ = ["LearningSearcherContract"]

_STATUSES = (TrialStatus.PAUSED, TrialStatus.PAUSED, TrialStatus.FAILED, TrialStatus.DIVERGED)


class LearningSearcherContract(SearcherContract):
    """Tests that a searcher learns, forgets nothing, and suggests nothing twice.

    Inherit from it as from :class:`SearcherContract`; the searcher is to minimize ``loss``
    (``ripieno.testing.simulation.OBJECTIVE``).
    """

    @pytest.mark.parametrize("name", sorted(finite_spaces()))
    @pytest.mark.parametrize("batch", [1, 3])
    def test_a_finite_space_is_suggested_config_by_config_to_its_end(
        self, name: str, batch: int
    ) -> None:
        """Nothing comes twice, and nothing is left out, while outcomes arrive."""
        space = finite_spaces()[name]
        searcher = self.make(space, 6)
        configs: list[Config] = []
        while batch_of := searcher.suggest(batch):
            trials = _trials(batch_of, first=len(configs), epochs=1)
            configs += batch_of
            searcher.observe(trials)
        assert len(configs) == len(set(configs))
        assert set(configs) == set(space.grid())

    def test_a_searcher_rebuilt_from_its_calls_gives_the_same_suggestions(
        self, space: Space
    ) -> None:
        """Also where trials are observed again, trained for longer, and some died."""
        searchers = [self.make(space, 8) for _ in range(2)]
        for searcher in searchers:
            configs = searcher.suggest(14)
            for config in configs[:9]:
                searcher.observe(_trials([config], first=configs.index(config), epochs=1))
            searcher.suggest(3)
            searcher.observe(_trials(configs[:12], first=0, epochs=3))
        assert searchers[0].suggest(4) == searchers[1].suggest(4)

    def test_it_learns(self) -> None:
        """What it suggests depends on what was observed."""
        space = example_spaces()["mixed"]
        suggested = []
        for best in (0, 1):
            searcher = self.make(space, 9)
            for number in range(40):
                config = searcher.suggest(1)[0]
                loss = float(number % 2 == best)
                searcher.observe([Trial(number, config, TrialStatus.PAUSED, ({"loss": loss},))])
            suggested.append(searcher.suggest(8))
        assert suggested[0] != suggested[1]

    @pytest.mark.parametrize("status", [TrialStatus.FAILED, TrialStatus.DIVERGED])
    def test_it_goes_on_where_every_trial_dies(self, space: Space, status: TrialStatus) -> None:
        """There is nothing to learn from, and still something to try."""
        searcher = self.make(space, 10)
        for number in range(45):
            for config in searcher.suggest(1):
                searcher.observe([Trial(number, config, status, error="it was meant to")])
        fresh = self.make(space, 10)
        assert len(searcher.suggest(3)) == 3 or len(fresh.suggest(300)) < 300

    def test_trials_that_it_did_not_suggest_are_learnt_from_too(self, space: Space) -> None:
        """Those of another searcher, or given by the user; none is suggested again."""
        searcher: Searcher = self.make(space, 11)
        others = self.make(space, 12).suggest(30)
        searcher.observe(_trials(others, first=0, epochs=2))
        suggested = searcher.suggest(20)
        assert not set(suggested) & set(others)


def _trials(configs: Sequence[Config], *, first: int, epochs: int) -> list[Trial]:
    """Return a trial for each config, of which one in four failed and one in four diverged."""
    trials = []
    for number, config in enumerate(configs, first):
        status = _STATUSES[number % len(_STATUSES)]
        rows = tuple(curve(config, epoch) for epoch in range(1, epochs + 1))
        history = () if status is TrialStatus.FAILED else rows
        trials.append(Trial(number, config, status, history))
    return trials
