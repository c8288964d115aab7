"""The plain loop that trains one model: the reference that every faster engine must equal."""

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ripieno.errors import RecipeError
from ripieno.recipes import draws
from ripieno.recipes.altering import Altering
from ripieno.recipes.augmentation import augment, augmentation_strengths
from ripieno.recipes.backbone import rate_scales, take_features
from ripieno.recipes.building import arrange, build_model
from ripieno.recipes.completing import complete
from ripieno.recipes.data import Data
from ripieno.recipes.dropout import DropoutMode, backward
from ripieno.recipes.feeding import Features, as_features, feed, first_rows
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
from ripieno.recipes.knobs import Knobs, read_knobs
from ripieno.recipes.loss_options import chosen_loss, loss_options
from ripieno.recipes.losses import find_loss, reduce
from ripieno.recipes.metrics import measure_scores
from ripieno.recipes.optimizers import build_optimizer, put_in_mode
from ripieno.recipes.prediction import check_logits, predict_scores
from ripieno.recipes.recipe import Recipe
from ripieno.recipes.regularizers import clip_gradient, decay_weights, limit_norms, penalty
from ripieno.recipes.replicas import Replica, Replicated, Training, in_equal_epochs, replicas_of
from ripieno.recipes.schedules import learning_rate_factor
from ripieno.recipes.slots import kept_slots
from ripieno.recipes.state import State
from ripieno.records import ArtifactStore, Metrics, Order, Outcome, OutcomeStatus, Target

__all__ = ["TrainerRunner", "batches"]

_TIMED_STEPS = 4


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

    Raises:
        RecipeError: The recipe is for another task than the data.
    """

    recipe: Recipe
    data: Data
    seed: int = 0
    seeds: int = 1
    target: Target | None = None
    samples: Mapping[int, Tensor] = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "recipe", complete(self.recipe, self.data))

    @property
    def width(self) -> int:
        """One order at a time."""
        return 1

    def group(self, order: Order) -> str:  # noqa: ARG002 - the protocol's signature
        """Return the same name for all orders: none gains from another one's company."""
        return self.recipe.name

    def run(
        self, orders: Sequence[Order], artifacts: ArtifactStore, stop: Callable[[], bool]
    ) -> Iterator[Outcome]:
        """Carry the orders out one after the other; see :class:`~ripieno.records.Runner`.

        Raises:
            ArtifactError: A stored state cannot be read, or a new one cannot be written.
        """
        for order in orders:
            with alone():
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
        if finished and status in {OutcomeStatus.DONE, OutcomeStatus.STOPPED}:
            keys = keep(order, finished, artifacts, recipe=self.recipe, data=self.data)
        return Outcome(
            order,
            status,
            metrics=tuple(rows),
            seconds=time.perf_counter() - begin,
            state=keys[0],
            predictions=keys[1],
            error=message,
            notes=note if done else None,
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

    def _single(self, order: Order, replica: Replica, stop: Callable[[], bool]) -> "_Training":
        return _Training(
            in_equal_epochs(self.recipe, self.data),
            self.data.parts[replica.fold],
            order,
            replica=replica,
            order_seed=self.seed,
            sample=self.samples.get(order.trial),
            stop=stop,
        )


class _Training:
    """One model on its way through the epochs of an order."""

    def __init__(
        self,
        recipe: Recipe,
        data: Data,
        order: Order,
        *,
        replica: Replica,
        order_seed: int,
        sample: Tensor | None,
        stop: Callable[[], bool],
    ) -> None:
        self._recipe = recipe
        self._order = order
        self._sample = sample
        self._stop = stop
        self._seed = replica.seed
        self._knobs = read_knobs(order.config, optimizers=recipe.optimizers)
        self._coding = data.coding
        self._outputs = data.outputs
        inputs = (data.train.x, data.validation.x)
        self._inputs = [x for x in inputs if isinstance(x, np.ndarray)]  # nothing of a stream
        dtype = getattr(torch, recipe.dtype)
        self._dtype = dtype
        self._x = as_features(data.train.x, dtype)
        self._y = data.coding.encode(data.train.y, dtype)
        # Models that stream may share their batches, so they see one order.
        self._order_seed = order_seed if data.streamed else self._seed
        self._validation_x = as_features(data.validation.x, torch.float32)
        self._validation_y = data.validation.y
        self._loss = find_loss(chosen_loss(recipe, order.config))
        self._options: dict[str, Any] = {
            name: torch.from_numpy(value).to(dtype) if isinstance(value, np.ndarray) else value
            for name, value in loss_options(recipe, order.config, data).items()
        }
        self._strengths = augmentation_strengths([self._knobs], data.shape)

    def start(self, stored: State | None) -> None:
        """Build the model and its optimizer, and load the stored state into them."""
        example = first_rows(self._x, 2, self._dtype)
        with self._naming_the_batch(example):
            made = build_model(self._recipe, self._order.config, self._seed, example=example)
        self.module = arrange(self._recipe, made)
        features = take_features(self.module, self._knobs, self._inputs) if self._inputs else None
        if features is not None:
            self._x, self._validation_x = features[0].to(self._dtype), features[1]
        own: dict[str, Any] = {"config": self._order.config, "own": self._recipe.optimizers}
        scales = rate_scales(self.module, self._knobs)
        self.optimizer = build_optimizer(self.module, self._knobs, **own, scales=scales)
        if stored is not None:
            slots = kept_slots(self.module, self._knobs, **own)
            stored.load_into(self.module, self.optimizer, slots=slots)

    def seconds(self) -> float:
        """Return what a step takes, the best of a few; the model is spoilt by them."""
        rows = torch.arange(min(self._knobs.batch_size, len(self._y)))
        x, y = first_rows(self._x, len(rows), self._dtype), self._y[rows]
        shape, keys = tuple(x.shape[1:]), draws.step_keys(self._seed, 0, _TIMED_STEPS)
        altering = Altering.of(
            self._knobs, seed=self._seed, epoch=0, steps=_TIMED_STEPS, shape=shape
        )
        found = []
        for step, key in enumerate(keys):
            begin = time.perf_counter()
            self._step(x, y, rate=self._knobs.lr, key=key, altering=altering, step=step)
            found.append(time.perf_counter() - begin)
        return min(found)

    def epoch(self, epoch: int, values: Sequence[float]) -> Finished:
        """Train one epoch, measure, and copy the state; ``values`` are for the schedule."""
        order = draws.epoch_order(
            self._order_seed,
            epoch,
            rows=len(self._y),
            size=self._recipe.epoch_rows,
            sample=self._sample,
        )
        chunks = batches(order, self.module, self._knobs)
        keys = draws.step_keys(self._seed, epoch, len(chunks))
        altering = Altering.of(
            self._knobs,
            seed=self._seed,
            epoch=epoch,
            steps=len(chunks),
            shape=tuple(self._x.shape[1:]),
        )
        purpose = draws.Purpose.AUGMENTATION
        images = draws.step_keys(self._seed, epoch, len(chunks), purpose=purpose)
        loss_sum = weight_sum = rate = 0.0
        key = draws.fold(self._order_seed, draws.Purpose.STREAM, epoch)
        fed = feed(self._x, chunks, dtype=self._dtype, key=key)
        for step, (rows, given) in enumerate(zip(chunks, fed, strict=True)):
            self._check_stop()
            rate = self._knobs.lr * learning_rate_factor(
                epoch * len(chunks) + step,
                len(chunks),
                epochs=self._recipe.epochs,
                knobs=self._knobs,
                values=values,
            )
            self._seed_generator(epoch, step)
            x = augment(given.unsqueeze(0), images[step : step + 1], self._strengths)[0]
            losses, weights = self._step(
                x, self._y[rows], rate=rate, key=keys[step], altering=altering, step=step
            )
            if not math.isfinite(losses):
                raise DivergedError(
                    f"the training loss was {losses} in epoch {epoch + 1}, "
                    f"step {step + 1} of {len(chunks)} (learning rate {rate:.3g})."
                )
            loss_sum += losses
            weight_sum += weights
        self._seed_generator(epoch, len(chunks))
        put_in_mode(self.optimizer, training=False)
        scores = self._validate(epoch)
        metrics = {
            "train_loss": loss_sum / weight_sum,
            **measure_scores(
                scores,
                self._validation_y,
                metrics=self._recipe.metrics,
                task=self._coding.task,
            ),
            "learning_rate": rate,
        }
        state = State.of(self.module, self.optimizer, epoch=epoch + 1)
        return Finished(metrics, state, self._coding.predictions(scores))

    def _step(
        self, x: Tensor, y: Tensor, *, rate: float, key: Tensor, altering: Altering, step: int
    ) -> tuple[float, float]:
        """Take one step on a batch; return the sums of its losses and of their weights."""
        x = altering.inputs(x, step, key)
        put_in_mode(self.optimizer, training=True)
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]
        self.optimizer.zero_grad()
        with DropoutMode(key), self._naming_the_batch(x):
            logits = self.module(x)
            check_logits(logits, self.module, rows=len(y), classes=self._outputs)
            loss = partial(self._loss, logits, **self._options)
            losses, weights = altering.losses(loss, y, step=step, key=key)
            objective = reduce(losses, weights)
            extra = penalty(self.module, self._knobs)
            backward(objective if extra is None else objective + extra)
        clip_gradient(self.module, self._knobs)
        decay_weights(self.optimizer, self._knobs)
        self.optimizer.step()
        limit_norms(self.module, self._knobs)
        return losses.sum().item(), weights.sum().item()

    def _validate(self, epoch: int) -> NDArray[np.float64]:
        """Return the scores of the validation part."""
        with self._naming_the_batch(self._validation_x):
            scores = predict_scores(
                self.module,
                self._validation_x,
                self._coding,
                outputs=self._outputs,
                between=self._check_stop,
            )
        if not np.isfinite(scores).all():
            raise DivergedError(
                f"the validation predictions were not finite after epoch {epoch + 1}."
            )
        return scores

    def _seed_generator(self, epoch: int, step: int) -> None:
        # Not torch.manual_seed, which also visits every accelerator and is slow.
        seed = draws.fold(self._seed, draws.Purpose.GENERATOR, epoch, step)
        torch.default_generator.manual_seed(seed)

    def _check_stop(self) -> None:
        if self._stop():
            raise StopAskedError

    @contextmanager
    def _naming_the_batch(self, x: Features) -> Iterator[None]:
        """Add the model and the shape of its input to an error that the model raises."""
        try:
            yield
        except (StopAskedError, RecipeError):  # they say by themselves where they were
            raise
        except Exception as error:
            error.add_note(
                f"In the model of {self._recipe.name!r} with a batch of shape {tuple(x.shape)}, "
                f"{x.dtype}; {self._order.config!r}."
            )
            raise


def batches(order: Tensor, module: nn.Module, knobs: Knobs) -> tuple[Tensor, ...]:
    """Divide an epoch's rows into batches; the last one may be short, and is trained too.

    A single row left over is dropped where the module holds a batch norm: the variance of
    one example is zero, and torch refuses it.

    Args:
        order: Row numbers in the order of the epoch, int64, shape ``(rows,)``.
        module: The model.
        knobs: Its knobs.
    """
    chunks: tuple[Tensor, ...] = torch.split(order, knobs.batch_size)
    norm = nn.modules.batchnorm._BatchNorm  # noqa: SLF001 - torch offers no public base
    single = len(chunks) > 1 and len(chunks[-1]) == 1
    if single and any(isinstance(layer, norm) for layer in module.modules()):
        return chunks[:-1]
    return chunks
