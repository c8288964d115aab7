"""Learning rates that follow the inner product of a gradient and the step before it.

If the gradient after a step still points where the step went, the step was too short; if it
points back, too long. With the direction ``u`` of the last step (``w_t = w_{t-1} - lr u``) and
the new gradient ``g``::

    additive:   lr <- lr + strength * g.u
    cosine:     lr <- lr * (1 + strength * g.u / (|g| |u|))

Beyond a cliff both forms come too late: one step that is a hundred times too long kills a network
for good. So a loss far above the first one undoes the step before it, and halves the rate, but
only where that step is to blame. Were the loss convex, a step could not raise it by more than the
gradient says of it, ``g.(w_t - w_{t-1})``; a batch of hard examples has a high loss without that,
and must not cost half the rate each time that one comes.

The additive form is gradient descent on the learning rate, and its strength has the unit of the
rate squared over the loss: it has to fit the problem. The cosine form is free of units, and never
reaches zero.

Source: Baydin et al., "Online learning rate adaptation with hypergradient descent", ICLR 2018,
Eq. (5) and (8).
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ripieno.errors import HypergradientError

__all__ = ["RateRule"]

_USUAL = {"cosine": 0.1, "additive": 1e-3}
_BLAME = 0.2
"""Share of what a loss is too high that the gradient must lay on the last step."""


@dataclass(frozen=True, slots=True)
class RateRule:
    """How a learning rate follows.

    Args:
        form: ``"cosine"`` or ``"additive"``.
        strength: How fast; None for 0.1 (cosine) and 1e-3 (additive).
        cliff: A loss of more than this many times the first one undoes the step that is to
            blame for it.
        lowest: The rate is never below: the additive form would go below zero.
        highest: The rate is never above.

    Raises:
        HypergradientError: A value is not allowed.
    """

    form: Literal["cosine", "additive"] = "cosine"
    strength: float | None = None
    cliff: float = 1.2
    lowest: float = 1e-8
    highest: float = 1e3

    def __post_init__(self) -> None:
        if self.form not in _USUAL:
            raise HypergradientError(
                f"there is no form {self.form!r}.",
                where="the rule of a learning rate",
                fix=f"use one of {', '.join(_USUAL)}.",
            )
        fits = self.speed > 0 and (self.form != "cosine" or self.speed < 1)
        if not (fits and self.cliff > 1 and 0 < self.lowest < self.highest):
            raise HypergradientError(
                f"strength = {self.speed:g}, cliff = {self.cliff:g}, lowest = {self.lowest:g}, "
                f"highest = {self.highest:g} cannot be.",
                where="the rule of a learning rate",
                fix="give a strength above 0, below 1 for the cosine form, a cliff above 1, and "
                "0 < lowest < highest.",
            )

    @property
    def speed(self) -> float:
        """The strength, or the usual one."""
        return _USUAL[self.form] if self.strength is None else self.strength

    def fallen(self, loss: Tensor, first: Tensor, *, rise: Tensor) -> Tensor:
        """Return which rows the last step threw off the cliff, bool; a loss that is NaN is off it.

        Args:
            loss: Losses now, ``()`` or ``(members,)``.
            first: Losses before the first step.
            rise: What the gradient now says of the last step, ``g.(w_t - w_{t-1})``.
        """
        return ~(loss <= self.edge(first)) & ~(rise < _BLAME * (loss - first))

    def edge(self, first: Tensor) -> Tensor:
        """Return the largest losses that are not beyond the cliff.

        Args:
            first: Losses before the first step.
        """
        return first.abs() * (self.cliff - 1) + first

    def next(self, rate: Tensor, *, product: Tensor, lengths: Tensor) -> Tensor:
        """Return the next learning rate; as it was where a number is not finite.

        Args:
            rate: Learning rates, ``()`` or ``(members,)``.
            product: Inner products ``g.u`` of that shape.
            lengths: ``|g| |u|``; where it is zero, nothing changes.
        """
        strength = self.speed
        if self.form == "additive":
            new = rate + strength * product  # Eq. (5)
        else:
            cosine = torch.where(lengths > 0, product / lengths, 0.0).clamp(-1.0, 1.0)
            new = rate * (1 + strength * cosine)
        usable = torch.isfinite(product) & torch.isfinite(lengths)
        return torch.where(usable, new.clamp(self.lowest, self.highest), rate)

    def cut(self, rate: Tensor) -> Tensor:
        """Return half the rate, for a step that fell off the cliff."""
        return (0.5 * rate).clamp(min=self.lowest)
