"""A stack whose losses are open functions of its parameters and of hyperparameters.

A runner trains rows and shows nothing of it. Who tunes hyperparameters by gradient has to
differentiate the very losses that the rows are trained with, and so takes the steps himself:
the same models, batches, masks of dropout and updates, with the pieces in the open.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from torch import Tensor

from ripieno.population.alike import alike
from ripieno.population.hyper import hyperparameters, stacked_optimizer, used
from ripieno.population.inputs import Inputs
from ripieno.population.judged import judged_losses
from ripieno.population.leaves import Kernels
from ripieno.population.losses import stacked_options
from ripieno.population.optimizers import Numbers
from ripieno.population.stack import Stack
from ripieno.population.step import Batch, Found, Rules, StackedStep, apply, fresh_statistics
from ripieno.population.template import Template
from ripieno.recipes import (
    SMOOTH,
    Data,
    RateRule,
    Recipe,
    State,
    augment,
    augmentation_strengths,
    batches,
    build_model,
    check_augmentation,
    chosen_loss,
    complete,
    draws,
    learning_rate_factor,
    loss_options,
    measure_scores,
)
from ripieno.records import Config, Metrics

__all__ = ["OpenStack"]

_OUTSIDE = "weight_decay"
"""What leaves the optimizer where it is tuned: whoever tunes it adds it to the losses."""


class OpenStack:
    """Models of one signature, one a config, that are trained step by step from outside.

    Args:
        recipe: How models are trained; its ``epochs`` span the schedule.
        data: Arrays without folds.
        configs: One a row; they differ in numbers alone.
        seed: Of weights, order and dropout.
        trials: For each row the number of the trial whose draws are its own; None counts from 0.
        tuned: Names of the hyperparameters that are given to :meth:`losses` at every step.
        rate: How the rows' learning rates tune themselves; None for not at all.

    Raises:
        RecipeError: The configs are no rows of one stack, or mix examples; or the data are
            folds or a stream.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: Data,
        configs: Sequence[Config],
        *,
        seed: int = 0,
        trials: Sequence[int] | None = None,
        tuned: frozenset[str] = frozenset(),
        rate: RateRule | None = None,
    ) -> None:
        self.recipe, self.data = complete(recipe, data), data
        self.configs = tuple(configs)
        self.knobs = alike(
            self.recipe, data, self.configs, kind="an open stack", refused=("mixup", "cutmix")
        )
        numbers = range(len(configs)) if trials is None else trials
        self.seeds = [draws.trial_seed(seed, trial) for trial in numbers]
        self._inputs = Inputs(data, getattr(torch, recipe.dtype))
        self._y = data.coding.encode(data.validation.y, getattr(torch, recipe.dtype))
        example = self._inputs.example
        models = [
            build_model(self.recipe, config, own, example=example)
            for config, own in zip(self.configs, self.seeds, strict=True)
        ]
        knobs = self.knobs
        if _OUTSIDE in tuned:
            knobs = [replace(own, weight_decay=0.0) for own in knobs]
        self._options = stacked_options([loss_options(self.recipe, c, data) for c in self.configs])
        uses = used(knobs) | set(self._options)
        hyper = {**hyperparameters(models[0], knobs, uses), **self._options}
        optimizer = replace(stacked_optimizer(models[0], knobs), online=rate)
        self._stack = Stack.of(models, optimizer, hyper).flat()
        self._rules = Rules(
            loss=chosen_loss(self.recipe, self.configs[0]),
            uses=uses | (tuned - {_OUTSIDE, *SMOOTH}),
        )
        layout = self._stack.layout
        self._step = StackedStep(Template(models[0], Kernels()), layout, self._rules)
        self._strengths = augmentation_strengths(self.knobs, data.shape)
        self._late = tuned & set(SMOOTH)
        check_augmentation(self._late, data.shape, where="what is to be tuned")
        self._statistics = fresh_statistics(len(configs))
        self._arrays = {**self._stack.arrays, **self._statistics}

    @property
    def members(self) -> int:
        """Number of rows."""
        return len(self.configs)

    @property
    def params(self) -> dict[str, Tensor]:
        """The trained parameters by name, ``(members, ...)``: the stack's own memory."""
        return {name: self._arrays[f"model/{name}"] for name in self._stack.layout.trained}

    @property
    def options(self) -> Numbers:
        """What the losses of the rows read, by name, float64."""
        return self._options

    @property
    def alive(self) -> Tensor:
        """Which rows have not diverged, bool, ``(members,)``."""
        return self._statistics["statistic/alive"]

    def batches(self, epoch: int) -> Iterator[Batch]:
        """Yield the batches of an epoch; ``rates`` holds what the schedule makes of each ``lr``.

        Where an augmentation is tuned, images are changed in :meth:`losses`; ``images`` holds
        what that depends on.
        """
        orders = [
            draws.epoch_order(own, epoch, rows=self._inputs.rows(0), size=self.recipe.epoch_rows)
            for own in self.seeds
        ]
        order, readers = torch.stack(orders), self._inputs.members([0] * self.members)
        plan = batches(torch.arange(order.shape[1]), self._step.template.module, self.knobs[0])
        steps, purpose = len(plan), draws.Purpose.AUGMENTATION
        keys = torch.stack([draws.step_keys(s, epoch, steps) for s in self.seeds])
        images = torch.stack(
            [draws.step_keys(s, epoch, steps, purpose=purpose) for s in self.seeds]
        )
        key = draws.fold(self.seeds[0], draws.Purpose.STREAM, epoch)
        fed = self._inputs.batches(order, plan, readers=readers, key=key)
        for step, (x, y) in enumerate(fed):
            factors = [
                learning_rate_factor(
                    epoch * steps + step, steps, epochs=self.recipe.epochs, knobs=own
                )
                * own.lr
                for own in self.knobs
            ]
            yield {
                "x": x if self._late else augment(x, images[:, step], self._strengths),
                "images": images[:, step],
                "y": y,
                "keys": keys[:, step].contiguous(),
                "rates": torch.tensor(factors, dtype=torch.float64),
                "active": torch.ones(self.members, dtype=torch.bool),
            }

    def losses(self, params: Numbers, hyper: Numbers, batch: Batch) -> tuple[Tensor, Found]:
        """Return what each row minimizes, ``(members,)``, and what else the batch says.

        A graph goes through parameters and hyperparameters; the stack is left unchanged.

        Args:
            params: As :attr:`params`.
            hyper: Tuned hyperparameters that the losses read, by their names as knobs.
            batch: Of :meth:`batches`.
        """
        tensors = {**self._stack.named("model/"), **params}
        arrays = {**self._arrays, **{f"hyper/{name}": value for name, value in hyper.items()}}
        if self._late:
            own = {name: hyper[name] for name in self._late}
            x = augment(batch["x"], batch["images"], {**self._strengths, **own})
            batch = {**batch, "x": x}
        return self._step.losses(tensors, arrays, batch)

    def validation_losses(self, params: Numbers, rows: Tensor) -> Tensor:
        """Return each row's mean loss on some validation rows, ``(members,)``.

        Models are in evaluation mode. Smoothing, weights and penalties are left out.

        Args:
            params: As :attr:`params`.
            rows: Numbers of validation rows, int64; all members see the same.
        """
        x = torch.as_tensor(self.data.validation.x)[rows].to(getattr(torch, self.recipe.dtype))
        y = self._y[rows].unsqueeze(0).expand(self.members, *self._y[rows].shape)
        return judged_losses(self._step, params, self._arrays, x=x, y=y, shared=True)

    @property
    def rates(self) -> Tensor:
        """Learning rates that tune themselves, before the schedule, float64, ``(members,)``."""
        return self._arrays["hyper/lr"] * self._arrays["row/online_factor"]

    def apply(
        self, batch: Batch, found: Found, *, slopes: Mapping[str, Tensor] | None = None
    ) -> None:
        """Take a step along gradients, in place; rows that are not finite stay as they are.

        Args:
            batch: Of :meth:`batches`.
            found: What it says.
            slopes: Other gradients that the learning rates follow; none: they stay.
        """
        layout, rules = self._stack.layout, self._rules
        apply(self._arrays, batch, found, layout=layout, rules=rules, slopes=slopes)

    def finish(self) -> list[Metrics | None]:
        """Return the metrics of each row after an epoch; None for one that has diverged."""
        with torch.no_grad():
            parts = [
                self._inputs.scores(self._forward(self.params, x), [0] * self.members)
                for x in self._inputs.validation([0])
            ]
        scores = torch.cat(parts, dim=1).numpy()
        found = [self._measured(row, scores[row]) for row in range(self.members)]
        for name in ("loss_sum", "weight_sum"):
            self._statistics[f"statistic/{name}"].zero_()
        return found

    def state(self, row: int, *, epoch: int) -> State:
        """Copy a row out; see :meth:`Stack.extract`."""
        return self._stack.extract(row, epoch=epoch)

    def _forward(self, params: Numbers, x: Tensor) -> Tensor:
        return self._step.template.forward(
            {**self._stack.named("model/"), **params},
            x.to(getattr(torch, self.recipe.dtype)),
            members=self.members,
            numbers=self._stack.named("number/"),
            training=False,
            shared=True,
        )

    def _measured(self, row: int, scores: "np.ndarray[tuple[int, int], np.dtype[np.float64]]") -> (
        Metrics | None
    ):  # fmt: skip
        if not self.alive[row] or not np.isfinite(scores).all():
            return None
        task, metrics = self.data.task, self.recipe.metrics
        scores, targets = self._inputs.measured(scores, 0)
        sums = [float(self._statistics[f"statistic/{n}"][row]) for n in ("loss_sum", "weight_sum")]
        measured = measure_scores(scores, targets, metrics=metrics, task=task)
        return {"train_loss": sums[0] / sums[1], **measured}
