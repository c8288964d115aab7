"""Rows that stand in two parts of the data: a test that was seen in training is none."""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ripieno.recipes.data import Data, Split

__all__ = ["Duplicates", "find_duplicates"]

_CHUNK = 1024


@dataclass(frozen=True, slots=True, eq=False)
class Duplicates:
    """Rows of one part whose features stand in another part too.

    Args:
        part: ``"validation"`` or ``"test"``.
        other: The part that holds them as well, ``"train"`` or ``"validation"``.
        rows: Their numbers in ``part``, ascending, int64.
        others: For each of them the first equal row of ``other``, int64.
        share: Their share of the rows of ``part``.
    """

    part: str
    other: str
    rows: NDArray[np.int64]
    others: NDArray[np.int64]
    share: float

    def __len__(self) -> int:
        return len(self.rows)


def find_duplicates(data: Data) -> tuple[Duplicates, ...]:
    """Find the rows of each part whose features, bit for bit, stand in an earlier part.

    Labels are not compared: a row that is seen with another label is a leak as well. Rows of
    few and coarse features may be equal by chance. A streamed part is read once.

    Returns:
        One entry for each pair of parts that share rows: validation and training, test and
        training, test and validation.
    """
    parts = {"train": data.train, "validation": data.validation, "test": data.test}
    hashes = {name: _hashes(part) for name, part in parts.items() if part is not None}
    names = list(hashes)
    found = []
    for number, part in enumerate(names):
        for other in names[:number]:
            first = _first_rows(hashes[other])
            pairs = [(i, first[h]) for i, h in enumerate(hashes[part]) if h in first]
            if pairs:
                rows, others = np.array(pairs, dtype=np.int64).T
                found.append(Duplicates(part, other, rows, others, len(rows) / len(hashes[part])))
    return tuple(found)


def _hashes(part: Split) -> list[bytes]:
    digests = []
    for start in range(0, len(part), _CHUNK):
        # Plus zero: minus zero is the same number in other bits.
        rows = np.ascontiguousarray(part.x[start : start + _CHUNK]) + np.float32(0)
        digests += [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]
    return digests


def _first_rows(hashes: list[bytes]) -> dict[bytes, int]:
    return {digest: row for row, digest in reversed(list(enumerate(hashes)))}
