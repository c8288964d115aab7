"""Optuna on the problems of the simulator, over the same spaces and with the same luck.

Its trials see what ours see: the default config first, ordered choices as ``suggest_int`` over
their places, others as ``suggest_categorical``, conditions by asking for what is active, the
repeat of the same trial number, and a training that diverged as a failed trial.
"""

import math
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ripieno.records import Config
from ripieno.space import Categorical, Constant, Float, Int, Space, Value
from ripieno.testing import Incumbent, Problem

__all__ = ["PRUNERS", "SAMPLERS", "Peer", "optuna_search"]

SAMPLERS: dict[str, Callable[[Any, int], Any]] = {
    "optuna_random": lambda samplers, seed: samplers.RandomSampler(seed=seed),
    # Version 5's default, which is multivariate.
    "optuna_tpe": lambda samplers, seed: samplers.TPESampler(seed=seed),
    "optuna_tpe_univariate": lambda samplers, seed: samplers.TPESampler(
        seed=seed, multivariate=False
    ),
    "optuna_gp": lambda samplers, seed: samplers.GPSampler(seed=seed),
}
PRUNERS: dict[str, Callable[[Any, int], Any]] = {
    "none": lambda pruners, _: pruners.NopPruner(),
    "hyperband": lambda pruners, epochs: pruners.HyperbandPruner(1, epochs, 3),
    "median": lambda pruners, _: pruners.MedianPruner(),
}


@dataclass(frozen=True, slots=True)
class Peer:
    """What a search with Optuna gave.

    Args:
        incumbents: The best-so-far curve; an evaluation is a trial.
        suggest_seconds: Processor seconds an evaluation of ask, suggest, report and tell.
        epochs: Epochs that were really trained.
    """

    incumbents: list[Incumbent]
    suggest_seconds: float
    epochs: int


def optuna_search(
    problem: Problem,
    *,
    sampler: str,
    pruner: str = "none",
    seed: int,
    most_trials: int | None = None,
    most_epochs: int | None = None,
) -> Peer:
    """Search a problem with Optuna, one trial after another.

    A trial reports after each epoch and ends where the pruner says so: it has spent the epochs
    that it ran, and no more. The best value so far is that of any epoch of any trial.
    """
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
    study = optuna.create_study(
        direction=problem.objective.direction,
        sampler=SAMPLERS[sampler](optuna.samplers, seed),
        pruner=PRUNERS[pruner](optuna.pruners, problem.epochs),
    )
    study.enqueue_trial(dict(problem.space.default()))
    run = _Run(problem, seed)
    while (most_trials is None or run.trials < most_trials) and (
        most_epochs is None or run.epochs < most_epochs
    ):
        run.trial(study)
    return Peer(run.incumbents, run.seconds / run.trials, run.epochs)


class _Run:
    """A search on its way."""

    def __init__(self, problem: Problem, seed: int) -> None:
        self.problem = problem
        self.seed = seed
        self.incumbents: list[Incumbent] = []
        self.trials = self.epochs = 0
        self.seconds = 0.0

    def trial(self, study: Any) -> None:
        """Carry one trial out, to its end or to where it is pruned."""
        import optuna

        began = time.process_time()
        trial = study.ask()
        config = suggest(trial, self.problem.space)
        self.seconds += time.process_time() - began
        values = self._train(trial, config)
        began = time.process_time()
        if values and not math.isfinite(values[-1]):
            study.tell(trial, state=optuna.trial.TrialState.FAIL)
        elif len(values) < self.problem.epochs:
            study.tell(trial, state=optuna.trial.TrialState.PRUNED)
        else:
            study.tell(trial, values[-1])
        self.seconds += time.process_time() - began

    def _train(self, trial: Any, config: Config) -> list[float]:
        """Return the value after each epoch up to the end, a pruning, or a divergence."""
        problem, values = self.problem, []
        repeat = problem.repeat_of(self.trials, seed=self.seed)
        for epoch in range(1, problem.epochs + 1):
            values.append(problem.measure(config, epoch, repeat))
            if not math.isfinite(values[-1]):
                break
            if problem.epochs > 1:
                began = time.process_time()
                trial.report(values[-1], epoch)
                pruned = trial.should_prune()
                self.seconds += time.process_time() - began
                if pruned:
                    break
        self._enter(values, config)
        return values

    def _enter(self, values: list[float], config: Config) -> None:
        """Count what was spent, and every improvement at its own epoch."""
        objective, before = self.problem.objective, self.epochs
        number, self.trials, self.epochs = self.trials, self.trials + 1, self.epochs + len(values)
        for epoch, value in enumerate(values, 1):
            best = self.incumbents[-1].value if self.incumbents else math.nan
            if math.isfinite(value) and objective.is_better(value, best):
                spent = (self.trials, before + epoch, float(before + epoch))
                self.incumbents.append(Incumbent(number, config, epoch, value, *spent))


def suggest(trial: Any, space: Space) -> Config:
    """Return the config that a trial of Optuna suggests, asked as its users would ask."""
    values: dict[str, Value] = {}
    for name, domain in space.items():
        if all(values.get(parent) in held for parent, held in domain.conditions):
            match domain:
                case Constant():
                    values[name] = domain.value
                case Categorical():
                    values[name] = trial.suggest_categorical(name, domain.choices)
                case Int():
                    values[name] = trial.suggest_int(name, domain.low, domain.high, log=domain.log)
                case Float():
                    values[name] = trial.suggest_float(
                        name, domain.low, domain.high, log=domain.log
                    )
    return space.config(values)
