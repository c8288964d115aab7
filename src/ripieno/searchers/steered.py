"""A searcher that a user steers while it is searching."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ripieno.records import Config, Trial
from ripieno.searchers.fresh import Fresh
from ripieno.searchers.searcher import Searcher
from ripieno.space import Space

__all__ = ["Steered"]


class Steered:
    """Gives what a user enqueued first, and what another searcher suggests afterwards.

    The other searcher may be shown trials of elsewhere. When the space changes, a new one is
    made for the new space and is shown all that was observed so far, as far as the new space
    holds it (:meth:`ripieno.space.Space.adopt`). A config that was enqueued, or that was
    given before the space changed, is not suggested again: it is dropped and replaced by the
    next one, up to 1,000 times in a row.

    Args:
        make: Makes a searcher, of a space and of how many times the space was changed: with
            another seed for each, so that draws are not repeated.
        space: What is searched first.
    """

    def __init__(self, make: Callable[[Space, int], Searcher], space: Space) -> None:
        self._make = make
        self._space = space
        self._changes = 0
        self._searcher = make(space, 0)
        self._fresh = Fresh(self._searcher)
        self._waiting: deque[Config] = deque()
        self._given: set[str] = set()
        self._dropped: set[str] = set()
        self._seen: dict[int, Trial] = {}

    def suggest(self, count: int) -> list[Config]:
        """Return the next configs; fewer than ``count`` once exhausted."""
        configs: list[Config] = []
        while self._waiting and len(configs) < count:
            configs.append(self._waiting.popleft())
        configs += self._fresh.take(count - len(configs), without=self._dropped)
        self._given.update(config.digest for config in configs)
        return configs

    def observe(self, trials: Sequence[Trial]) -> None:
        """Pass on what the present space holds of the trials."""
        self._seen.update((trial.id, trial) for trial in trials)
        self._searcher.observe(self._adopted(trials) if self._changes else trials)

    def enqueue(self, configs: Iterable[Config]) -> None:
        """Give these configs next, after those that are waiting already."""
        for config in configs:
            self._waiting.append(config)
            self._dropped.add(config.digest)

    def learn(self, trials: Sequence[Trial]) -> None:
        """Show the searcher trials of elsewhere, as far as the present space holds them."""
        self._seen.update((trial.id, trial) for trial in trials)
        self._searcher.observe(self._adopted(trials))

    def change_space(self, space: Space) -> None:
        """Search another space from now on; what is enqueued and not of it is dropped."""
        self._space = space
        self._changes += 1
        self._searcher = self._make(space, self._changes)
        self._fresh = Fresh(self._searcher)
        self._dropped |= self._given
        moved = map(space.adopt, self._waiting)
        self._waiting = deque(config for config in moved if config is not None)
        self._searcher.observe(self._adopted(list(self._seen.values())))

    def _adopted(self, trials: Sequence[Trial]) -> list[Trial]:
        pairs = [(trial, self._space.adopt(trial.config)) for trial in trials]
        return [replace(trial, config=config) for trial, config in pairs if config is not None]
