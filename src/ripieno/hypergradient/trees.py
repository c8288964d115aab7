"""Dictionaries of tensors as vectors, one vector or one a row.

Every function takes ``axes``: 0 where the tensors are those of one model, 1 where their first
axis counts the ``members`` of a stack. Inner products and factors are then one number, or one a
row, ``(members,)``, so that an algorithm which is written once never mixes rows.
"""

from collections.abc import Callable, Hashable, Mapping
from typing import TypeVar

import torch
from torch import Tensor

__all__ = ["Loss", "Tensors", "add", "column", "dot", "leaves", "norm", "slopes", "where"]

Name = TypeVar("Name", bound=Hashable)

Tensors = Mapping[str, Tensor]
"""Tensors by name."""

Loss = Callable[[dict[str, Tensor], dict[str, Tensor]], Tensor]
"""A loss of parameters and hyperparameters: a scalar, or one number a row, ``(members,)``."""


def leaves(tensors: Tensors) -> dict[str, Tensor]:
    """Return the same tensors as leaves of autograd that share their memory."""
    return {name: tensor.detach().requires_grad_() for name, tensor in tensors.items()}


def slopes(
    value: Tensor, by: Mapping[Name, Tensor], *, create_graph: bool = False
) -> dict[Name, Tensor | None]:
    """Return the gradient of the sum of a value; None by a tensor that does not enter it."""
    if not value.requires_grad:
        return dict.fromkeys(by)
    found: tuple[Tensor | None, ...] = torch.autograd.grad(
        value.sum(), list(by.values()), create_graph=create_graph, allow_unused=True
    )
    return dict(zip(by, found, strict=True))


def column(numbers: Tensor, like: Tensor) -> Tensor:
    """Return one number, or one a row, so that it broadcasts against a tensor, in its dtype."""
    return numbers.to(like.dtype)[(..., *[None] * (like.ndim - numbers.ndim))]


def dot(left: Tensors, right: Tensors, axes: int) -> Tensor:
    """Return the inner product over all names, shape ``()`` or ``(members,)``."""
    products = [(left[name] * right[name]).flatten(axes).sum(-1) for name in left]
    return torch.stack(products).sum(0)


def norm(tensors: Tensors, axes: int) -> Tensor:
    """Return the Euclidean norm over all names, shape ``()`` or ``(members,)``."""
    return dot(tensors, tensors, axes).sqrt()


def add(left: Tensors, right: Tensors, *, factor: Tensor) -> dict[str, Tensor]:
    """Return ``left + factor * right``, with one factor or one a row."""
    return {name: tensor + column(factor, tensor) * right[name] for name, tensor in left.items()}


def where(rows: Tensor, left: Tensors, right: Tensors) -> dict[str, Tensor]:
    """Return ``left`` in the rows that are named and ``right`` in the others.

    Args:
        rows: bool, shape ``()`` or ``(members,)``.
        left: For the rows that are True.
        right: For the others; names and shapes of ``left``.
    """
    shaped = {n: rows[(..., *[None] * (t.ndim - rows.ndim))] for n, t in left.items()}
    return {name: torch.where(shaped[name], tensor, right[name]) for name, tensor in left.items()}
