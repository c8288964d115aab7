"""The plain loop that trains one model: the reference that every faster engine must equal."""

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

from torch import Tensor

from ripieno.recipes.completing import complete
from ripieno.recipes.data import Data
from ripieno.recipes.devices import Device
from ripieno.recipes.judging import Judging
from ripieno.recipes.keeping import (
    DivergedError,
    Finished,
    StopAskedError,
    alone,
    explain,
    keep,
    take_up,
)
from ripieno.recipes.knobs import read_knobs
from ripieno.recipes.ranks import Ranks
from ripieno.recipes.recipe import Recipe
from ripieno.recipes.replicas import Replica, Replicated, Training, in_equal_epochs, replicas_of
from ripieno.recipes.training import ModelTraining
from ripieno.recipes.tuner import Tuner
from ripieno.records import (
    ArtifactStore,
    Metrics,
    Order,
    Outcome,
    OutcomeStatus,
    Target,
    say_epochs,
)

__all__ = ["TrainerRunner"]


@dataclass(frozen=True, slots=True)
class TrainerRunner:
    """Trains one model after the other, each exactly as it would be trained alone.

    Every number of a trial is a function of (data, recipe, config, seed, trial): its own
    draws, one intra-op thread, and no state outside of what is stored. So training to epoch
    9 equals training to epoch 3, storing, loading and going on to epoch 9, bit for bit.

    Args:
        recipe: How models are trained.
        data: What they are trained on and measured on.
        seed: The study's seed.
        seeds: How many times a trial is trained on each fold of the data, each with another
            seed.
        target: An order ends as if it were asked to stop where its trial reaches this.
        samples: The only training rows that a trial sees, int64, by the trial's number;
            repeats allowed. A trial that is absent sees all.
        ranks: The processes that train each model together, this one among them.
        device: Where models are trained. What is stored lies on the CPU in any case.
        tuner: Computes hypergradients, for trials that tune their knobs on the validation part.

    Raises:
        RecipeError: The recipe is for another task than the data.
    """

    recipe: Recipe
    data: Data
    seed: int = 0
    seeds: int = 1
    target: Target | None = None
    samples: Mapping[int, Tensor] = field(default_factory=dict)
    ranks: Ranks = field(default_factory=Ranks)
    device: Device = field(default_factory=Device, compare=False)
    tuner: Tuner | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "recipe", complete(self.recipe, self.data))

    @property
    def width(self) -> int:
        """One order at a time."""
        return 1

    def group(self, order: Order) -> str:  # noqa: ARG002 - the protocol's signature
        """Return the same name for all orders: none gains from another one's company."""
        return self.recipe.name

    def at(self, rank: int, *, size: int, meeting: str, patience_seconds: float) -> Self:
        """Return the runner of one of several processes that train each model together.

        All of them are given the same orders, and give the same outcomes; the first one
        alone stores anything.

        Args:
            rank: Number of the process.
            size: Number of all processes.
            meeting: Path of a file, which must not exist before, by which they find each
                other.
            patience_seconds: How long one waits for another before it gives up.
        """
        ranks = Ranks(rank, size, meeting, patience_seconds)
        return replace(self, ranks=ranks, device=self.device.of_rank(rank))

    def run(
        self, orders: Sequence[Order], artifacts: ArtifactStore, stop: Callable[[], bool]
    ) -> Iterator[Outcome]:
        """Carry the orders out one after the other; see :class:`~ripieno.records.Runner`.

        Raises:
            ArtifactError: A stored state cannot be read, or a new one cannot be written.
            RecipeError: The device is not there.
        """
        self.ranks.join(self.device.found)
        for order in orders:
            with alone(self.device):
                outcome = self._carry_out(order, artifacts, stop)
            yield outcome

    def _carry_out(
        self, order: Order, artifacts: ArtifactStore, stop: Callable[[], bool]
    ) -> Outcome:
        begin = time.perf_counter()
        # Outside of the net below: a damaged store is no fault of the trial.
        stored = take_up(order, artifacts)
        rows: list[Metrics] = []
        finished: Finished | None = None
        status, message = OutcomeStatus.DONE, None
        note: str | None = None
        try:
            knobs = read_knobs(order.config, optimizers=self.recipe.optimizers)
            judging = Judging.of(self.recipe, knobs, stored)
            training = self._training(order, stop)
            training.start(stored)
            for epoch in range(order.start, order.stop):
                if judging is not None and judging.early_end is not None:
                    break
                finished = training.epoch(epoch, () if judging is None else judging.values)
                if judging is not None:
                    finished = judging.judge(finished)
                rows.append(finished.metrics)
                say_epochs(order.trial, len(rows))
                if self._is_enough(finished.metrics) and epoch + 1 < order.stop:
                    status = OutcomeStatus.STOPPED
                    break
            note = None if judging is None else judging.early_end
        except StopAskedError:
            status = OutcomeStatus.STOPPED
        except DivergedError as error:
            status, message = OutcomeStatus.DIVERGED, str(error)
        except Exception as error:  # noqa: BLE001 - the user's model may raise anything
            status, message = OutcomeStatus.FAILED, explain(error)
        # An order for a trial that early stopping has ended already leaves all as it was.
        done = status is OutcomeStatus.DONE
        keys: tuple[str | None, str | None] = (order.state if done else None, None)
        if (
            finished
            and self.ranks.rank == 0
            and status in {OutcomeStatus.DONE, OutcomeStatus.STOPPED}
        ):
            keys = keep(order, finished, artifacts, recipe=self.recipe, data=self.data)
        return Outcome(
            order,
            status,
            metrics=tuple(rows),
            seconds=time.perf_counter() - begin,
            state=keys[0],
            predictions=keys[1],
            error=message,
            notes="; ".join(filter(None, [self.device.words, note if done else None])) or None,
        )

    def step_seconds(self, order: Order) -> float:
        """Return what a step of an order's model takes, the best of a few; nothing is kept."""
        replicas = self._replicas(order)
        training = self._single(order, replicas[0], lambda: False)
        training.start(None)
        return training.seconds()

    def _is_enough(self, metrics: Metrics) -> bool:
        return self.target is not None and self.target.is_reached(metrics)

    def _training(self, order: Order, stop: Callable[[], bool]) -> Training:
        """Return the order's one model, or all of them where there are folds or seeds."""
        replicas = self._replicas(order)
        made = [self._single(order, replica, stop) for replica in replicas]
        if len(made) == 1:
            return made[0]
        return Replicated(replicas, made, data=self.data, measured=self.recipe.measured)

    def _replicas(self, order: Order) -> tuple[Replica, ...]:
        folds = len(self.data.parts)
        return replicas_of(order.trial, study_seed=self.seed, folds=folds, seeds=self.seeds)

    def _single(self, order: Order, replica: Replica, stop: Callable[[], bool]) -> ModelTraining:
        return ModelTraining(
            in_equal_epochs(self.recipe, self.data),
            self.data.parts[replica.fold],
            order,
            replica=replica,
            order_seed=self.seed,
            sample=self.samples.get(order.trial),
            stop=stop,
            ranks=self.ranks,
            device=self.device,
            tuner=self.tuner,
            judged_rows=min(len(part.validation) for part in self.data.parts),
        )
