"""Suggests the config of which a Gaussian process expects the largest improvement."""

import math
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import numpy as np

from ripieno.errors import SearchError
from ripieno.records import Config, Goal, Objective, Trial
from ripieno.searchers.gaussian_process.layout import Layout, Units, key_of
from ripieno.searchers.gaussian_process.rows import Rows, share
from ripieno.searchers.seeds import check_seed
from ripieno.searchers.sobol import Sobol
from ripieno.space import Space

if TYPE_CHECKING:
    from ripieno.searchers.gaussian_process.surrogate import Surrogate

__all__ = ["GaussianProcess"]

Numbers = tuple[float, ...]

_INCUMBENTS = 5
_PENDING = 128
_TRIES = 200


class GaussianProcess:
    """Models the objective over the space, and suggests where most improvement is expected.

    The first suggestions are points of a scrambled Sobol' sequence. From then on, a Gaussian
    process is fitted to all that was observed, and the config with the largest logarithm of
    the expected improvement is suggested; with several objectives, of the gain in hypervolume
    of the Pareto front; with limits, times the probability that a config keeps them, which is
    all that counts as long as none does. Where results are noisy, it is the improvement on
    what the best configs may truly be. What pending suggestions may give is part of the
    expectation, so that a batch spreads.

    Conditional hyperparameters are modelled like all others. A trial that diverged or failed
    counts as one that gave the worst result so far. Where trials were observed after unlike
    numbers of epochs, the epoch is an input of the model: it learns from all of them, and
    suggests for the last epoch. A default with a confidence draws the suggestions to itself,
    the less the more was observed.

    No config is suggested twice, nor one that was observed, as long as the space has others;
    the searcher is exhausted when a finite space has none. The cost of a suggestion has a
    bound: of more than ``most_rows`` results, the best, the latest and random others are
    modelled (``docs/gaussian-process.md``).

    Trials that were forked are left out: what they gave is not the doing of their config
    alone.

    Args:
        space: What to search.
        objective: What makes a trial good; several for a Pareto front, a goal for limits.
        seed: A whole number from 0 up.
        epochs: Epochs of the full budget; None for the most that was observed.
        initial: Suggestions before the model is asked.
        most_rows: Results that the model is fitted to at most.

    Raises:
        SearchError: A number is out of range, or there is no objective.
    """

    def __init__(
        self,
        space: Space,
        objective: Objective | Goal | Sequence[Objective],
        seed: int = 0,
        *,
        epochs: int | None = None,
        initial: int = 8,
        most_rows: int = 400,
    ) -> None:
        _check(epochs=epochs, initial=initial, most_rows=most_rows)
        if isinstance(objective, Sequence):
            objective = Goal(tuple(objective))
        self._goal = Goal.of(objective)
        self._space = space
        self._seed = check_seed(seed, where="GaussianProcess")
        self._epochs = epochs
        self._initial = initial
        self._most_rows = most_rows
        self._layout = Layout(space)
        self._design = Sobol(space, seed)
        self._rest: Iterator[Config] | None = None
        self._seen: dict[tuple[int, int], tuple[Units, Numbers, Numbers]] = {}
        self._pending: dict[bytes, Units] = {}
        self._tried: set[bytes] = set()
        self._given = 0
        self._exhausted = False
        self._surrogate: Surrogate | None = None
        self._stale = True

    def suggest(self, count: int) -> list[Config]:
        """Return the next configs; fewer than ``count`` once a finite space is exhausted."""
        configs: list[Config] = []
        while len(configs) < count and not self._exhausted:
            config = self._next()
            if config is None:
                self._exhausted = True
                break
            self._take(config)
            self._given += 1
            configs.append(config)
        return configs

    def observe(self, trials: Sequence[Trial]) -> None:
        """Learn from trials, as far as they were trained."""
        for trial in trials:
            if trial.parent is not None:
                continue
            unit = self._space.encode(trial.config)
            self._pending.pop(key_of(unit), None)
            self._tried.add(key_of(unit))
            self._seen[trial.id, trial.epochs] = unit, *self._numbers(trial)
            self._stale = True

    def swap(self, suggested: Config, given: Config) -> None:
        """Note that ``given`` is tried in the place of ``suggested``, which is new again."""
        key = key_of(self._space.encode(suggested))
        self._pending.pop(key, None)
        self._tried.discard(key)
        self._rest = None
        self._take(given)

    def _numbers(self, trial: Trial) -> tuple[Numbers, Numbers]:
        """Return a trial's badness in each objective, and how far it is beyond each limit."""
        goal = self._goal
        # A trial of elsewhere may lack some of several metrics; a lone one is misspelt.
        lacking = not goal.is_plain and not trial.metrics.keys() >= set(goal.metrics)
        merit = None if lacking else goal.merit(trial)
        if merit is None:
            return (math.inf,) * len(goal.objectives), (math.inf,) * len(goal.limits)
        return merit.badness, tuple(limit.excess(trial.metrics) for limit in goal.limits)

    def _take(self, config: Config) -> None:
        unit = self._space.encode(config)
        self._pending[key_of(unit)] = unit
        self._tried.add(key_of(unit))

    def _next(self) -> Config | None:
        """Return a config that was not tried; None where there is none."""
        known = sum(all(map(math.isfinite, badness)) for _, badness, _ in self._seen.values())
        if self._given >= self._initial and known >= 2:
            for unit in self._proposals():
                config = self._space.decode(unit)
                if self._is_new(config):
                    return config
        return self._drawn()

    def _drawn(self) -> Config | None:
        """Return the next new config of the design, or else any that is left."""
        config = None
        for _ in range(_TRIES):
            config = self._design.suggest(1)[0]
            if self._is_new(config):
                return config
        if math.isinf(self._space.size):
            return config
        # What the walk has passed was tried and stays so: it never has to begin again.
        if self._rest is None:
            self._rest = self._space.grid()
        return next(filter(self._is_new, self._rest), None)

    def _is_new(self, config: Config) -> bool:
        allowed = self._space.allows(config)
        return allowed and key_of(self._space.encode(config)) not in self._tried

    def _proposals(self) -> Units:
        """Return configs by what is expected of them, shape ``(count, dims)``."""
        # Loading torch takes a second, which a search that never gets here need not pay.
        import torch

        from ripieno.searchers.gaussian_process.proposing import propose
        from ripieno.searchers.gaussian_process.threads import one_thread

        sequence = np.random.SeedSequence(self._seed, spawn_key=(self._given,))
        rng = np.random.default_rng(sequence)
        with one_thread(), torch.no_grad():
            surrogate = self._taught()
            waiting = list(self._pending.values())[-_PENDING:]
            acquisition = surrogate.acquisition(
                np.array(waiting).reshape(len(waiting), self._space.dims),
                observed=len({trial for trial, _ in self._seen}),
                seed=int(rng.integers(2**31)),
            )
            return propose(acquisition, self._layout, surrogate.incumbents(_INCUMBENTS), rng=rng)

    def _taught(self) -> "Surrogate":
        """Return the model of all that was observed."""
        from ripieno.searchers.gaussian_process.surrogate import Surrogate

        if self._surrogate is None:
            self._surrogate = Surrogate(self._layout)
        if self._stale:
            self._surrogate.learn(self._rows().thinned(self._most_rows, seed=self._seed))
            self._stale = False
        return self._surrogate

    def _rows(self) -> Rows:
        most = self._epochs or max(epochs for _, epochs in self._seen)
        units, badnesses, excesses = zip(*self._seen.values(), strict=True)
        badness = np.array(badnesses)
        # A trial that failed would have failed at the full budget too.
        failed = ~np.isfinite(badness).all(axis=1)
        shares = np.array([share(epochs, most=most) for _, epochs in self._seen])
        return Rows(np.array(units), np.where(failed, 1.0, shares), badness, np.array(excesses))


def _check(*, epochs: int | None, initial: int, most_rows: int) -> None:
    where = f"GaussianProcess(space, …, {epochs=}, {initial=}, {most_rows=})"
    if (epochs is not None and epochs < 1) or initial < 2 or most_rows < 16:
        raise SearchError(
            "a number is too small for a model to be fitted.",
            where=where,
            fix="give epochs of 1 or more, initial of 2 or more, and most_rows of 16 or more.",
        )
