"""The seams between the search wing and the training wing.

An executor hosts a runner without knowing what it trains; a runner stores arrays without
knowing where. Neither wing imports the other: they meet in these protocols.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ripieno.records.order import Order
from ripieno.records.outcome import Outcome

__all__ = ["Arrays", "ArtifactStore", "Runner"]

Arrays = Mapping[str, NDArray[np.generic]]
"""Named arrays: a model's state, or a matrix of predictions."""


class ArtifactStore(Protocol):
    """Where arrays live between orders. Keys are made by the store and never guessed."""

    def write(self, name: str, arrays: Arrays, facts: Mapping[str, Any] | None = None) -> str:
        """Store arrays and JSON-able facts under a new key that begins with ``name``.

        The same content gives the same key. Raises ArtifactError if it cannot be written.
        """

    def read(self, key: str) -> tuple[dict[str, NDArray[np.generic]], dict[str, Any]]:
        """Return the arrays and facts of a key.

        Raises ArtifactError if the key is missing or its content is damaged.
        """

    def delete(self, key: str) -> None:
        """Remove a key; one that does not exist is no error."""


class Runner(Protocol):
    """Carries orders out.

    A runner is sent to worker processes, so it must be possible to pickle it with
    cloudpickle; what it needs of torch it imports when it runs.
    """

    @property
    def width(self) -> int:
        """How many orders it would like to be given at once."""

    def group(self, order: Order) -> str:
        """Name the orders that gain from being run together: equal names, one group."""

    def run(
        self, orders: Sequence[Order], artifacts: ArtifactStore, stop: Callable[[], bool]
    ) -> Iterator[Outcome]:
        """Carry the orders out and yield one outcome each, in any order.

        An error of the user's model, data or function becomes a ``failed`` outcome; a
        number that is not finite becomes ``diverged``. ``stop()`` is asked often (at least
        once a batch); once it is true the runner ends soon and yields ``stopped`` outcomes,
        which keep the epochs that were finished.
        """
