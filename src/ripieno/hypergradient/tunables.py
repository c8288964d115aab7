"""Hyperparameters that a gradient may move: free, positive or between two bounds.

A positive one is moved in the logarithm, a bounded one in the logit of its place between the
bounds, so that no step leaves what is allowed, and steps are alike at every scale.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, replace
from typing import Self

import torch
from torch import Tensor

from ripieno.errors import HypergradientError

__all__ = ["Bounded", "Free", "Positive", "Tunable"]


@dataclass(frozen=True, slots=True, eq=False)
class Tunable(ABC):
    """A hyperparameter and where it begins.

    Args:
        start: A number or a tensor; of rows ``(members, ...)``.

    Raises:
        HypergradientError: It cannot begin there.
    """

    start: Tensor | float

    def __post_init__(self) -> None:
        given = self.start
        value = given.detach().clone() if isinstance(given, Tensor) else torch.tensor(float(given))
        object.__setattr__(self, "start", value)
        if not bool(torch.isfinite(self.to_free(value)).all()):
            raise HypergradientError(
                f"a hyperparameter cannot begin at {given!r}: {self.allowed} is allowed.",
                where=f"{type(self).__name__}(…)",
                fix="begin within, not on the edge.",
            )

    @property
    def first(self) -> Tensor:
        """Where it begins."""
        return torch.as_tensor(self.start)

    def starting(self, start: Tensor) -> Self:
        """Return the same kind of hyperparameter that begins elsewhere."""
        return replace(self, start=start)

    @property
    @abstractmethod
    def allowed(self) -> str:
        """The allowed values in words."""

    @abstractmethod
    def to_free(self, value: Tensor) -> Tensor:
        """Return the number that is moved."""

    @abstractmethod
    def from_free(self, free: Tensor) -> Tensor:
        """Return the hyperparameter."""


@dataclass(frozen=True, slots=True, eq=False)
class Free(Tunable):
    """Any number."""

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        return "any finite number"

    def to_free(self, value: Tensor) -> Tensor:
        """Return the value."""
        return value

    def from_free(self, free: Tensor) -> Tensor:
        """Return the value."""
        return free


@dataclass(frozen=True, slots=True, eq=False)
class Positive(Tunable):
    """A number above zero, moved in its logarithm."""

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        return "a finite number above 0"

    def to_free(self, value: Tensor) -> Tensor:
        """Return the logarithm."""
        return value.log()

    def from_free(self, free: Tensor) -> Tensor:
        """Return the exponential."""
        return free.exp()


@dataclass(frozen=True, slots=True, eq=False)
class Bounded(Tunable):
    """A number between two others, moved in the logit of its place between them.

    Args:
        low: Lower bound, which is never reached.
        high: Upper bound, which is never reached.
    """

    low: float = 0.0
    high: float = 1.0

    @property
    def allowed(self) -> str:
        """The allowed values in words."""
        return f"{self.low:g} < value < {self.high:g}"

    def to_free(self, value: Tensor) -> Tensor:
        """Return the logit."""
        return torch.logit((value - self.low) / (self.high - self.low))

    def from_free(self, free: Tensor) -> Tensor:
        """Return the value between the bounds."""
        return self.low + (self.high - self.low) * free.sigmoid()
