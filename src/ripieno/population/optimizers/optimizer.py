"""What the optimizers of a stack have in common: every hyperparameter is one number a row.

torch's own optimizers take one learning rate for all parameters. These take ``(members,)``
tensors, and follow the order of operations of torch's single-tensor code, so that a row's
numbers equal those of ``torch.optim`` up to rounding, and a row's state loads into it. The
rules are pure functions of tensors: they can be traced, and they change nothing.

Numbers that belong to a row alone, such as bias corrections, are computed in float64, as
torch computes them in Python; parameter-sized arithmetic is done in the parameter's dtype.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Protocol

import torch
from torch import Tensor

from ripieno.recipes import ONLINE, PREVIOUS, RateRule, tuned_slots

__all__ = [
    "Numbers",
    "Optimizer",
    "RowKernel",
    "Slots",
    "Update",
    "clip",
    "clip_values",
    "column",
    "decay_penalty",
    "l1_penalty",
    "limit_norms",
]

Numbers = Mapping[str, Tensor]
"""Numbers of the rows by name, each ``(members,)``."""

Slots = Mapping[str, Tensor]
"""What is kept for one parameter, by torch's own names, each of the parameter's shape."""

Update = tuple[Tensor, dict[str, Tensor]]
"""A new parameter and its new slots."""

_OPTIONAL = frozenset({"momentum", "dampening", "weight_decay", "lr_decay"})


class RowKernel(Protocol):
    """Updates rows in place that are alike in all numbers of the step."""

    def __call__(
        self,
        parameters: Sequence[Tensor],
        gradients: Sequence[Tensor],
        *,
        slots: Mapping[str, Sequence[Tensor]],
        step: Tensor,
        hyper: Mapping[str, float],
    ) -> None:
        """Take one step.

        Args:
            parameters: Those of one row, or of all, each contiguous.
            gradients: As the parameters.
            slots: What is kept, by name, one a parameter.
            step: Number of the step, 1 for the first, float32, of no axes.
            hyper: Every hyperparameter.
        """


@dataclass(frozen=True, slots=True, kw_only=True)
class Optimizer(ABC):
    """One of torch's optimizers for all rows.

    Args:
        uses: Which of momentum, dampening, weight decay and decay of the learning rate are
            above 0 in any row; the others cost no arithmetic and no memory.
        decoupled_weight_decay: Whether weights shrink beside the update instead of through
            the gradient, in every row; None for the way that torch has it.
        online: How the rows' learning rates tune themselves; None for not at all.
        tuned: Knobs that tune themselves on the validation part.
    """

    uses: frozenset[str] = _OPTIONAL
    decoupled_weight_decay: bool | None = None
    online: RateRule | None = None
    tuned: tuple[str, ...] = ()

    defaults: ClassVar[Mapping[str, float]]
    """Hyperparameters, and their values in torch."""
    row_slots: ClassVar[Mapping[str, float]] = MappingProxyType({})
    """What is kept for a row, not for a parameter, and its first value."""
    counts: ClassVar[bool] = True
    """Whether torch keeps the number of the step."""
    decouples: ClassVar[bool] = False
    """Whether torch decouples the weight decay."""

    @property
    @abstractmethod
    def slots(self) -> tuple[str, ...]:
        """Names of what is kept for each parameter, as torch spells them."""

    def slots_of(self, name: str) -> tuple[str, ...]:  # noqa: ARG002 - for those that differ
        """Return the names of what is kept for one parameter."""
        return self.slots

    def kept_for(self, name: str) -> tuple[str, ...]:
        """Return the names of all that is stored with one parameter, and has its shape."""
        return (*self.slots_of(name), *(() if self.online is None else (PREVIOUS,)))

    @property
    def row_numbers(self) -> Mapping[str, float]:
        """What is stored for a row beside the optimizer's own, float64, and its first value."""
        of_rate = {} if self.online is None else ONLINE
        return {**of_rate, **({"tuned_steps": 0.0} if self.tuned else {})}

    @property
    def tuned_slots(self) -> Mapping[str, str]:
        """What is stored of each knob that tunes itself, and the knob, whose shape it has."""
        return tuned_slots(self.tuned)

    @property
    def row_names(self) -> frozenset[str]:
        """Names of all that is stored for a row."""
        return frozenset({*self.row_slots, *self.row_numbers, *self.tuned_slots})

    def counts_for(self, name: str) -> bool:  # noqa: ARG002 - for those that differ
        """Say whether torch keeps the number of the step with this parameter."""
        return self.counts

    @abstractmethod
    def coefficients(self, hyper: Numbers, step: Tensor, row_slots: Numbers) -> Numbers:
        """Return the numbers that the rule needs.

        Args:
            hyper: Every hyperparameter, float64, ``(members,)``.
            step: Number of the step, 1 for the first, float64, ``(members,)``.
            row_slots: What is kept for each row, as it is *after* this step.
        """

    @abstractmethod
    def rule(self, p: Tensor, g: Tensor, *, slots: Slots, c: Numbers) -> Update:
        """Return a parameter and its slots after one step.

        Args:
            p: Parameter, ``(members, ...)``; any decoupled weight decay is done.
            g: Its gradient, any coupled weight decay included.
            slots: What is kept for it.
            c: The coefficients, each ``(members, 1, ...)`` in the parameter's dtype.
        """

    def next_row_slots(
        self,
        hyper: Numbers,  # noqa: ARG002 - for the rules that keep any
        step: Tensor,  # noqa: ARG002
        row_slots: Numbers,
    ) -> Numbers:
        """Return what is kept for each row after this step."""
        return row_slots

    def first(self, hyper: Numbers) -> Tensor | float:  # noqa: ARG002 - for the rules that need it
        """Return the value of a fresh slot: one number, or one a row, ``(members,)``."""
        return 0.0

    def rule_of(self, name: str) -> "Optimizer":  # noqa: ARG002 - for those that differ
        """Return the optimizer whose rule updates one parameter."""
        return self

    def _decayed(self, p: Tensor, g: Tensor, hyper: Numbers) -> tuple[Tensor, Tensor]:
        """Return a parameter that has shrunk, or a gradient with the penalty (L2) added."""
        if "weight_decay" not in self.uses:
            return p, g
        own = self.decoupled_weight_decay
        if self.decouples if own is None else own:
            return p * column(1 - hyper["lr"] * hyper["weight_decay"], p), g
        return p, torch.addcmul(g, p, column(hyper["weight_decay"], p))

    def kernel(self, parameters: Mapping[str, Tensor]) -> "RowKernel | None":  # noqa: ARG002 - for those that have one
        """Return what updates rows in place faster than the rule does, or None.

        It follows from what one row is, never from how many there are.

        Args:
            parameters: All that are trained, ``(members, ...)`` by name.
        """
        return None

    def complete(self, hyper: Numbers) -> dict[str, Tensor]:
        """Return every hyperparameter, those that are left out at their default."""
        some = next(iter(hyper.values()))
        return {
            name: hyper[name].double() if name in hyper else torch.full_like(some, value).double()
            for name, value in self.defaults.items()
        }

    def step(
        self,
        parameters: Mapping[str, Tensor],
        gradients: Mapping[str, Tensor],
        *,
        slots: Mapping[str, Slots],
        row_slots: Numbers,
        steps: Tensor,
        hyper: Numbers,
        scales: Numbers = MappingProxyType({}),
    ) -> tuple[dict[str, Tensor], dict[str, dict[str, Tensor]], Numbers]:
        """Return what every row is after one step; nothing is changed in place.

        Args:
            parameters: ``(members, ...)`` by name.
            gradients: As the parameters; a parameter without one stays as it is.
            slots: What is kept, by parameter.
            row_slots: What is kept for each row, ``(members,)``.
            steps: Steps that each row has taken before this one, int64, ``(members,)``.
            hyper: Hyperparameters, ``(members,)``; others than ``lr`` may be left out.
            scales: Factors of the learning rate by parameter, ``(members,)``; parameters with
                one factor share the tensor.

        Returns:
            New parameters and new slots, by parameter, and new row slots.
        """
        given, number = self.complete(hyper), (steps + 1).double()
        kept = self.next_row_slots(given, number, row_slots)
        scaled = {0: (given, self.coefficients(given, number, kept))}
        new_parameters: dict[str, Tensor] = {}
        new_slots: dict[str, dict[str, Tensor]] = {}
        for name, gradient in gradients.items():
            scale = scales.get(name)
            key = 0 if scale is None else id(scale)
            if key not in scaled:
                own = {**given, "lr": given["lr"] * scales[name]}
                scaled[key] = own, self.coefficients(own, number, kept)
            own, numbers = scaled[key]
            parameter, g = self._decayed(parameters[name], gradient, own)
            c = {n: column(value, parameter) for n, value in numbers.items()}
            new_parameters[name], new_slots[name] = self.rule_of(name).rule(
                parameter, g, slots=slots[name], c=c
            )
        return new_parameters, new_slots, kept


def clip(gradients: Mapping[str, Tensor], largest: Tensor) -> tuple[dict[str, Tensor], Tensor]:
    """Scale each row's whole gradient down to its own largest norm.

    Args:
        gradients: ``(members, ...)`` by name.
        largest: ``(members,)``; 0 leaves a row alone.

    Returns:
        The scaled gradients, and the norms before, ``(members,)``.
    """
    norms = torch.stack([torch.linalg.vector_norm(g.flatten(1), dim=1) for g in gradients.values()])
    norm = torch.linalg.vector_norm(norms, dim=0)
    wanted = largest.to(norm.dtype)
    scale = torch.where(wanted > 0, (wanted / (norm + 1e-6)).clamp(max=1.0), 1.0)
    return {name: g * column(scale, g) for name, g in gradients.items()}, norm


def clip_values(gradients: Mapping[str, Tensor], largest: Tensor) -> dict[str, Tensor]:
    """Cut every number of each row's gradient to its own largest absolute value.

    Args:
        gradients: ``(members, ...)`` by name.
        largest: ``(members,)``; 0 leaves a row alone.
    """
    bound = torch.where(largest > 0, largest, torch.inf)
    return {n: torch.clamp(g, -column(bound, g), column(bound, g)) for n, g in gradients.items()}


def limit_norms(parameter: Tensor, axis: int, largest: Tensor) -> Tensor:
    """Return weights with each unit's incoming ones shrunk to a norm, as ``torch.renorm`` does.

    Args:
        parameter: ``(members, ...)``.
        axis: The axis of one model's weights that counts the units.
        largest: ``(members,)``; 0 leaves a row alone.
    """
    others = [dim for dim in range(1, parameter.ndim) if dim != axis + 1]
    norm = torch.linalg.vector_norm(parameter, dim=others, keepdim=True)
    bound = column(largest, parameter)
    scale = torch.where((bound > 0) & (norm > bound), bound / (norm + 1e-7), 1.0)
    return parameter * scale


def l1_penalty(parameters: Mapping[str, Tensor], strength: Tensor) -> Tensor:
    """Return ``strength`` times each row's sum of absolute weights, ``(members,)``.

    Weights are the parameters that have two or more axes in one model.
    """
    sums = [p.abs().flatten(1).sum(1) for p in parameters.values() if p.ndim > 2]
    if not sums:
        return torch.zeros_like(strength)
    total = torch.stack(sums).sum(0)
    return strength.to(total.dtype) * total


def decay_penalty(parameters: Mapping[str, Tensor], decay: Tensor) -> Tensor:
    """Return half of each row's decayed squares: its gradient is the coupled weight decay.

    Args:
        parameters: ``(members, ...)`` by name.
        decay: ``(members,)``.
    """
    squares = [p.square().reshape(len(p), -1).sum(1) for p in parameters.values()]
    total = torch.stack(squares).sum(0)
    return 0.5 * decay.to(total.dtype) * total


def column(numbers: Tensor, parameter: Tensor) -> Tensor:
    """Return ``(members,)`` as ``(members, 1, ...)`` in the parameter's dtype."""
    return numbers.to(parameter.dtype).view(-1, *[1] * (parameter.ndim - 1))
