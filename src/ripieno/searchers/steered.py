"""A searcher that a user steers while it is searching."""

from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace

from ripieno.records import Config, Trial
from ripieno.searchers.searcher import Searcher
from ripieno.space import Space

__all__ = ["Steered"]

_REPEATS = 1_000


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
        self._waiting: deque[Config] = deque()
        self._given: set[str] = set()
        self._dropped: set[str] = set()
        self._seen: dict[int, Trial] = {}
        self._repeats = 0
        self._exhausted = False

    def suggest(self, count: int) -> list[Config]:
        """Return the next configs; fewer than ``count`` once exhausted."""
        configs: list[Config] = []
        while self._waiting and len(configs) < count:
            configs.append(self._waiting.popleft())
        while len(configs) < count and not self._exhausted:
            configs += self._fresh(count - len(configs))
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
        self._dropped |= self._given
        self._repeats, self._exhausted = 0, False
        moved = map(space.adopt, self._waiting)
        self._waiting = deque(config for config in moved if config is not None)
        self._searcher.observe(self._adopted(list(self._seen.values())))

    def _adopted(self, trials: Sequence[Trial]) -> list[Trial]:
        pairs = [(trial, self._space.adopt(trial.config)) for trial in trials]
        return [replace(trial, config=config) for trial, config in pairs if config is not None]

    def _fresh(self, count: int) -> list[Config]:
        """Ask the other searcher once, and leave out what is not to be given again."""
        suggestions = self._searcher.suggest(count)
        self._exhausted = len(suggestions) < count
        fresh: list[Config] = []
        for config in suggestions:
            if config.digest not in self._dropped:
                fresh.append(config)
                self._repeats = 0
                continue
            self._repeats += 1
            if self._repeats == _REPEATS:
                self._exhausted = True
                break
        return fresh
