"""The room that a study's states and predictions may take."""

import re
import time

from ripieno.errors import DiskLimitError, StudyError
from ripieno.ledger import FileArtifacts, RemoteArtifacts
from ripieno.records import ArtifactStore

__all__ = ["Disk", "read_size"]

_SIZE = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([kMGT]?)i?B?\s*", re.IGNORECASE)
_UNITS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_BINARY = {"": 1, "k": 2**10, "m": 2**20, "g": 2**30, "t": 2**40}
_FILES_PER_ORDER = 2
_MANY_FILES = 1000
_LONG_SECONDS = 0.1
_SHARE_OF_TIME = 50


class Disk:
    """Looks at what a study's arrays take, and says when the search has to pause.

    It pauses while there is still room for what the orders that are out will store when they
    are stopped: a state and predictions each, as large as the largest file so far. So the
    epochs that they trained are kept.

    Args:
        artifacts: Where the arrays lie.
        limit_bytes: What they may take; None for no limit.

    Raises:
        StudyError: There is a limit, and the arrays lie in memory.
    """

    def __init__(self, artifacts: ArtifactStore, limit_bytes: int | None) -> None:
        self._limit = limit_bytes
        self._used = 0
        self._next_look = 0.0
        self.store = artifacts
        self._files: FileArtifacts | RemoteArtifacts | None = None
        if limit_bytes is None:
            return
        if not isinstance(artifacts, FileArtifacts | RemoteArtifacts):
            raise StudyError(
                "a limit of disk space needs a study whose arrays lie in a folder.",
                where=f"disk={limit_bytes}",
                fix="name a folder (`out=…`), or leave the limit out.",
            )
        self._files = artifacts
        self.store = artifacts.limited(limit_bytes)

    def is_full(self, out: int) -> bool:
        """Say whether there is no more room than the orders that are out will need.

        Args:
            out: How many orders are being carried out; one more could be given.
        """
        began = time.monotonic()
        if self._limit is None or self._files is None or began < self._next_look:
            return False
        sizes = [file.size_bytes for file in self._files.files()]
        self._used = sum(sizes)
        took = time.monotonic() - began
        if len(sizes) > _MANY_FILES or took > _LONG_SECONDS:
            # In between, the store itself holds the hard limit.
            self._next_look = began + _SHARE_OF_TIME * took
        reserve = _FILES_PER_ORDER * (out + 1) * max(sizes, default=0)
        return self._used + reserve > self._limit

    def error(self) -> DiskLimitError:
        """Return what is said where the search has paused."""
        return DiskLimitError(
            f"the search has paused: its arrays take {self._used:,} bytes of {self._limit:,}, "
            "and what is being trained needs the rest.",
            where="--disk / disk=",
            fix="go on with more room (`ripieno resume DIR --disk 40GB`), or take the result as "
            "it is (`ripieno report DIR`); nothing is lost.",
        )


def read_size(size: int | str | None) -> int | None:
    """Return a size in bytes; ``"20GB"`` is 20 * 10**9, ``"20GiB"`` is 20 * 2**30.

    Raises:
        StudyError: It is no size, or not positive.
    """
    if size is None:
        return None
    found = _SIZE.fullmatch(str(size))
    units = _BINARY if "i" in str(size).lower() else _UNITS
    read = int(float(found[1]) * units[found[2].lower()]) if found else 0
    if read <= 0:
        raise StudyError(
            f"{size!r} is no size.",
            where="--disk / disk=",
            fix="write it as 500MB, 20GB or 1.5TB, or as a number of bytes.",
        )
    return read
