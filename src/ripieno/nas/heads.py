"""From the last maps of a network to its outputs.

The mean of each map forgets where on it something was found. Where the last maps have few pixels,
as those of small images have, a layer that reads all of them keeps that and is still small.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

from torch import nn

from ripieno.errors import SpaceError
from ripieno.recipes import global_pooling
from ripieno.space import Categorical, Config, Constant, Domain, Space

__all__ = ["HEADS", "POOLS", "Head", "halved", "pool_domain", "settled"]

POOLS = ("average", "max", "none")
"""What may make one number of each last map; none: all its pixels are read."""

HEADS = ("global_pool", "dropout")
"""The hyperparameters of a head."""


@dataclass(frozen=True, slots=True)
class Head:
    """What stands behind the last maps: perhaps a pooling, dropout, and one linear layer.

    Args:
        pool: One of :data:`POOLS`.
        dropout: The share of the features that is dropped; None for no such layer. With 0.0
            there is one, so that rows of all rates are one stack.
    """

    pool: str = "average"
    dropout: float | None = None

    @classmethod
    def read(cls, config: Mapping[str, Any]) -> Self:
        """Return the head of a config; it has the mean of each map and no dropout if unsaid.

        Raises:
            SpaceError: A value is not allowed.
        """
        pool, dropout = config.get("global_pool", "average"), config.get("dropout")
        if pool not in POOLS:
            raise SpaceError(
                f"global_pool = {pool!r} builds no head.",
                where=repr(Config(dict(config))),
                fix=f"use one of {', '.join(map(repr, POOLS))}.",
            )
        if dropout is None:
            return cls(pool)
        if (
            isinstance(dropout, bool)
            or not isinstance(dropout, int | float)
            or not 0 <= dropout < 1
        ):
            raise SpaceError(
                f"dropout = {dropout!r} builds no head.",
                where=repr(Config(dict(config))),
                fix="give a share from 0 to below 1.",
            )
        return cls(pool, float(dropout))

    def build(self, channels: int, size: tuple[int, int], classes: int) -> list[nn.Module]:
        """Return its layers.

        Args:
            channels: Of the last maps.
            size: Their height and width.
            classes: Number of outputs.
        """
        pixels = size[0] * size[1] if self.pool == "none" else 1
        dropped = [] if self.dropout is None else [nn.Dropout(self.dropout)]
        return [
            *global_pooling(self.pool),
            nn.Flatten(),
            *dropped,
            nn.Linear(channels * pixels, classes),
        ]


def halved(shape: tuple[int, ...], times: int) -> tuple[int, int]:
    """Return height and width after so many halvings, each rounded up.

    Args:
        shape: ``(channels, height, width)`` of one image.
        times: How often.
    """
    height, width = (-(-side // 2**times) for side in shape[1:])
    return height, width


def pool_domain(global_pool: str | tuple[str, ...]) -> Domain:
    """Return the hyperparameter ``global_pool``: a constant, or a choice of several.

    Raises:
        SpaceError: One is unknown.
    """
    named = (global_pool,) if isinstance(global_pool, str) else global_pool
    for pool in named:
        Head.read({"global_pool": pool})
    return Constant(named[0]) if len(named) == 1 else Categorical(*named)


def settled(space: Space) -> Space:
    """Return the space with the head of its defaults: a supernet has one head for all cells."""
    open_ = {name: space.default()[name] for name in HEADS if name in space.searched}
    return space.fix(open_) if open_ else space
