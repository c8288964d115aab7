"""A step of training as a function that can be differentiated by the hyperparameters.

The rules are those of the population engine, which are pure functions of tensors and equal
torch's step by step; here the learning rate, the weight decay or any other number of theirs may
be a hyperparameter, and the gradient may hang on everything before it.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor

from ripieno.errors import HypergradientError
from ripieno.hypergradient.trees import Tensors
from ripieno.population import FAMILIES, Optimizer

__all__ = ["Kept", "Update"]

_SQUARES = frozenset({"exp_avg_sq", "square_avg", "sum"})
_TINY = 1e-30
"""Least mean square. The root has no derivative at zero, and 0 times that is NaN."""
_OPTIONAL = frozenset({"momentum", "dampening", "weight_decay", "lr_decay"})


@dataclass(frozen=True, slots=True)
class Kept:
    """What an optimizer keeps, the member axis first.

    Args:
        slots: By parameter and slot.
        rows: For each row, by slot, ``(members,)``.
    """

    slots: Mapping[str, Mapping[str, Tensor]]
    rows: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Update:
    """One of the engine's optimizers, with its numbers.

    Args:
        optimizer: Its name: ``"sgd"``, ``"adam"``, ``"adamw"``, ``"rmsprop"``, ….
        numbers: Its hyperparameters: a number, or the name of one of ``hyper``; those that
            are left out have torch's default.

    Raises:
        HypergradientError: There is no such optimizer, or it has no such number.
    """

    optimizer: str
    numbers: Mapping[str, float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.optimizer not in FAMILIES:
            raise HypergradientError(
                f"there is no optimizer {self.optimizer!r}.",
                where=f"optimizers: {', '.join(FAMILIES)}",
                fix="name one of these.",
            )
        known = FAMILIES[self.optimizer].defaults
        for name in self.numbers:
            if name not in known:
                raise HypergradientError(
                    f"{self.optimizer} has no number {name!r}.",
                    where=f"numbers: {', '.join(known)}",
                    fix="name one of these.",
                )

    def check(self, hyper: Tensors, axes: int) -> None:
        """Refuse a number that names no hyperparameter, or one of more than one value.

        Raises:
            HypergradientError: There is one.
        """
        for number, name in self.numbers.items():
            if not isinstance(name, str):
                continue
            if name not in hyper or hyper[name].ndim != axes:
                found = f"of shape {tuple(hyper[name].shape)}" if name in hyper else "missing"
                raise HypergradientError(
                    f"the {number} of {self.optimizer} is the hyperparameter {name!r}, which "
                    f"is {found}.",
                    where=f"hyper: {', '.join(hyper)}",
                    fix="give it one value, or one a row if the losses are of rows.",
                )

    @property
    def named(self) -> frozenset[str]:
        """The hyperparameters that the rule reads."""
        return frozenset(name for name in self.numbers.values() if isinstance(name, str))

    def first(self, params: Tensors, hyper: Tensors, axes: int) -> Kept:
        """Return what is kept before the first step."""
        rule, numbers = self._rule(), self._rows(params, hyper, axes)
        begin = rule.first(numbers)
        slots = {}
        for name, tensor in params.items():
            own = tensor.detach() if axes else tensor.detach().unsqueeze(0)
            value = begin.detach() if isinstance(begin, Tensor) else torch.tensor(begin)
            filled = value.to(own.dtype).view(-1, *[1] * (own.ndim - 1)).expand_as(own)
            slots[name] = {slot: filled.clone() for slot in rule.slots_of(name)}
        members = len(numbers["lr"])
        rows = {n: numbers["lr"].new_full((members,), v) for n, v in rule.row_slots.items()}
        return Kept(slots, {name: row.detach() for name, row in rows.items()})

    def step(
        self, params: Tensors, gradients: Tensors, *, kept: Kept, number: int, hyper: Tensors,
        axes: int,
    ) -> tuple[dict[str, Tensor], Kept]:  # fmt: skip
        """Return the parameters after one step, and what is kept then.

        Args:
            params: Before the step.
            gradients: Of the training loss; a parameter without one stays as it is.
            kept: What is kept.
            number: Steps taken before this one.
            hyper: The hyperparameters.
            axes: See :mod:`ripieno.hypergradient.trees`.
        """
        numbers = self._rows(params, hyper, axes)
        stacked, slopes = dict(params), dict(gradients)
        if not axes:
            stacked = {name: tensor.unsqueeze(0) for name, tensor in params.items()}
            slopes = {name: tensor.unsqueeze(0) for name, tensor in gradients.items()}
        slots = {name: _above_zero(own) for name, own in kept.slots.items()}
        new, new_slots, rows = self._rule().step(
            stacked,
            slopes,
            slots=slots,
            row_slots=kept.rows,
            steps=torch.full_like(numbers["lr"], number, dtype=torch.int64),
            hyper=numbers,
        )
        moved = {n: new[n] if axes else new[n].squeeze(0) for n in new}
        return {**params, **moved}, Kept({**slots, **new_slots}, rows)

    def _rule(self) -> Optimizer:
        family = FAMILIES[self.optimizer]
        usual = {name for name, value in family.defaults.items() if value > 0}
        return family(uses=_OPTIONAL & (usual | set(self.numbers)))

    def _rows(self, params: Tensors, hyper: Tensors, axes: int) -> dict[str, Tensor]:
        """Return every number as one a row, float64."""
        some = next(iter(params.values()))
        members = some.shape[0] if axes else 1
        found = {}
        for name, default in FAMILIES[self.optimizer].defaults.items():
            value = self.numbers.get(name, default)
            if isinstance(value, str):
                found[name] = hyper[value].to(some.device).double().expand(members)
            else:
                found[name] = some.new_full((members,), value, dtype=torch.float64)
        return found


def _above_zero(slots: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {n: t.clamp(min=_TINY) if n in _SQUARES else t for n, t in slots.items()}
