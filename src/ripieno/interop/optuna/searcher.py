"""Any of Optuna's samplers as a searcher over any space."""

from collections import defaultdict, deque
from collections.abc import Sequence

import numpy as np
import optuna
from optuna.distributions import (
    CategoricalDistribution,
    FloatDistribution,
    IntDistribution,
)
from optuna.samplers import BaseSampler, BruteForceSampler, GridSampler
from optuna.trial import TrialState

from ripieno.errors import SearchError
from ripieno.interop.optuna.distributions import (
    as_distribution,
    distributions_of,
    searched_values,
)
from ripieno.interop.optuna.quiet import quiet
from ripieno.records import Config, Objective, Trial
from ripieno.space import Domain, Space, Value

__all__ = ["OptunaSearcher"]

_TRIES = 32
_MOST = 10_000
"""Tries with a sampler that gives nothing twice: it meets what the constraints allow in the end."""


class OptunaSearcher:
    """Lets a sampler of Optuna say which config to try next.

    Each config is asked for parameter by parameter, those that others hang on first, so that
    a conditional hyperparameter is drawn only where it is active. A config that breaks a
    constraint is told as failed and asked for anew, 32 times at most; then one is drawn from
    the space at random in its place.

    Optuna knows a trial with one end. Here a trial that is trained farther is observed again
    and again: the first time ends the sampler's trial, each further one adds a trial with the
    same parameters. With ``epochs``, those that were not trained so far are *pruned* trials,
    which a TPE ranks below complete ones and a Gaussian process does not read. A trial that
    failed or diverged has the worst value so far, where Optuna would forget it.

    It is deterministic where the sampler is, which must therefore have a seed of its own and
    be new: a study that goes on replays it.

    Args:
        space: What to search.
        objective: What the sampler is after.
        sampler: ``optuna.samplers.TPESampler(seed=0)``, for example. Of a ``GridSampler`` or a
            ``BruteForceSampler`` the searcher is exhausted when all is given.
        epochs: How long a whole training is; None takes every observation as complete.

    Raises:
        SearchError: The sampler is none.
    """

    def __init__(
        self,
        space: Space,
        objective: Objective,
        sampler: BaseSampler,
        *,
        epochs: int | None = None,
    ) -> None:
        if not isinstance(sampler, BaseSampler):
            raise SearchError(
                f"{sampler!r} is no sampler of Optuna.",
                where="OptunaSearcher(space, objective, sampler)",
                fix="make one: optuna.samplers.TPESampler(seed=0).",
            )
        self._space = space
        self._objective = objective
        self._epochs = epochs
        self._study = _study(sampler, objective)
        self._walks_once = isinstance(sampler, GridSampler | BruteForceSampler)
        self._order = _parents_first(space)
        self._open: dict[str, deque[optuna.Trial]] = defaultdict(deque)
        self._told: dict[tuple[int, str], tuple[int, bool]] = {}
        self._seen: set[str] = set()
        self._exhausted = False

    @property
    def study(self) -> optuna.Study:
        """The study that the sampler reads."""
        return self._study

    def suggest(self, count: int) -> list[Config]:
        """Return the next configs; fewer than ``count`` once the sampler has no more."""
        configs: list[Config] = []
        with quiet():
            while len(configs) < count and not self._exhausted:
                trial, config = self._next()
                self._exhausted = self._walks_once and config.digest in self._seen
                if not self._exhausted:
                    self._seen.add(config.digest)
                    self._open[config.digest].append(trial)
                    configs.append(config)
        return configs

    def observe(self, trials: Sequence[Trial]) -> None:
        """Tell the sampler of trials that were trained further."""
        with quiet():
            for trial in trials:
                # A bad end is news too, without another epoch.
                reached = (trial.epochs, trial.error is not None)
                if self._told.get(_key(trial), (-1, False)) < reached:
                    self._tell(trial)
                    self._told[_key(trial)] = reached

    def _next(self) -> tuple[optuna.Trial, Config]:
        """Ask for a config that keeps the constraints."""
        for _ in range(_MOST if self._walks_once else _TRIES):
            trial = self._study.ask()
            config = self._draw(trial)
            if self._space.allows(config):
                return trial, config
            self._study.tell(trial, state=TrialState.FAIL)
        # A seed that a replay has at this place too, and no other suggestion.
        asked = len(self._study.get_trials(deepcopy=False))
        config = self._space.sample(np.random.default_rng(asked), 1)[0]
        self._study.enqueue_trial(searched_values(self._space, config))
        trial = self._study.ask()
        return trial, self._draw(trial)

    def _draw(self, trial: optuna.Trial) -> Config:
        unit = np.full(self._space.dims, 0.5)
        places = {name: place for place, name in enumerate(self._space.searched)}
        for name in self._order:
            # Whether it is active is decided by those before it.
            if name in self._space.decode(unit):
                domain = self._space[name]
                unit[places[name]] = domain.encode(_suggested(trial, name, domain))
        return self._space.decode(unit)

    def _tell(self, trial: Trial) -> None:
        value = trial.value(self._objective)
        if np.isnan(value):
            value = self._worst()
        asked = self._open[trial.config.digest]
        own = asked.popleft() if _key(trial) not in self._told and asked else None
        state = self._state(trial, value)
        if own is None:
            self._study.add_trial(self._made(trial, state, value))
        elif state is TrialState.PRUNED:
            own.report(value, trial.epochs)
            self._study.tell(own, state=state)
        else:
            self._study.tell(own, None if state is TrialState.FAIL else value, state=state)

    def _state(self, trial: Trial, value: float) -> TrialState:
        if np.isnan(value):
            return TrialState.FAIL
        whole = self._epochs is None or trial.epochs >= self._epochs or trial.error is not None
        return TrialState.COMPLETE if whole else TrialState.PRUNED

    def _made(self, trial: Trial, state: TrialState, value: float) -> optuna.trial.FrozenTrial:
        """Return a trial that the sampler did not ask for."""
        return optuna.trial.create_trial(
            state=state,
            value=None if state is TrialState.FAIL else value,
            params=searched_values(self._space, trial.config),
            distributions=distributions_of(self._space, trial.config),
            intermediate_values={trial.epochs: value} if state is TrialState.PRUNED else {},
        )

    def _worst(self) -> float:
        """Return the worst value of a trial so far, NaN without one."""
        values = [trial.value for trial in self._study.get_trials(deepcopy=False)]
        known = [value for value in values if value is not None]
        return max(known, key=self._objective.badness) if known else np.nan


def _key(trial: Trial) -> tuple[int, str]:
    """Tell a trial from those of another study that were observed before the first one."""
    return trial.id, trial.config.digest


class _Study(optuna.Study):
    """A study without a loop: what a sampler asks to be stopped is not running."""

    def stop(self) -> None:
        """Do nothing: a repeated config says that a sampler is at its end."""


def _study(sampler: BaseSampler, objective: Objective) -> optuna.Study:
    storage = optuna.storages.InMemoryStorage()
    with quiet():
        optuna.create_study(
            storage=storage, study_name="ripieno", direction=objective.direction, sampler=sampler
        )
        return _Study("ripieno", storage, sampler, optuna.pruners.NopPruner())


def _parents_first(space: Space) -> list[str]:
    """Return what is searched so that each name comes after all that it hangs on."""
    order: dict[str, None] = {}

    def place(name: str) -> None:
        for parent, _ in space[name].conditions:
            place(parent)
        order[name] = None

    for name in space.searched:
        place(name)
    return [name for name in order if name in space.searched]


def _suggested(trial: optuna.Trial, name: str, domain: Domain) -> Value:
    match as_distribution(domain):
        case CategoricalDistribution(choices=choices):
            return trial.suggest_categorical(name, choices)
        case IntDistribution() as whole:
            return trial.suggest_int(name, whole.low, whole.high, log=whole.log, step=whole.step)
        case FloatDistribution() as real:
            return trial.suggest_float(name, real.low, real.high, log=real.log, step=real.step)
        case other:
            raise AssertionError(f"{other!r} is none of ours")
