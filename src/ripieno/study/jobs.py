"""What a study runs: a recipe on data, or any Python function."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ripieno.executors import ObjectiveRunner, TogetherRunner
from ripieno.hypergradient import KnobTuner
from ripieno.population import PopulationRunner, check_tier
from ripieno.recipes import CostRunner, Data, Device, Recipe, TrainerRunner, complete
from ripieno.records import Runner
from ripieno.study.aims import cost_names
from ripieno.study.settings import Settings

__all__ = ["Job", "SearchJob", "TuneJob"]


class Job(Protocol):
    """Makes the runner that carries a study's orders out."""

    def runner(self, settings: Settings) -> Runner:
        """Return a runner that can be sent to a worker."""


@dataclass(frozen=True, slots=True)
class TuneJob:
    """Trains a recipe on data.

    Args:
        recipe: How a model is trained.
        data: On what.
        seeds: How many times on each fold of the data, each with another seed.

    Raises:
        RecipeError: The recipe is for another task than the data.
    """

    recipe: Recipe
    data: Data
    seeds: int = 1

    def __post_init__(self) -> None:
        object.__setattr__(self, "recipe", complete(self.recipe, self.data))

    def runner(self, settings: Settings) -> Runner:
        """Return the population engine.

        Of a study without a tier, or with several devices for a trial, the one-model trainer.
        """
        costs = cost_names(settings.goal, self.recipe)
        runner = self._trainer(settings)
        return CostRunner(runner, self.recipe, self.data, costs) if costs else runner

    def _trainer(self, settings: Settings) -> Runner:
        device = Device(settings.device)
        if settings.tier is None or settings.devices > 1:
            ending = settings.ending
            trainer = TrainerRunner(
                self.recipe, self.data, settings.seed, self.seeds, ending, device=device,
                tuner=KnobTuner(),
            )  # fmt: skip
            return trainer if settings.devices == 1 else TogetherRunner(trainer, settings.devices)
        return PopulationRunner(
            self.recipe,
            self.data,
            settings.seed,
            seeds=self.seeds,
            tier=check_tier(settings.tier),
            target=settings.ending,
            tuner=KnobTuner(),
            device=device,
        )


@dataclass(frozen=True, slots=True)
class SearchJob:
    """Calls a Python function.

    Args:
        objective: ``objective(config)`` or ``objective(config, report)``.
    """

    objective: Callable[..., Any]

    def runner(self, settings: Settings) -> Runner:
        """Return a runner around the function."""
        metric, *also = settings.goal.metrics
        return ObjectiveRunner(self.objective, metric, tuple(also))
