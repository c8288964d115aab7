"""What a search of a supernet says: along the way, and at its end."""

from dataclasses import dataclass

from torch import Tensor

from ripieno.space import Config

__all__ = ["Found", "SearchEpoch"]


@dataclass(frozen=True, slots=True)
class SearchEpoch:
    """What there is to see after an epoch of a search.

    Args:
        config: The architecture of the strongest operations.
        train_loss: Mean over the epoch, on the half that the weights are trained on.
        loss: Of the last batch of the half that architectures are judged on: by gradient with
            the mean strengths, with a controller of ``config``.
        skips: Edges of the normal cell that are shortcuts or absent.
        idle: Edges of the normal cell that learn nothing: those, and poolings.
        eigenvalue: The dominant one of the second derivative of that loss by the alphas; None
            for a method without alphas.
    """

    config: Config
    train_loss: float
    loss: float
    skips: int
    idle: int
    eigenvalue: float | None


@dataclass(frozen=True, slots=True)
class Found:
    """What a search of a supernet has found.

    Args:
        config: An architecture of the space that was searched.
        epochs: The whole way.
        stopped: Why the search was stopped before its end; None where it was not.
        strengths: Of the last epoch, by kind of cell, shape ``(edges, operations)``.
    """

    config: Config
    epochs: tuple[SearchEpoch, ...]
    stopped: str | None
    strengths: dict[str, Tensor]
