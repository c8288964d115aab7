"""Knobs of one model that tune themselves on the validation part, as the rows of a stack do.

What has to be known is kept with the optimizer's state, by the names that a stack has for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ripieno.recipes import draws
from ripieno.recipes.altering import Altering
from ripieno.recipes.augmentation import SMOOTH, augment
from ripieno.recipes.bilevel_knobs import BILEVEL, bilevel_names
from ripieno.recipes.decay_groups import DecayGroups, tuned_groups
from ripieno.recipes.dropout import DropoutMode
from ripieno.recipes.knobs import Knobs
from ripieno.recipes.losses import TRAINING_OPTIONS, Loss, reduce
from ripieno.recipes.ranks import Share
from ripieno.recipes.tuner import (
    TUNED_EVERY,
    TUNED_STEP,
    TUNED_WARMUP,
    Tuner,
    TunerLoss,
    tuned_slots,
    tuning_rows,
)
from ripieno.records import tuned_metrics

__all__ = ["ModelBatch", "ModelLosses", "ModelTuning", "first_knobs", "judged_rows"]

_BETA1, _BETA2, _EPS = 0.9, 0.999, 1e-8
_DECAY = "weight_decay"

Numbers = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class ModelBatch:
    """A batch before it was changed, with what was drawn for that.

    Args:
        x: Inputs, ``(batch, *features)``.
        y: Targets as the model is trained on.
        step: Number of the step in its epoch.
        key: The step's key, int64, ``()``.
        image: What augmentations depend on, int64, ``(1,)``.
        altering: How examples are mixed, and their noise.
        growth: How the shares of the epoch grow with ``mixup``, ``(steps,)``, or None.
    """

    x: Tensor
    y: Tensor
    step: int
    key: Tensor
    image: Tensor
    altering: Altering
    growth: Tensor | None


@dataclass(frozen=True, slots=True)
class ModelLosses:
    """The losses of one model as functions of its parameters and of its knobs.

    Args:
        module: The model; left unchanged.
        loss: What is trained.
        options: What the loss reads.
        strengths: Of augmentations, each ``(1,)``.
        l1: The penalty where it does not tune itself.
        groups: Which weight decay belongs to which parameter.
        device: Where the model is.
    """

    module: nn.Module
    loss: Loss
    options: Mapping[str, Any]
    strengths: Numbers
    l1: float
    groups: DecayGroups
    device: torch.device

    def training(self, params: dict[str, Tensor], knobs: Numbers, batch: ModelBatch) -> Tensor:
        """Return the loss of a batch, penalties included; a graph goes through all that is given.

        Args:
            params: The trained parameters by name.
            knobs: What tunes itself, by name.
            batch: The batch.
        """
        own = {name: knobs[name].unsqueeze(0) for name in SMOOTH if name in knobs}
        x = augment(batch.x.unsqueeze(0), batch.image, {**self.strengths, **own})[0]
        near = {name: value.to(x.device) for name, value in knobs.items()}
        altering = batch.altering.moved(near, batch.growth)
        x = altering.inputs(x, batch.step, batch.key).to(self.device)
        self.module.train()
        with DropoutMode(batch.key):
            outputs = self._call(params, x)
        options = {**self.options, **{n: v for n, v in knobs.items() if n in self.loss.options}}
        loss = partial(self.loss, outputs, **_smooth(options, outputs))
        share = Share(0, len(batch.y), len(batch.y))
        losses, weights = altering.losses(
            loss, batch.y.to(self.device), step=batch.step, key=batch.key, share=share
        )
        objective = reduce(losses, weights)
        l1 = knobs.get("l1", torch.tensor(self.l1))
        if "l1" in knobs or self.l1 > 0:
            sums = [p.abs().sum() for p in params.values() if p.ndim > 1]
            objective = objective + l1.to(objective) * sum(sums, torch.zeros(()))
        for name in (name for name in knobs if name.startswith(_DECAY)):
            rows = {n: p.unsqueeze(0) for n, p in params.items()}
            decay = knobs[name].unsqueeze(0).to(self.device)
            objective = objective + self.groups.penalty(rows, decay)[0]
        return objective

    def validation(
        self, params: dict[str, Tensor], first: Numbers, rows: tuple[Tensor, Tensor]
    ) -> Tensor:
        """Return the mean loss on validation rows; smoothing, weights and penalties are left out.

        Args:
            params: The trained parameters by name.
            first: Where the knobs began, by which they are judged.
            rows: Features and targets.
        """
        x, y = (each.to(self.device) for each in rows)
        self.module.eval()
        outputs = self._call(params, x)
        self.module.train()
        names = set(self.loss.options) - TRAINING_OPTIONS
        options = {name: first.get(name, self.options[name]) for name in names}
        return reduce(*self.loss(outputs, y, **_smooth(options, outputs)))

    def _call(self, params: dict[str, Tensor], x: Tensor) -> Tensor:
        buffers = {name: buffer.clone() for name, buffer in self.module.named_buffers()}
        outputs: Tensor = torch.func.functional_call(self.module, {**buffers, **params}, (x,))
        return outputs


class ModelTuning:
    """The knobs of one model on their way.

    Args:
        tuner: Computes hypergradients.
        optimizer: What trains the model; a stored state is loaded already.
        first: Where the knobs begin, float64, ``()`` or ``(numbers,)`` by name.
        groups: Which weight decay belongs to which parameter.
        labels: The classes or labels of the data.
    """

    def __init__(
        self,
        tuner: Tuner,
        optimizer: torch.optim.Optimizer,
        *,
        first: Numbers,
        groups: DecayGroups,
        labels: Sequence[object],
    ) -> None:
        self._tuner, self._optimizer, self.first = tuner, optimizer, dict(first)
        self.groups, self._labels = groups, labels
        stored = [own for own in optimizer.state.values() if "tuned_steps" in own]
        fresh = {s: torch.zeros_like(first[n]) for s, n in tuned_slots(tuple(first)).items()}
        fresh["tuned_steps"] = torch.zeros((), dtype=torch.float64)
        self._kept = {s: stored[0][s].cpu() if stored else zero for s, zero in fresh.items()}

    @property
    def values(self) -> dict[str, Tensor]:
        """The knobs as they are now."""
        return self._tuner.values(self.first, self._moved)

    @staticmethod
    def is_due(epoch: int, *, step: int, steps: int) -> bool:
        """Say whether the knobs move after a step of an epoch."""
        return epoch >= TUNED_WARMUP and (step + 1) % min(TUNED_EVERY, steps) == 0

    @torch.no_grad()
    def decay(self, module: nn.Module) -> None:
        """Add the weight decay that tunes itself, if there is one, to the gradients."""
        for name in (name for name in self.first if name.startswith(_DECAY)):
            own = {n: p for n, p in module.named_parameters() if p.grad is not None}
            rows = {n: p.unsqueeze(0) for n, p in own.items()}
            decays = self.groups.along(rows, self.values[name].reshape(1, -1).to(_place(rows)))
            for n, p in own.items():
                assert p.grad is not None  # noqa: S101 - as chosen above
                p.grad.addcmul_(p, decays[n][0])

    def move(
        self,
        losses: ModelLosses,
        batch: ModelBatch,
        rows: tuple[Tensor, Tensor],
    ) -> None:
        """Move the knobs after a step of training.

        Args:
            losses: The losses of the model.
            batch: The batch of that step.
            rows: Validation rows: features and targets.
        """

        def train_loss(params: dict[str, Tensor], moved: dict[str, Tensor]) -> Tensor:
            return losses.training(params, self._tuner.values(self.first, moved), batch)

        trained = {n: p.detach() for n, p in losses.module.named_parameters() if p.requires_grad}
        validation_loss: TunerLoss = lambda params, _: losses.validation(params, self.first, rows)  # noqa: E731 - as short
        slopes, useless = self._tuner.slopes(
            train_loss, validation_loss, params=trained, moved=self._moved
        )
        finite = all(bool(torch.isfinite(slope).all()) for slope in slopes.values())
        if finite and not bool(useless):
            self._step(slopes)

    def _step(self, slopes: Numbers) -> None:
        """Take a step of Adam with each knob."""
        kept = self._kept
        kept["tuned_steps"] = kept["tuned_steps"] + 1
        count = float(kept["tuned_steps"])
        for name, slope in slopes.items():
            g = slope.double()
            mean = torch.lerp(kept[f"tuned_{name}_mean"], g, 1 - _BETA1)
            square = _BETA2 * kept[f"tuned_{name}_square"] + (1 - _BETA2) * g * g
            size = (square / (1 - _BETA2**count)).sqrt() + _EPS
            kept[f"tuned_{name}"] = (
                kept[f"tuned_{name}"] - TUNED_STEP * mean / (1 - _BETA1**count) / size
            )
            kept[f"tuned_{name}_mean"], kept[f"tuned_{name}_square"] = mean, square

    def remember(self) -> None:
        """Keep what is known with the optimizer's state, after a step of it.

        Not before one: an optimizer begins where it finds no state.
        """
        state = self._optimizer.state
        for group in self._optimizer.param_groups:
            for p in group["params"]:
                if p.grad is not None or p in state:
                    state[p].update(self._kept)

    @property
    def metrics(self) -> dict[str, float]:
        """The knobs as they are now, by the names of metrics."""
        found: dict[str, float] = {}
        for name, value in self.values.items():
            parts = self.groups.names if name.startswith(_DECAY) else self._labels
            found |= tuned_metrics(name, value.tolist(), parts)
        return found

    @property
    def _moved(self) -> dict[str, Tensor]:
        return {name: self._kept[f"tuned_{name}"] for name in self.first}


def first_knobs(
    module: nn.Module, knobs: Knobs, options: Mapping[str, Any]
) -> tuple[dict[str, Tensor], DecayGroups]:
    """Return where the knobs begin that tune themselves, and the groups of weight decays.

    Args:
        module: The model.
        knobs: Its knobs.
        options: What its loss reads.
    """
    names = bilevel_names(knobs.hypergradient)
    trained = [name for name, p in module.named_parameters() if p.requires_grad]
    several, groups = tuned_groups(names, trained) or ("", DecayGroups.of(trained, "model"))
    found: dict[str, Tensor] = {}
    for name in names:
        value = options[name] if name in options else getattr(knobs, BILEVEL[name])
        found[name] = torch.as_tensor(value, dtype=torch.float64).cpu()
        if name == several:
            found[name] = found[name].repeat(len(groups.names))
    return found, groups


def judged_rows(seed: int, *, epoch: int, step: int, rows: int, least: int) -> Tensor:
    """Return which validation rows a step of the knobs looks at; see :func:`tuning_rows`.

    Args:
        seed: The model's seed.
        epoch: Epochs trained before this one.
        step: Number of the step in it.
        rows: Rows of the validation part.
        least: The fewest rows of any fold's.
    """
    key = draws.key_tensor(draws.fold(seed, draws.Purpose.TUNING, epoch, step))
    return tuning_rows(key, rows, least=least)


def _smooth(options: Mapping[str, Any], outputs: Tensor) -> dict[str, Any]:
    """Return options as tensors of the outputs' type, in which losses are smooth."""
    return {name: torch.as_tensor(value).to(outputs) for name, value in options.items()}


def _place(rows: Mapping[str, Tensor]) -> torch.device:
    return next(iter(rows.values())).device
