"""One stack on its way through the epochs of its rows' orders."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ripieno.population.deciding import TierName
from ripieno.population.hyper import hyperparameters, stacked_optimizer, used
from ripieno.population.optimizers import Optimizer
from ripieno.population.stack import Stack
from ripieno.population.step import Rules, fresh_statistics
from ripieno.population.tiers import Engine
from ripieno.recipes import (
    METRICS,
    Data,
    Finished,
    Knobs,
    Recipe,
    State,
    Watch,
    as_tensor,
    balanced_weights,
    batches,
    build_model,
    draws,
    early_end,
    judge,
    learning_rate_factor,
    plan_mixing,
    read_knobs,
    take_features,
)
from ripieno.records import Metrics, Order, OutcomeStatus

__all__ = ["Group", "Row"]

_VALIDATION_ROWS = 256


@dataclass(slots=True, eq=False)
class Row:
    """One order as a row of a stack.

    Args:
        order: What is carried out.
        seed: The trial's seed.
        knobs: The trial's knobs.
        metrics: One row of metrics an epoch, as they come.
        status: How the order ended; ``stopped`` while it goes on.
        error: Why it diverged.
        finished: What its last epoch left.
        watch: Its validation metric so far, where it looks at it.
        note: Why it ended early, where it did.
    """

    order: Order
    seed: int
    knobs: Knobs
    metrics: list[Metrics] = field(default_factory=list)
    status: OutcomeStatus = OutcomeStatus.STOPPED
    error: str | None = None
    finished: Finished | None = None
    watch: Watch | None = None
    note: str | None = None

    @classmethod
    def of(cls, order: Order, study_seed: int) -> "Row":
        """Make the row of an order."""
        seed = draws.trial_seed(study_seed, order.trial)
        return cls(order, seed, read_knobs(order.config))

    def settle(self, recipe: Recipe) -> None:
        """End the row where its order ends, or where early stopping ends its trial."""
        self.note = early_end(self.watch, recipe=recipe, knobs=self.knobs)
        if self.note is not None or self.epoch == self.order.stop:
            self.status = OutcomeStatus.DONE

    @property
    def epoch(self) -> int:
        """Epochs that the trial has been trained for."""
        return self.order.start + len(self.metrics)


class Group:
    """Rows of one signature, trained together epoch by epoch.

    Args:
        recipe: How models are trained.
        data: What they are trained on and measured on.
        rows: The rows; one batch size, one optimizer.
        tier: How the stack is computed.
        engines: Engines by what they compute, kept for later groups.
        name: The group's name.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: Data,
        rows: Sequence[Row],
        *,
        tier: TierName,
        engines: dict[object, Engine],
        name: str,
    ) -> None:
        self.rows = list(rows)
        self._recipe, self._data = recipe, data
        self._tier, self._engines, self._name = tier, engines, name
        dtype = getattr(torch, recipe.dtype)
        self._x = as_tensor(data.train.x).to(dtype)
        self._y = as_tensor(data.train.y)
        self._validation_x = as_tensor(data.validation.x).to(dtype)
        self._going = list(self.rows)

    @property
    def notes(self) -> str:
        """How the stack was computed, and why."""
        return f"{len(self.rows)} rows; {self._engine.choice}"

    def start(self, stored: Sequence[State | None]) -> None:
        """Build the stack, and load what rows go on from."""
        models = [
            build_model(self._recipe, row.order.config, row.seed, example=self._x[:2])
            for row in self.rows
        ]
        self._model = models[0]
        self._take_features(models)
        self._stack = Stack.of(models, self._optimizer(), self._hyper())
        for number, state in enumerate(stored):
            if state is not None:
                self._stack.insert(number, state)
                self.rows[number].watch = state.watch
                self.rows[number].settle(self._recipe)
        self._engine = self._find_engine(models[0])

    def train(self, stop: Callable[[], bool]) -> None:
        """Train every row to the end of its order, or until ``stop()``."""
        self._compact()
        while self._going and self._epoch(stop):
            self._compact()

    def _compact(self) -> None:
        """Leave out the rows that are done."""
        going = [row for row in self._going if row.status is OutcomeStatus.STOPPED]
        if len(going) < len(self._going):
            kept = torch.tensor([self._going.index(row) for row in going], dtype=torch.int64)
            self._stack = self._stack.select(kept)
        self._going = going

    def _epoch(self, stop: Callable[[], bool]) -> bool:
        """Train one epoch; False, with the rows as they were, if ``stop()`` came first."""
        rows, members = self._going, len(self._going)
        order = torch.stack([self._order(row) for row in rows])
        plan = batches(torch.arange(order.shape[1]), self._model, rows[0].knobs)
        keys = torch.stack([draws.step_keys(row.seed, row.epoch, len(plan)) for row in rows])
        rates = self._rates(len(plan))
        mixing = self._mixing(len(plan))
        statistics = fresh_statistics(members)
        arrays = {**self._stack.arrays, **statistics}
        active = torch.ones(members, dtype=torch.bool)
        for step, columns in enumerate(plan):
            if stop():
                return False
            chosen = order[:, columns]
            batch = {
                "x": self._x[chosen],
                "y": self._y[chosen],
                "keys": keys[:, step].contiguous(),
                "rates": rates[:, step].contiguous(),
                "active": active,
                **{name: numbers[:, step].contiguous() for name, numbers in mixing.items()},
            }
            if self._engine.choice is None:
                left = sum(row.order.stop - row.epoch for row in rows) * len(plan) / members
                self._engine.decide(arrays, batch, steps_left=left)
            seeds = [draws.fold(r.seed, draws.Purpose.GENERATOR, r.epoch, step) for r in rows]
            self._engine.step(arrays, batch, generator_seeds=seeds)
        logs = self._validate(stop)
        if logs is None:
            return False
        for number, row in enumerate(rows):
            self._finish(
                number, row, statistics, logs=logs[number], rates=rates[number], steps=len(plan)
            )
        return True

    def _finish(
        self,
        number: int,
        row: Row,
        statistics: dict[str, Tensor],
        *,
        logs: NDArray[np.float64],
        rates: Tensor,
        steps: int,
    ) -> None:
        epoch = row.epoch + 1
        if not statistics["statistic/alive"][number]:
            step = int(statistics["statistic/steps_taken"][number])
            loss = float(statistics["statistic/last_loss"][number])
            row.error = (
                f"the training loss was {loss} in epoch {epoch}, step {step + 1} of {steps} "
                f"(learning rate {float(rates[step]):.3g})."
            )
        elif not np.isfinite(logs).all():
            row.error = f"the validation predictions were not finite after epoch {epoch}."
        if row.error is not None:
            row.status, row.finished = OutcomeStatus.DIVERGED, None
            return
        loss_sum = float(statistics["statistic/loss_sum"][number])
        metrics = {
            "train_loss": loss_sum / float(statistics["statistic/weight_sum"][number]),
            **{n: METRICS[n](logs, self._data.validation.y) for n in self._recipe.metrics},
            "learning_rate": float(rates[-1]),
        }
        state = self._stack.extract(number, epoch=epoch)
        finished = Finished(metrics, state, np.exp(logs).astype(np.float32))
        row.finished = judge(finished, row.watch, recipe=self._recipe, knobs=row.knobs)
        row.watch = row.finished.state.watch
        row.metrics.append(row.finished.metrics)
        row.settle(self._recipe)

    def _validate(self, stop: Callable[[], bool]) -> NDArray[np.float64] | None:
        """Return log-probabilities ``(members, rows, classes)``, or None if ``stop()``."""
        parts = []
        for x in torch.split(self._validation_x, _VALIDATION_ROWS):
            if stop():
                return None
            logits = self._engine.predict(self._stack.arrays, x)
            parts.append(torch.log_softmax(logits.double(), dim=-1))
        return torch.cat(parts, dim=1).numpy()

    def _order(self, row: Row) -> Tensor:
        return draws.epoch_order(
            row.seed, row.epoch, rows=len(self._y), size=self._recipe.epoch_rows
        )

    def _rates(self, steps: int) -> Tensor:
        """Return the learning rates of an epoch, float64, ``(members, steps)``."""
        return torch.tensor(
            [
                [
                    row.knobs.lr
                    * learning_rate_factor(
                        row.epoch * steps + step,
                        steps,
                        epochs=self._recipe.epochs,
                        knobs=row.knobs,
                        values=() if row.watch is None else row.watch.values,
                    )
                    for step in range(steps)
                ]
                for row in self._going
            ],
            dtype=torch.float64,
        )

    def _mixing(self, steps: int) -> dict[str, Tensor]:
        """Return how examples are mixed in an epoch, each ``(members, steps, ...)``."""
        if not self._uses() & {"mixup", "cutmix"}:
            return {}
        shape = tuple(self._x.shape[1:])
        plans = [
            plan_mixing(row.seed, row.epoch, steps, knobs=row.knobs, shape=shape)
            for row in self._going
        ]
        return {
            "mix/share": torch.stack([plan.share for plan in plans]),
            "mix/blend": torch.stack([plan.blend for plan in plans]),
            "mix/box": torch.stack([plan.box for plan in plans]),
        }

    def _take_features(self, models: Sequence[nn.Module]) -> None:
        """Train on the features of a frozen backbone, where all rows can."""
        arrays = (self._data.train.x, self._data.validation.x)
        features = None
        for model, row in zip(models, self.rows, strict=True):
            features = take_features(model, row.knobs, arrays)
        if features is not None:
            self._x, self._validation_x = (part.to(self._x.dtype) for part in features)

    def _optimizer(self) -> Optimizer:
        return stacked_optimizer(self._model, [row.knobs for row in self.rows])

    def _hyper(self) -> dict[str, Tensor]:
        knobs = [row.knobs for row in self.rows]
        hyper = hyperparameters(self._model, knobs, self._uses())
        if "class_weights" in self._uses():
            classes = len(self._data.classes)
            balanced = torch.from_numpy(balanced_weights(self._data.train.y, classes))
            plain = torch.ones(classes, dtype=torch.float64)
            chosen = [balanced if own.class_weights else plain for own in knobs]
            hyper["class_weights"] = torch.stack(chosen)
        return hyper

    def _uses(self) -> frozenset[str]:
        return used([row.knobs for row in self.rows])

    def _find_engine(self, model: nn.Module) -> Engine:
        rules = Rules(loss=self._recipe.loss, uses=self._uses())
        key = (self._name, self._stack.layout.optimizer, rules)
        if key not in self._engines:
            self._engines[key] = Engine(model, self._stack.layout, rules, tier=self._tier)
        return self._engines[key]
