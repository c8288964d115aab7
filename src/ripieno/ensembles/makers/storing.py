"""Where the states of members lie while an ensemble is made: in memory."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import ArtifactError
from ripieno.records import Arrays

__all__ = ["States"]


class States:
    """An artifact store that lives as long as the making; see ``records.ArtifactStore``."""

    def __init__(self) -> None:
        self._held: dict[str, tuple[Arrays, Mapping[str, Any]]] = {}

    def write(self, name: str, arrays: Arrays, facts: Mapping[str, Any] | None = None) -> str:
        """Hold arrays under a new key that begins with the name."""
        key = f"{name}-{len(self._held)}"
        self._held[key] = ({n: np.array(array) for n, array in arrays.items()}, dict(facts or {}))
        return key

    def read(self, key: str) -> tuple[dict[str, NDArray[np.generic]], dict[str, Any]]:
        """Return the arrays and facts of a key.

        Raises:
            ArtifactError: There is no such key.
        """
        if key not in self._held:
            raise ArtifactError(
                f"there is no state {key!r}.",
                where="the states of an ensemble in the making",
                fix="read keys that write() returned.",
            )
        arrays, facts = self._held[key]
        return dict(arrays), dict(facts)

    def delete(self, key: str) -> None:
        """Forget a key; one that does not exist is no error."""
        self._held.pop(key, None)
