"""Learning rates that follow the inner product of a gradient and the step before it.

If the gradient after a step still points where the step went, the step was too short; if it
points back, too long. With the direction ``u`` of the last step (``w_t = w_{t-1} - lr u``) and
the new gradient ``g``::

    additive:   lr <- lr + strength * g.u
    cosine:     lr <- lr * (1 + strength * g.u / (|g| |u|))

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

_LOWEST, _HIGHEST = 1e-8, 1e3


@dataclass(frozen=True, slots=True)
class RateRule:
    """How a learning rate follows.

    Args:
        form: ``"cosine"`` or ``"additive"``.
        strength: How fast; None for 0.05 (cosine) and 1e-3 (additive).
        lowest: The rate is never below: the additive form would go below zero.
        highest: The rate is never above.

    Raises:
        HypergradientError: A value is not allowed.
    """

    form: Literal["cosine", "additive"] = "cosine"
    strength: float | None = None
    lowest: float = _LOWEST
    highest: float = _HIGHEST

    def __post_init__(self) -> None:
        usual = {"cosine": 0.05, "additive": 1e-3}
        if self.form not in usual:
            raise HypergradientError(
                f"there is no form {self.form!r}.",
                where="RateRule(form=…)",
                fix=f"use one of {', '.join(usual)}.",
            )
        if self.strength is None:
            object.__setattr__(self, "strength", usual[self.form])
        fits = 0 < self.strength and (self.form != "cosine" or self.strength < 1)
        if not (fits and 0 < self.lowest < self.highest):
            raise HypergradientError(
                f"strength = {self.strength!r} between {self.lowest:g} and {self.highest:g} is "
                "not allowed.",
                where="RateRule(strength=…, lowest=…, highest=…)",
                fix="give a strength above 0, below 1 for the cosine form, and 0 < lowest < "
                "highest.",
            )

    def next(self, rate: Tensor, *, product: Tensor, lengths: Tensor) -> Tensor:
        """Return the next learning rate; as it was where a number is not finite.

        Args:
            rate: Learning rates, ``()`` or ``(members,)``.
            product: Inner products ``g.u`` of that shape.
            lengths: ``|g| |u|``; where it is zero, nothing changes.
        """
        strength = self.strength
        if self.form == "additive":
            new = rate + strength * product  # Eq. (5)
        else:
            cosine = torch.where(lengths > 0, product / lengths, 0.0).clamp(-1.0, 1.0)
            new = rate * (1 + strength * cosine)
        usable = torch.isfinite(product) & torch.isfinite(lengths)
        return torch.where(usable, new.clamp(self.lowest, self.highest), rate)
