"""What every store of arrays does alike: keys, what they are made of, and their checks."""

import hashlib
import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open

from ripieno.errors import ArtifactError, DiskLimitError
from ripieno.records import Arrays

__all__ = [
    "Room",
    "StoredFile",
    "as_json",
    "file_of",
    "half_of",
    "key_in",
    "key_of",
    "load",
    "missing",
    "plain_arrays",
    "unwritable",
]

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
_DTYPE = re.compile(r"bool|u?int(8|16|32|64)|float(16|32|64)")
_KEY = re.compile(_NAME.pattern + r"-[0-9a-f]{16}")
_HALF = re.compile(r"\." + _KEY.pattern + r"\.[0-9a-f]{32}")
_SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file of a store.

    Args:
        path: Where it lies.
        key: The key that it holds; None for one that was not written to its end.
        size_bytes: How long it is.
        changed_at: When it was written, in seconds since 1970.
    """

    path: PurePath
    key: str | None
    size_bytes: int
    changed_at: float


class Room:
    """What the files of a store may take together.

    Args:
        limit_bytes: The most; None for no limit.
        where: The store, for messages.
    """

    def __init__(self, limit_bytes: int | None, where: str) -> None:
        self._limit = limit_bytes
        self._where = where
        self._unseen = 0.0

    def make_sure(self, size_bytes: int, files: Callable[[], Sequence[StoredFile]]) -> None:
        """Raise where one more file passes the limit.

        Args:
            size_bytes: How long it is.
            files: Returns those that are there, this one left out.

        Raises:
            DiskLimitError: There is no room for it.
        """
        if self._limit is None:
            return
        self._unseen -= size_bytes
        if self._unseen > 0:
            return
        # Looking at all files takes a while where there are many. Each process may write a
        # small part of what is left before it looks again, so that even 16 of them together
        # look in time.
        room = self._limit - size_bytes - sum(file.size_bytes for file in files())
        if room < 0:
            raise DiskLimitError(
                f"the arrays of the study would take more than {self._limit:,} bytes.",
                where=self._where,
                fix="resume with more room (`--disk`); what was recorded before is kept.",
            )
        self._unseen = room / 32


def file_of(key: str, *, where: str) -> str:
    """Return the name of a key's file.

    Raises:
        ArtifactError: It is no key.
    """
    if not _KEY.fullmatch(key):
        raise ArtifactError(
            f"{key!r} is not a key of this store.",
            where=where,
            fix="use a key that `write` returned.",
        )
    return f"{key}{_SUFFIX}"


def half_of(key: str, mark: str) -> str:
    """Return the name of a file that is being written; ``mark`` has 32 hexadecimal digits."""
    return f".{key}.{mark}"


def key_in(name: str) -> tuple[bool, str | None]:
    """Say whether a file is of a store, and which key it holds; None for a half-written one."""
    if name.startswith("."):
        return _HALF.fullmatch(name) is not None, None
    key = name.removesuffix(_SUFFIX)
    return key != name and _KEY.fullmatch(key) is not None, key


def load(
    path: Path, key: str, *, where: str
) -> tuple[dict[str, NDArray[np.generic]], dict[str, Any]]:
    """Return the arrays and facts of a file, after checking that they are what was written.

    Raises:
        ArtifactError: They are not.
    """
    try:
        with safe_open(path, framework="np") as file:
            facts = json.loads((file.metadata() or {})["facts"])
            arrays = {label: file.get_tensor(label) for label in file.keys()}  # noqa: SIM118 - no mapping
    except (
        # NumPy has no name for some kinds of numbers that the format knows.
        AttributeError, OSError, SafetensorError, ValueError, KeyError, TypeError,
        RecursionError,
    ) as error:  # fmt: skip
        raise _damaged(key, where, str(error)) from error
    if _digest(arrays, facts) != key[-16:]:
        raise _damaged(key, where, "its content is not what was written")
    return arrays, facts


def key_of(name: str, arrays: Arrays, facts: Mapping[str, Any]) -> str:
    """Return the key of what is stored under a name.

    Raises:
        ArtifactError: It cannot be a name.
    """
    if not _NAME.fullmatch(name):
        raise ArtifactError(
            f"{name!r} cannot be the name of an artifact.",
            where="ArtifactStore.write",
            fix="use up to 200 letters, digits, '.', '_' and '-', and do not begin with a dot.",
        )
    return f"{name}-{_digest(arrays, facts)}"


def plain_arrays(arrays: Arrays) -> dict[str, NDArray[np.generic]]:
    """Return the arrays in C order.

    Raises:
        ArtifactError: One holds something else than plain numbers.
    """
    content = {label: np.asarray(array, order="C") for label, array in arrays.items()}
    for label, array in content.items():
        if not _DTYPE.fullmatch(str(array.dtype)):
            raise ArtifactError(
                f"the array {label!r} has dtype {array.dtype}, which is not stored.",
                where="ArtifactStore.write",
                fix="convert it to booleans, integers or floats of 16, 32 or 64 bits.",
            )
    return content


def _digest(arrays: Arrays, facts: Mapping[str, Any]) -> str:
    """Sixteen hexadecimal digits of all that is stored, whatever the order of the names."""
    content = hashlib.sha256()
    for label in sorted(arrays):
        array = arrays[label]
        header = json.dumps([label, str(array.dtype), list(array.shape)])
        content.update(header.encode() + b"\0")
        content.update(array.data)
    content.update(json.dumps(facts, sort_keys=True).encode())
    return content.hexdigest()[:16]


def as_json(facts: Mapping[str, Any], name: str) -> str:
    """Return facts as JSON.

    Raises:
        ArtifactError: They are none.
    """
    try:
        return json.dumps(dict(facts))
    except (TypeError, ValueError) as error:
        raise ArtifactError(
            f"the facts of {name!r} cannot be written as JSON: {error}.",
            where="ArtifactStore.write",
            fix="use dictionaries, lists, strings, numbers, booleans and None.",
        ) from error


def missing(key: str, where: str) -> ArtifactError:
    """Return what is said where a key is not there."""
    return ArtifactError(
        f"the artifact {key!r} is missing.",
        where=where,
        fix="restore the study's folder from a copy, or run the study again.",
    )


def _damaged(key: str, where: str, detail: str) -> ArtifactError:
    return ArtifactError(
        f"the artifact {key!r} is damaged: {detail.rstrip('.')}.",
        where=where,
        fix="restore the file from a copy, or run the study again.",
    )


def unwritable(path: PurePath, error: Exception) -> ArtifactError:
    """Return what is said where a file of a folder cannot be written."""
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ArtifactError(
        f"{path.name!r} cannot be written: {said.rstrip('.')}.",
        where=str(path.parent),
        fix="make the folder writable and free some space, or use another folder.",
    )
