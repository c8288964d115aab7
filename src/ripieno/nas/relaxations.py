"""How the choice of an operation is made something that has a gradient.

A relaxation turns free numbers, the alphas, into gates. Alphas are held by name: one tensor of
shape ``(edges, operations)`` a kind of cell, and where edges are weighed too, one of shape
``(edges,)`` as ``<kind>.edges``.

Source: Liu, Simonyan and Yang, "DARTS", ICLR 2019 (:class:`Darts`); Ye et al., "beta-DARTS:
Beta-decay regularization for differentiable architecture search", CVPR 2022 (its ``beta``);
Dong and Yang, "Searching for a robust neural architecture in four GPU hours", CVPR 2019
(:class:`Gdas`); Xu et al., "PC-DARTS", ICLR 2020 (:class:`PcDarts`); Chen et al., "DrNAS:
Dirichlet neural architecture search", ICLR 2021 (:class:`DrNas`).
"""

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Protocol

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.distributions import Dirichlet, kl_divergence

from ripieno.errors import SearchError
from ripieno.nas.cells import Gates
from ripieno.nas.layouts import Layout

__all__ = [
    "RELAXATIONS",
    "Alphas",
    "Darts",
    "DrNas",
    "Gdas",
    "PcDarts",
    "Relaxation",
    "first_alphas",
]

Alphas = Mapping[str, Tensor]
_EDGES = ".edges"


class Relaxation(Protocol):
    """From alphas to gates."""

    @property
    def share(self) -> int:
        """One channel in so many goes through the operations."""

    @property
    def order(self) -> int:
        """1: the weights are taken as they are; 2: as they are after one more step."""

    @property
    def warmup(self) -> float:
        """The share of the epochs before the alphas begin to move."""

    def gates(self, alphas: Alphas, layout: Layout, progress: float) -> dict[str, Gates]:
        """Return gates for one step; random ones for relaxations that sample.

        Args:
            alphas: By name.
            layout: Of the cells.
            progress: Of the search, from 0 to 1.
        """

    def strengths(self, alphas: Alphas, layout: Layout) -> dict[str, Gates]:
        """Return what an operation counts on average, which an architecture is read from."""

    def penalty(self, alphas: Alphas, progress: float) -> Tensor:
        """Return what is added to the loss of the alphas."""


@dataclass(frozen=True, slots=True)
class Darts:
    """A softmax over the operations of an edge.

    Args:
        order: 1 or 2. Of second order, the step is one of gradient descent with weight decay
            and without momentum, and is differentiated exactly.
        beta: At the end of the search, the weight of the mean log-sum-exp of the alphas of an
            edge; it grows from 0. It keeps shortcuts from taking over; 0 is plain DARTS, which
            collapses.
        warmup: The share of the epochs before the alphas begin to move.

    Raises:
        SearchError: The order is neither 1 nor 2.
    """

    order: int = 1
    beta: float = 50.0
    warmup: float = 0.0

    def __post_init__(self) -> None:
        if self.order not in {1, 2}:
            raise SearchError(
                f"order = {self.order!r} is neither 1 nor 2.",
                where=repr(self),
                fix="use 1, which is as good and four times as fast, or 2.",
            )

    @property
    def share(self) -> int:
        """All channels."""
        return 1

    def gates(self, alphas: Alphas, layout: Layout, progress: float) -> dict[str, Gates]:  # noqa: ARG002
        """Return the softmax."""
        return self.strengths(alphas, layout)

    def strengths(self, alphas: Alphas, layout: Layout) -> dict[str, Gates]:
        """Return the softmax."""
        return {kind: Gates(alphas[kind].softmax(-1)) for kind in layout.kinds}

    def penalty(self, alphas: Alphas, progress: float) -> Tensor:
        """Return the regulariser of beta-DARTS."""
        means = [alpha.logsumexp(-1).mean() for alpha in alphas.values()]
        return self.beta * progress * torch.stack(means).mean()


@dataclass(frozen=True, slots=True)
class Gdas:
    """One operation an edge, drawn anew for each step: memory for one, not for all.

    The gate of the drawn operation is 1, with the gradient of its softmax probability
    (straight through); the others are not computed and have none.

    Args:
        temperatures: Of the softmax, at the beginning and at the end.
        warmup: The share of the epochs before the alphas begin to move.
    """

    temperatures: tuple[float, float] = (10.0, 0.1)
    warmup: float = 0.0

    @property
    def share(self) -> int:
        """All channels."""
        return 1

    @property
    def order(self) -> int:
        """The weights as they are."""
        return 1

    def gates(self, alphas: Alphas, layout: Layout, progress: float) -> dict[str, Gates]:
        """Return one open gate an edge."""
        first, last = self.temperatures
        temperature = first + (last - first) * progress
        return {kind: Gates(_drawn(alphas[kind], temperature)) for kind in layout.kinds}

    def strengths(self, alphas: Alphas, layout: Layout) -> dict[str, Gates]:
        """Return the probabilities."""
        return {kind: Gates(alphas[kind].softmax(-1)) for kind in layout.kinds}

    def penalty(self, alphas: Alphas, progress: float) -> Tensor:  # noqa: ARG002
        """Return zero."""
        return next(iter(alphas.values())).new_zeros(())


def _drawn(alpha: Tensor, temperature: float) -> Tensor:
    gumbel = -torch.empty_like(alpha).exponential_().log()
    soft = ((alpha.log_softmax(-1) + gumbel) / temperature).softmax(-1)
    hard = F.one_hot(soft.argmax(-1), soft.shape[-1]).to(soft.dtype)
    return hard + hard * (soft - soft.detach())


@dataclass(frozen=True, slots=True)
class PcDarts:
    """A softmax over operations, which see a part of the channels, and one over a node's edges.

    Args:
        share: One channel in so many goes through the operations.
        warmup: The share of the epochs before the alphas begin to move.

    Raises:
        SearchError: The share is below 1.
    """

    share: int = 4
    warmup: float = 0.3

    def __post_init__(self) -> None:
        if self.share < 1:
            raise SearchError(
                f"share = {self.share!r} leaves no channel.",
                where=repr(self),
                fix="give a whole number of at least 1; 4 means a quarter.",
            )

    @property
    def order(self) -> int:
        """The weights as they are."""
        return 1

    def gates(self, alphas: Alphas, layout: Layout, progress: float) -> dict[str, Gates]:  # noqa: ARG002
        """Return both softmaxes."""
        return self.strengths(alphas, layout)

    def strengths(self, alphas: Alphas, layout: Layout) -> dict[str, Gates]:
        """Return both softmaxes."""
        return {
            kind: Gates(
                alphas[kind].softmax(-1),
                torch.cat(
                    [
                        alphas[kind + _EDGES][[n for n, e in enumerate(layout.edges) if e[1] == t]]
                        .softmax(0)
                        for t in layout.inner
                    ]
                ),
            )
            for kind in layout.kinds
        }  # fmt: skip

    def penalty(self, alphas: Alphas, progress: float) -> Tensor:  # noqa: ARG002
        """Return zero."""
        return next(iter(alphas.values())).new_zeros(())


@dataclass(frozen=True, slots=True)
class DrNas:
    """A draw from a Dirichlet distribution an edge, differentiated along its path.

    Args:
        anchor: Weight of the divergence from the even distribution.
        warmup: The share of the epochs before the alphas begin to move.
    """

    anchor: float = 1e-3
    warmup: float = 0.0

    @property
    def share(self) -> int:
        """All channels."""
        return 1

    @property
    def order(self) -> int:
        """The weights as they are."""
        return 1

    def gates(self, alphas: Alphas, layout: Layout, progress: float) -> dict[str, Gates]:  # noqa: ARG002
        """Return a draw."""
        return {kind: Gates(_dirichlet(alphas[kind]).rsample()) for kind in layout.kinds}

    def strengths(self, alphas: Alphas, layout: Layout) -> dict[str, Gates]:
        """Return the mean of the distribution."""
        return {kind: Gates(_dirichlet(alphas[kind]).mean) for kind in layout.kinds}

    def penalty(self, alphas: Alphas, progress: float) -> Tensor:  # noqa: ARG002
        """Return the divergence from the even distribution, scaled."""
        parts = [
            kl_divergence(_dirichlet(alpha), Dirichlet(torch.ones_like(alpha))).sum()
            for alpha in alphas.values()
        ]
        return self.anchor * torch.stack(parts).sum()


def _dirichlet(alpha: Tensor) -> Dirichlet:
    return Dirichlet(F.elu(alpha) + 1.0)


RELAXATIONS: Mapping[str, Relaxation] = MappingProxyType(
    {
        "darts": Darts(),
        "darts2": Darts(order=2, beta=0.0),
        "gdas": Gdas(),
        "pc_darts": PcDarts(),
        "drnas": DrNas(),
    }
)
"""Relaxations by name, as their papers have them; ``darts`` is of first order, with beta."""


def first_alphas(layout: Layout, *, edges: bool) -> dict[str, Tensor]:
    """Return alphas close to zero, drawn from torch's generator.

    Args:
        layout: Of the cells.
        edges: Whether edges are weighed too.
    """
    shape = (len(layout.edges), len(layout.operations))
    alphas = {kind: 1e-3 * torch.randn(shape) for kind in layout.kinds}
    if edges:
        alphas |= {kind + _EDGES: 1e-3 * torch.randn(shape[0]) for kind in layout.kinds}
    return alphas
