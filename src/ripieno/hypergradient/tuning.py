"""Training that tunes its own hyperparameters: many starting points as the rows of one stack.

The learning rate follows the inner product of a gradient with the step before it: the training
loss's own gradient, or that of the validation loss. The other hyperparameters belong to the
training loss, and are tuned on validation data by :class:`~ripieno.hypergradient.Bilevel`. All of
it is rowwise, so that a row's numbers do not depend on its neighbours.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import torch
from torch import Tensor

from ripieno.errors import HypergradientError
from ripieno.hypergradient.bilevel import Bilevel
from ripieno.hypergradient.implicit import Implicit
from ripieno.hypergradient.problem import Method
from ripieno.hypergradient.strengths import TUNABLES
from ripieno.hypergradient.trees import Tensors, leaves, slopes
from ripieno.hypergradient.tunables import Tunable
from ripieno.population import OpenStack
from ripieno.recipes import Data, DecayGroups, Per, RateRule, Recipe, State
from ripieno.records import Config, Metrics

__all__ = ["Tuned", "Tuning", "tune_online"]


@dataclass(frozen=True, slots=True)
class Tuning:
    """How hyperparameters should be tuned while models train.

    Args:
        names: The knobs: ``"lr"`` and those of
            :data:`~ripieno.hypergradient.TUNABLES`.
        method: How the others than ``"lr"`` are tuned.
        every: Steps of training for one step of the hyperparameters.
        warmup_epochs: Epochs before their first step.
        step_size: Size of their steps in free space: 0.05 is five percent of a positive one.
        rate: How the learning rate follows.
        rate_by: Whose gradient it follows: of the ``"training"`` loss at every step, or of the
            ``"validation"`` loss every ``every`` steps.
        decay_per: What has a weight decay of its own.
        validation_rows: Validation rows that a step of the hyperparameters looks at.

    Raises:
        HypergradientError: A value is not allowed.
    """

    names: tuple[str, ...] = ("lr", "weight_decay")
    method: Method = field(default_factory=lambda: Implicit(iterations=3, damping=1e-2))
    every: int = 5
    warmup_epochs: int = 1
    step_size: float = 0.1
    rate: RateRule = field(default_factory=RateRule)
    rate_by: Literal["training", "validation"] = "training"
    decay_per: Per = "model"
    validation_rows: int = 256

    def __post_init__(self) -> None:
        object.__setattr__(self, "names", tuple(self.names))
        known = ("lr", *TUNABLES)
        for name in self.names:
            if name not in known:
                raise HypergradientError(
                    f"{name!r} cannot be tuned by gradient while models train.",
                    where=f"Tuning(names=…): {', '.join(known)}",
                    fix="name some of these; search the others, or tune them in a loop of your "
                    "own with Bilevel.",
                )
        if not self.names or min(self.every, self.validation_rows) < 1 or self.warmup_epochs < 0:
            raise HypergradientError(
                f"names = {self.names!r}, every = {self.every}, validation_rows = "
                f"{self.validation_rows}, warmup_epochs = {self.warmup_epochs} tunes nothing.",
                where="Tuning(…)",
                fix="name a hyperparameter; the numbers are at least 1, the warm-up at least 0.",
            )


@dataclass(frozen=True, slots=True)
class Tuned:
    """What came of it.

    Args:
        configs: Each row's config with the hyperparameters that it ended with; a weight decay
            of several groups, and weights of classes, are left as they began.
        metrics: For each row its metrics by epoch; they end where a row diverged.
        values: The hyperparameters after every epoch, by name: ``(members, ...)``.
        states: Each row's model and optimizer.
        decay_groups: What the last axis of ``weight_decay`` stands for.
        skipped: Hypergradients that were of no use, rows counted one by one.
    """

    configs: tuple[Config, ...]
    metrics: tuple[tuple[Metrics, ...], ...]
    values: tuple[dict[str, Tensor], ...]
    states: tuple[State, ...]
    decay_groups: tuple[str, ...]
    skipped: int


def tune_online(
    recipe: Recipe,
    data: Data,
    configs: Sequence[Config],
    *,
    tuning: Tuning | None = None,
    epochs: int | None = None,
    seed: int = 0,
    trials: Sequence[int] | None = None,
) -> Tuned:
    """Train models that tune their own hyperparameters, all of them as rows of one stack.

    Args:
        recipe: How models are trained.
        data: What they are trained and tuned on: arrays without folds. What the validation part
            says of a model afterwards is flattered, as by any search; the test part is not.
        configs: Starting points, one a row; they differ in numbers alone.
        tuning: What is tuned, and how.
        epochs: Epochs to train; None for the recipe's.
        seed: Of weights, order, dropout and the validation rows that are looked at.
        trials: For each row the number of the trial whose draws are its own; None counts from 0.

    Raises:
        RecipeError: The configs are no rows of one stack, or the data are folds or a stream.
        HypergradientError: A hyperparameter does not enter the training loss.
    """
    chosen = tuning or Tuning()
    stack = OpenStack(
        recipe, data, configs, seed=seed, trials=trials,
        tuned=frozenset(chosen.names) - {"lr"},
        rate=chosen.rate if "lr" in chosen.names else None,
    )  # fmt: skip
    run = _Run(stack, chosen, torch.Generator().manual_seed(seed))
    for epoch in range(recipe.epochs if epochs is None else epochs):
        run.epoch(epoch)
    return run.result()


class _Run:
    """Rows on their way through the epochs."""

    def __init__(self, stack: OpenStack, tuning: Tuning, generator: torch.Generator) -> None:
        self._stack, self._tuning, self._generator = stack, tuning, generator
        self._groups = DecayGroups.of(tuple(stack.params), tuning.decay_per)
        hyper = {name: self._tunable(name) for name in tuning.names if name != "lr"}
        self._bilevel = Bilevel(hyper, method=tuning.method, lr=tuning.step_size) if hyper else None
        self._taken = 0
        self._metrics: list[list[Metrics]] = [[] for _ in stack.configs]
        self._values: list[dict[str, Tensor]] = []

    def epoch(self, epoch: int) -> None:
        """Train one epoch, and measure."""
        for batch in self._stack.batches(epoch):
            self._step(batch, ready=epoch >= self._tuning.warmup_epochs)
        for own, measured in zip(self._metrics, self._stack.finish(), strict=True):
            if measured is not None:
                own.append(measured)
        values = {} if self._bilevel is None else self._bilevel.values
        rates = {"lr": self._stack.rates} if "lr" in self._tuning.names else {}
        self._values.append({**rates, **values})

    def result(self) -> Tuned:
        """Return what came of it."""
        last = self._values[-1]
        found = []
        for row, config in enumerate(self._stack.configs):
            ends = {n: float(v[row]) for n, v in last.items() if v[row].numel() == 1}
            found.append(Config({**config, **ends}))
        epochs = len(self._values)
        return Tuned(
            configs=tuple(found),
            metrics=tuple(tuple(own) for own in self._metrics),
            values=tuple(self._values),
            states=tuple(self._stack.state(r, epoch=epochs) for r in range(self._stack.members)),
            decay_groups=self._groups.names,
            skipped=0 if self._bilevel is None else self._bilevel.skipped,
        )

    def _step(self, batch: Tensors, *, ready: bool) -> None:
        stack, hyper = self._stack, {} if self._bilevel is None else self._bilevel.values
        params = leaves(stack.params)
        objective, found = self._objective(params, hyper, batch)
        gradients = _known(slopes(objective, params))
        self._taken += 1
        turn = ready and self._taken % self._tuning.every == 0
        rows = self._validation_rows() if turn else None
        by = None
        if self._tuning.rate_by == "validation":
            by = {} if rows is None else self._validation_gradients(rows)
        found = replace(found, loss_sum=found.loss_sum.detach(), gradients=gradients)
        stack.apply(batch, found, slopes=by)
        if rows is not None and self._bilevel is not None:
            self._tune_others(self._bilevel, batch, rows=rows)

    def _objective(self, params: Tensors, hyper: Tensors, batch: Any) -> tuple[Tensor, Any]:
        own = {name: value for name, value in hyper.items() if name != "weight_decay"}
        objective, found = self._stack.losses(params, own, batch)
        if "weight_decay" in hyper:
            objective = objective + self._groups.penalty(params, hyper["weight_decay"])
        return objective, found

    def _tune_others(self, bilevel: Bilevel, batch: Any, *, rows: Tensor) -> None:
        bilevel.step(
            lambda params, hyper: self._objective(params, hyper, batch)[0],
            lambda params, _: self._stack.validation_losses(params, rows),
            self._stack.params,
        )

    def _validation_gradients(self, rows: Tensor) -> dict[str, Tensor]:
        params = leaves(self._stack.params)
        return _known(slopes(self._stack.validation_losses(params, rows), params))

    def _validation_rows(self) -> Tensor:
        rows = len(self._stack.data.validation)
        if rows <= self._tuning.validation_rows:
            return torch.arange(rows)
        drawn = torch.randperm(rows, generator=self._generator)
        return drawn[: self._tuning.validation_rows]

    def _tunable(self, name: str) -> Tunable:
        """Return a hyperparameter that begins where the configs have it."""
        usual, stack = TUNABLES[name], self._stack
        if name in {"class_weights", "pos_weight"}:
            given = stack.options.get(name)
            like = torch.ones(stack.members, stack.data.outputs, dtype=torch.float64)
            return usual.starting(like if given is None else given.clamp(min=1e-6))
        chosen = [float(getattr(own, name)) or float(usual.first) for own in stack.knobs]
        start = torch.tensor(chosen, dtype=torch.float64)
        if name == "weight_decay" and len(self._groups.names) > 1:
            start = start.unsqueeze(1).repeat(1, len(self._groups.names))
        return usual.starting(start)


def _known(found: Mapping[str, Tensor | None]) -> dict[str, Tensor]:
    return {name: slope for name, slope in found.items() if slope is not None}
