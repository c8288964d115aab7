"""How a function of one model becomes a function of a whole stack.

Under ``torch.vmap`` a user's ``forward`` sees the tensors of one model. A leaf is a function
of the *physical* tensors, which have the member axis too: it is handed to ``stacked_call``,
whose autograd function has a ``vmap`` rule that does nothing but call it. At that point vmap
has stepped aside, so a leaf computes with ordinary operations, and ordinary autograd, outside
the vmap, records just those: no leaf needs a batching rule for its backward.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

__all__ = ["Leaf", "Rows", "split", "stacked_call"]


@dataclass(frozen=True, slots=True)
class Rows:
    """A tensor as a leaf sees it.

    Args:
        tensor: The physical tensor.
        dim: Where its member axis lies; None if all members share the tensor.
    """

    tensor: Tensor
    dim: int | None

    @property
    def ndim(self) -> int:
        """Axes that one model sees."""
        return self.tensor.ndim - (self.dim is not None)

    def members_first(self, members: int) -> Tensor:
        """Return the tensor as ``(members, ...)``: a view, expanded where it is shared."""
        if self.dim is None:
            return self.tensor.unsqueeze(0).expand(members, *self.tensor.shape)
        return self.tensor.movedim(self.dim, 0)

    def folded(self, members: int) -> Tensor:
        """Return ``(batch, members * channels, ...)``, a view where the strides allow it."""
        if self.dim is None:
            batch, channels, *rest = self.tensor.shape
            wide = self.tensor.unsqueeze(1).expand(batch, members, channels, *rest)
            return wide.flatten(1, 2)
        return self.tensor.movedim(self.dim, 1).flatten(1, 2)


Leaf = Callable[..., "Rows | tuple[Rows, ...]"]
"""A function ``leaf(*operands, members=...)`` of Rows (or None) that gives Rows."""


class _StackedCall(torch.autograd.Function):
    """The seam between vmap and a leaf."""

    @staticmethod
    def forward(*args: Any) -> Any:
        # One operand, the row's number, is always batched, so vmap always takes its own rule.
        message = "a leaf was called outside the stacked forward"
        raise NotImplementedError(message)

    @staticmethod
    def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
        """Keep nothing: autograd records the leaf's own operations."""

    @staticmethod
    def vmap(info: Any, in_dims: Any, *args: Any) -> Any:
        leaf, _, *operands = args
        rows = [
            None if operand is None else Rows(operand, dim)
            for operand, dim in zip(operands, in_dims[2:], strict=True)
        ]
        out = leaf(*rows, members=info.batch_size)
        if isinstance(out, Rows):
            return out.tensor, out.dim
        return tuple(part.tensor for part in out), tuple(part.dim for part in out)


def split(folded: Tensor, dim: int, members: int) -> Rows:
    """Return ``(..., members * channels, ...)`` as Rows with the member axis at ``dim``."""
    return Rows(torch.unflatten(folded, dim, (members, -1)), dim)


def stacked_call(leaf: Leaf, row: Tensor, *operands: Tensor | None) -> Any:
    """Call a leaf from inside ``torch.vmap``.

    Args:
        leaf: The member-aware function; options are bound to it beforehand.
        row: The number of the row, one value of a vmapped ``arange(members)``.
        operands: The tensors as one model sees them; None for one that is left out.
    """
    return _StackedCall.apply(leaf, row, *operands)  # type: ignore[no-untyped-call]
