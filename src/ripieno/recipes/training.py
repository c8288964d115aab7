"""One model on its way through the epochs of an order."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ripieno.errors import RecipeError
from ripieno.recipes import draws
from ripieno.recipes.altering import Altering
from ripieno.recipes.augmentation import SMOOTH, augment, augmentation_strengths
from ripieno.recipes.backbone import rate_scales, take_features
from ripieno.recipes.batch_norm import BatchNormMode
from ripieno.recipes.bilevel_knobs import bilevel_names
from ripieno.recipes.building import arrange, build_model
from ripieno.recipes.data import Data
from ripieno.recipes.devices import Device, seed_generators, synchronize
from ripieno.recipes.dropout import DropoutMode, backward
from ripieno.recipes.feeding import Features, as_features, feed, first_rows, place_of
from ripieno.recipes.keeping import DivergedError, Finished, StopAskedError
from ripieno.recipes.knobs import Knobs, read_knobs
from ripieno.recipes.loss_options import chosen_loss, loss_options
from ripieno.recipes.losses import find_loss
from ripieno.recipes.metrics import measure_scores
from ripieno.recipes.mixing import share_growth
from ripieno.recipes.model_tuning import (
    ModelBatch,
    ModelLosses,
    ModelTuning,
    first_knobs,
    judged_rows,
)
from ripieno.recipes.online_rate import OnlineRate, rate_rule
from ripieno.recipes.optimizers import build_optimizer, put_in_mode
from ripieno.recipes.prediction import PIECE, check_logits, predict_scores
from ripieno.recipes.ranks import Ranks, Share
from ripieno.recipes.recipe import Recipe
from ripieno.recipes.regularizers import clip_gradient, decay_weights, limit_norms
from ripieno.recipes.replicas import Replica
from ripieno.recipes.schedules import learning_rate_factor
from ripieno.recipes.slots import kept_slots
from ripieno.recipes.state import State
from ripieno.recipes.tunable import refuse_alone
from ripieno.recipes.tuner import Tuner, in_memory
from ripieno.records import Order, tuned_name

__all__ = ["ModelTraining", "batches"]

_TIMED_STEPS = 4


class ModelTraining:
    """One model on its way through the epochs of an order.

    Args:
        recipe: How it is trained.
        data: On what.
        order: What is carried out.
        replica: Which of its trial's models it is.
        order_seed: The study's seed.
        sample: The only rows that it sees; None for all.
        stop: Says whether the study is stopping.
        ranks: The processes that train it together, this one among them.
        device: Where.
        tuner: Computes hypergradients, where knobs tune themselves on the validation part.
        judged_rows: The fewest validation rows of any fold.
    """

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
        ranks: Ranks,
        device: Device,
        tuner: Tuner | None = None,
        judged_rows: int = 0,
    ) -> None:
        self._recipe = recipe
        self._tuner, self._judged_rows, self._labels = tuner, judged_rows, data.classes
        self._order = order
        self._sample = sample
        self._stop = stop
        self._ranks = ranks
        self._device, self._near = device.found, device.near
        self._seed = replica.seed
        self._knobs = read_knobs(order.config, optimizers=recipe.optimizers)
        self._coding = data.coding
        self._outputs = data.outputs
        inputs = (data.train.x, data.validation.x)
        self._inputs = [x for x in inputs if isinstance(x, np.ndarray)]  # nothing of a stream
        dtype = getattr(torch, recipe.dtype)
        self._dtype = dtype
        self._x = as_features(data.train.x, dtype, device)
        self._y = data.coding.encode(data.train.y, dtype).to(self._near)
        # Models that stream may share their batches, so they see one order.
        self._order_seed = order_seed if data.streamed else self._seed
        self._validation_x = as_features(data.validation.x, torch.float32, device)
        self._validation_y = data.validation.y
        self._loss = find_loss(chosen_loss(recipe, order.config))
        self._options: dict[str, Any] = {
            name: torch.from_numpy(value).to(self._device, dtype)
            if isinstance(value, np.ndarray)
            else value
            for name, value in loss_options(recipe, order.config, data).items()
        }
        self._strengths = augmentation_strengths([self._knobs], data.shape, self._near)

    def start(self, stored: State | None) -> None:
        """Build the model and its optimizer, and load the stored state into them."""
        refuse_alone(self._recipe, self._order.config, tuner=self._tuner, devices=self._ranks.size)
        example = first_rows(self._x, 2, self._dtype).cpu()
        with self._naming_the_batch(example):
            made = build_model(self._recipe, self._order.config, self._seed, example=example)
        features = None
        if self._inputs:
            features = take_features(made, self._knobs, self._inputs, device=self._near)
        self.module = arrange(self._recipe, made, self._device, example=example)
        if features is not None:
            self._x, self._validation_x = features[0].to(self._dtype), features[1]
        own: dict[str, Any] = {"config": self._order.config, "own": self._recipe.optimizers}
        scales = rate_scales(self.module, self._knobs)
        first, groups = first_knobs(self.module, self._knobs, self._options)
        # A weight decay that tunes itself is no longer the optimizer's.
        if any(name.startswith("weight_decay") for name in first):
            self._knobs = replace(self._knobs, weight_decay=0.0)
        self.optimizer = build_optimizer(self.module, self._knobs, **own, scales=scales)
        if stored is not None:
            slots = kept_slots(self.module, self._knobs, **own)
            stored.load_into(self.module, self.optimizer, slots=slots)
        rule = rate_rule(self._knobs)
        self._online = None if rule is None else OnlineRate(rule, self.optimizer, lr=self._knobs.lr)
        self._forward = self._ranks.forward(self.module, self._knobs)
        self._tuning: ModelTuning | None = None
        if self._tuner is not None and first:
            self._tuning = ModelTuning(
                self._tuner, self.optimizer, first=first, groups=groups, labels=self._labels
            )
            self._settle(self._tuning)

    def seconds(self) -> float:
        """Return what a step takes, the best of a few; the model is spoilt by them."""
        count = min(self._knobs.batch_size, len(self._y))
        x, y = first_rows(self._x, count, self._dtype).to(self._near), self._y[:count]
        keys = draws.step_keys(self._seed, 0, _TIMED_STEPS).to(self._near)
        altering = self._altering(0, _TIMED_STEPS)
        found = []
        for step, key in enumerate(keys):
            begin = time.perf_counter()
            self._step(x, y, rate=self._knobs.lr, key=key, altering=altering, step=step)
            synchronize(self._device)
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
        chunks = batches(order.to(self._near), self.module, self._knobs)
        keys = draws.step_keys(self._seed, epoch, len(chunks)).to(self._near)
        altering, growth = self._altering(epoch, len(chunks)), self._growth(epoch, len(chunks))
        purpose = draws.Purpose.AUGMENTATION
        images = draws.step_keys(self._seed, epoch, len(chunks), purpose=purpose).to(self._near)
        loss_sum = weight_sum = rate = 0.0
        key = draws.fold(self._order_seed, draws.Purpose.STREAM, epoch)
        places = chunks
        if place_of(self._x) != self._near:
            places = batches(order, self.module, self._knobs)
        fed = feed(self._x, places, dtype=self._dtype, key=key, device=self._near)
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
            if self._online is not None:
                rate = self._online.rate
            if not math.isfinite(losses):
                raise DivergedError(
                    f"the training loss was {losses} in epoch {epoch + 1}, "
                    f"step {step + 1} of {len(chunks)} (learning rate {rate:.3g})."
                )
            loss_sum += losses
            weight_sum += weights
            tuning = self._tuning
            if tuning is not None and tuning.is_due(epoch, step=step, steps=len(chunks)):
                image = images[step : step + 1]
                y = self._y[rows]
                batch = ModelBatch(given, y, step, keys[step], image, altering, growth)
                self._tune(tuning, batch, epoch=epoch)
                altering = replace(altering, noise=self._knobs.input_noise)
        self._seed_generator(epoch, len(chunks))
        put_in_mode(self.optimizer, training=False)
        self._ranks.settle(self.module)
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
            **self._tuned(),
        }
        if self._tuning is not None:
            self._tuning.remember()
        state = State.of(self.module, self.optimizer, epoch=epoch + 1)
        return Finished(metrics, state, self._coding.predictions(scores))

    def _step(
        self, x: Tensor, y: Tensor, *, rate: float, key: Tensor, altering: Altering, step: int
    ) -> tuple[float, float]:
        """Take one step on a batch; return the sums of its losses and of their weights."""
        share = self._ranks.share(len(y))
        x = share.of(altering.inputs(x, step, key))
        if self._near is not self._device:
            x, y = x.to(self._device), y.to(self._device)
        put_in_mode(self.optimizer, training=True)
        self._set_rate(rate)
        self.optimizer.zero_grad()
        buffers = [] if self._online is None else [b.clone() for b in self.module.buffers()]
        with self._on_share(share, key), self._naming_the_batch(x):
            logits, extra = self._forward(x)
            check_logits(logits, self.module, rows=len(x), classes=self._outputs)
            loss = partial(self._loss, logits, **self._options)
            losses, weights = altering.losses(loss, y, step=step, key=key, share=share)
            objective, *sums = self._ranks.objective(losses, weights, share)
            backward(objective if extra is None else objective + extra)
        if self._online is not None:
            if not self._online.follow(sums[0] / sums[1], scheduled=rate):
                for buffer, was in zip(self.module.buffers(), buffers, strict=True):
                    buffer.copy_(was)
                return self._online.edge * sums[1], sums[1]
            self._set_rate(self._online.rate)
        clip_gradient(self.module, self._knobs)
        decay_weights(self.optimizer, self._knobs)
        if self._tuning is not None:
            self._tuning.decay(self.module)
        self.optimizer.step()
        if self._online is not None:
            self._online.remember()
        limit_norms(self.module, self._knobs)
        return sums[0], sums[1]

    def _set_rate(self, rate: float) -> None:
        for group in self.optimizer.param_groups:
            group["lr"] = rate * group["lr_scale"]

    def _tuned(self) -> dict[str, float]:
        """Return what has tuned itself, as it is after an epoch."""
        rate = None if self._online is None else self._knobs.lr * self._online.factor
        return {
            **({} if rate is None else {tuned_name("lr"): rate}),
            **({} if self._tuning is None else self._tuning.metrics),
        }

    def _settle(self, tuning: ModelTuning) -> None:
        """Train with the knobs as they are now."""
        values = tuning.values
        plain = {n: float(v) for n, v in values.items() if v.ndim == 0 and n != "weight_decay"}
        self._knobs = replace(self._knobs, **plain)  # type: ignore[arg-type]
        for name in set(values) & set(self._loss.options):
            value = values[name]
            own = value.to(self._device, self._dtype) if value.ndim else float(value)
            self._options[name] = own
        for name in set(values) & set(SMOOTH):
            self._strengths[name] = values[name].reshape(1).to(self._near)
        self._forward = self._ranks.forward(self.module, self._knobs)

    def _tune(self, tuning: ModelTuning, batch: ModelBatch, *, epoch: int) -> None:
        losses = ModelLosses(
            self.module, self._loss, self._options, self._strengths,
            l1=self._knobs.l1, groups=tuning.groups, device=self._device,
        )  # fmt: skip
        place = {"epoch": epoch, "step": batch.step, "least": self._judged_rows}
        rows = judged_rows(self._seed, rows=len(self._validation_y), **place)
        held = in_memory(self._validation_x)
        x = held[rows.to(held.device)].to(self._dtype)
        y = self._coding.encode(self._validation_y[rows.numpy()], self._dtype)
        tuning.move(losses, batch, (x, y))
        self._settle(tuning)

    def _growth(self, epoch: int, steps: int) -> Tensor | None:
        """Return how the shares of an epoch grow with ``mixup`` where that tunes itself."""
        if "mixup" not in bilevel_names(self._knobs.hypergradient):
            return None
        shape = tuple(self._x.shape[1:])
        found = share_growth(self._seed, epoch, steps, knobs=self._knobs, shape=shape)
        return found.to(self._near)

    @contextmanager
    def _on_share(self, share: Share, key: Tensor) -> Iterator[None]:
        """Give the model's rows what they would get in the whole batch."""
        with ExitStack() as modes:
            modes.enter_context(DropoutMode(key, share))
            if not share.is_whole:
                modes.enter_context(BatchNormMode())
            yield

    def _validate(self, epoch: int) -> NDArray[np.float64]:
        """Return the scores of the validation part."""
        # One rank must not stop where the others wait for it.
        between = self._check_stop if self._ranks.size == 1 else lambda: None

        def predict(x: Features) -> NDArray[np.float64]:
            with self._naming_the_batch(x):
                return predict_scores(
                    self.module, x, self._coding, outputs=self._outputs, between=between
                )

        scores = self._ranks.scores(self._validation_x, predict, outputs=self._outputs, piece=PIECE)
        if not np.isfinite(scores).all():
            raise DivergedError(
                f"the validation predictions were not finite after epoch {epoch + 1}."
            )
        return scores

    def _altering(self, epoch: int, steps: int) -> Altering:
        shape = tuple(self._x.shape[1:])
        return Altering.of(
            self._knobs,
            seed=self._seed,
            epoch=epoch,
            steps=steps,
            shape=shape,
            device=self._near,
        )

    def _seed_generator(self, epoch: int, step: int) -> None:
        seed = draws.fold(self._seed, draws.Purpose.GENERATOR, epoch, step)
        seed_generators(seed, self._device)

    def _check_stop(self) -> None:
        if self._ranks.is_stop_asked(self._stop):
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
