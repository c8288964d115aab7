"""Two nested problems, and what a method says of them."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ripieno.errors import HypergradientError
from ripieno.hypergradient.trees import Loss, Tensors, leaves, slopes

__all__ = ["Answer", "Direct", "Method", "Problem", "refuse_unreached"]

Direct = dict[str, Tensor | None]
"""Gradients by hyperparameter; None for one that does not enter at all."""


@dataclass(frozen=True, slots=True)
class Problem:
    """Hyperparameters are to lower one loss by way of parameters that lower another one.

    Args:
        train_loss: What the parameters minimize.
        validation_loss: What the hyperparameters minimize.
        params: The parameters, trained (implicit methods) or to be trained (the others).
        hyper: The hyperparameters.
    """

    train_loss: Loss
    validation_loss: Loss
    params: Tensors
    hyper: Tensors

    def validation_gradients(self, params: Tensors) -> tuple[int, dict[str, Tensor], Direct]:
        """Return how many axes the loss has, and its gradients by parameters and by hyper.

        A gradient by a hyperparameter that does not enter the validation loss is None.
        """
        own, hyper = leaves(params), leaves(self.hyper)
        loss = self.validation_loss(own, hyper)
        both = {(kind, n): t for kind, each in enumerate((own, hyper)) for n, t in each.items()}
        found = slopes(loss, both)
        inner = {}
        for name, tensor in own.items():
            slope = found[0, name]
            inner[name] = torch.zeros_like(tensor) if slope is None else slope
        return loss.ndim, inner, {name: found[1, name] for name in hyper}


@dataclass(frozen=True, slots=True)
class Answer:
    """What a method found.

    Args:
        gradients: By hyperparameter, of its shape.
        diverged: Rows in which the method did not converge, bool, ``()`` or ``(members,)``;
            their gradients mean nothing.
        reason: What happened in those rows, and how to mend it; empty where nothing did.
    """

    gradients: dict[str, Tensor]
    diverged: Tensor
    reason: tuple[str, str] = ("", "")


class Method(Protocol):
    """A way to a hypergradient."""

    def answer(self, problem: Problem) -> Answer:
        """Return the gradient of the validation loss by every hyperparameter."""


def refuse_unreached(names: Iterable[str], *, method: str, fix: str) -> None:
    """Refuse hyperparameters that change nothing of what a method looks at.

    Raises:
        HypergradientError: There are any.
    """
    found = sorted(names)
    if found:
        raise HypergradientError(
            f"{found[0]!r} enters neither the gradient of the training loss nor the validation "
            f"loss, so that it cannot be tuned by {method!r}.",
            where=f"hyper: {', '.join(found)}",
            fix=fix,
        )
