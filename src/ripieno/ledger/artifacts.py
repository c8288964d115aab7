"""Stores of arrays: model states and predictions, in a folder or in memory."""

import hashlib
import json
import re
import stat
import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from ripieno.errors import ArtifactError, DiskLimitError
from ripieno.records import Arrays

__all__ = ["FileArtifacts", "MemoryArtifacts", "StoredFile"]

_NAME = re.compile(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,199}")
_DTYPE = re.compile(r"bool|u?int(8|16|32|64)|float(16|32|64)")
_KEY = re.compile(_NAME.pattern + r"-[0-9a-f]{16}")
_HALF = re.compile(r"\." + _KEY.pattern + r"\.[0-9a-f]{32}")
_SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True)
class StoredFile:
    """A file in a store's folder.

    Args:
        path: Where it lies.
        key: The key that it holds; None for one that was not written to its end.
        size_bytes: How long it is.
        changed_at: When it was written, in seconds since 1970.
    """

    path: Path
    key: str | None
    size_bytes: int
    changed_at: float


class FileArtifacts:
    """Arrays in a folder, one safetensors file a key; nothing is ever unpickled.

    A file appears under its name only when it is complete, so a process that is killed
    leaves no half of one. The key ends with the first 16 hexadecimal digits of a SHA-256
    over names, dtypes, shapes, bytes and facts, and a read computes them again. The bytes
    are handed to the operating system and not forced to the disk: after a power failure a
    file may be damaged, which its key tells.

    Args:
        folder: Where the files lie; made if it is missing.
        limit_bytes: What they may take together; None for no limit. Processes that write
            at the same moment can pass it by one file each.

    Raises:
        ArtifactError: The folder cannot be made.
    """

    def __init__(self, folder: str | Path, *, limit_bytes: int | None = None) -> None:
        # Absolute, because it is sent to other processes.
        self._folder = Path(folder).absolute()
        self._limit = limit_bytes
        self._unseen = 0.0
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise _unwritable(self._folder, error) from error

    def write(self, name: str, arrays: Arrays, facts: Mapping[str, Any] | None = None) -> str:
        """Store arrays and facts under a new key; see :class:`ripieno.records.ArtifactStore`."""
        content, said = _plain(arrays), _dumped(facts or {}, name)
        key = _key(name, content, json.loads(said))
        hidden = self._folder / f".{key}.{uuid.uuid4().hex}"
        try:
            save_file(content, hidden, metadata={"facts": said})
            self._make_sure_of_room(hidden.stat().st_size)
            hidden.replace(self._path(key))
        except ArtifactError:
            raise
        except (OSError, SafetensorError) as error:
            raise _unwritable(self._path(key), error) from error
        finally:
            hidden.unlink(missing_ok=True)
        return key

    def read(self, key: str) -> tuple[dict[str, NDArray[np.generic]], dict[str, Any]]:
        """Return the arrays and facts of a key, after checking that they are what was written."""
        path = self._path(key)
        if not path.is_file():
            raise _missing(key, str(path))
        try:
            with safe_open(path, framework="np") as file:
                facts = json.loads((file.metadata() or {})["facts"])
                arrays = {label: file.get_tensor(label) for label in file.keys()}  # noqa: SIM118 - no mapping
        except (
            # NumPy has no name for some kinds of numbers that the format knows.
            AttributeError, OSError, SafetensorError, ValueError, KeyError, TypeError,
            RecursionError,
        ) as error:  # fmt: skip
            raise _damaged(key, str(path), str(error)) from error
        if _digest(arrays, facts) != key[-16:]:
            raise _damaged(key, str(path), "its content is not what was written")
        return arrays, facts

    def delete(self, key: str) -> None:
        """Remove a key; one that does not exist is no error."""
        path = self._path(key)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise _unwritable(path, error) from error

    def limited(self, limit_bytes: int) -> "FileArtifacts":
        """Return the same store with a limit of its size."""
        return FileArtifacts(self._folder, limit_bytes=limit_bytes)

    def _make_sure_of_room(self, size_bytes: int) -> None:
        """Raise where a file that was written, and is not counted yet, passes the limit."""
        if self._limit is None:
            return
        self._unseen -= size_bytes
        if self._unseen > 0:
            return
        # Looking at all files takes a while where there are many. Each process may write a
        # small part of what is left before it looks again, so that even 16 of them together
        # look in time.
        room = self._limit - sum(file.size_bytes for file in self.files())
        if room < 0:
            raise DiskLimitError(
                f"the arrays of the study would take more than {self._limit:,} bytes.",
                where=str(self._folder),
                fix="resume with more room (`--disk`); what was recorded before is kept.",
            )
        self._unseen = room / 32

    def files(self) -> list[StoredFile]:
        """Return what lies in the folder by name, files of others left out."""
        found = []
        for path in sorted(self._folder.iterdir()):
            key = path.name.removesuffix(_SUFFIX)
            half = path.name.startswith(".")
            ours = _HALF.fullmatch(path.name) if half else _is_file_of(path, key)
            try:
                facts = path.stat(follow_symlinks=False)
            except FileNotFoundError:  # superseded by a study that is running
                continue
            if ours and stat.S_ISREG(facts.st_mode):
                known = None if half else key
                found.append(StoredFile(path, known, facts.st_size, facts.st_mtime))
        return found

    def discard(self, files: Iterable[StoredFile]) -> None:
        """Remove files that :meth:`files` found; one that is gone already is no error."""
        for file in files:
            try:
                file.path.unlink(missing_ok=True)
            except OSError as error:
                raise _unwritable(file.path, error) from error

    def _path(self, key: str) -> Path:
        if not _KEY.fullmatch(key):
            raise ArtifactError(
                f"{key!r} is not a key of this store.",
                where=str(self._folder),
                fix="use a key that `write` returned.",
            )
        return self._folder / f"{key}{_SUFFIX}"


class MemoryArtifacts:
    """Arrays in a dictionary, for searches in one process that keep nothing.

    A copy that is sent to a worker process could give nothing back, so it refuses to store.
    """

    def __init__(self) -> None:
        self._kept: dict[str, tuple[dict[str, NDArray[np.generic]], str]] | None = {}

    def __getstate__(self) -> dict[str, None]:
        return {"_kept": None}

    def write(self, name: str, arrays: Arrays, facts: Mapping[str, Any] | None = None) -> str:
        """Store copies of the arrays; see :class:`ripieno.records.ArtifactStore`."""
        content, said = _plain(arrays), _dumped(facts or {}, name)
        key = _key(name, content, json.loads(said))
        self._here()[key] = ({label: array.copy() for label, array in content.items()}, said)
        return key

    def read(self, key: str) -> tuple[dict[str, NDArray[np.generic]], dict[str, Any]]:
        """Return copies of the arrays and the facts of a key."""
        try:
            arrays, facts = self._here()[key]
        except KeyError:
            raise _missing(key, "MemoryArtifacts") from None
        return {label: array.copy() for label, array in arrays.items()}, json.loads(facts)

    def delete(self, key: str) -> None:
        """Remove a key; one that does not exist is no error."""
        self._here().pop(key, None)

    def _here(self) -> dict[str, tuple[dict[str, NDArray[np.generic]], str]]:
        if self._kept is None:
            raise ArtifactError(
                "a worker process cannot store states in the memory of another process.",
                where="MemoryArtifacts",
                fix="give the study a folder (`out=…`), or use workers=1 and devices=1.",
            )
        return self._kept


def _is_file_of(path: Path, key: str) -> bool:
    return path.name.endswith(_SUFFIX) and _KEY.fullmatch(key) is not None


def _key(name: str, arrays: Arrays, facts: Mapping[str, Any]) -> str:
    if not _NAME.fullmatch(name):
        raise ArtifactError(
            f"{name!r} cannot be the name of an artifact.",
            where="ArtifactStore.write",
            fix="use up to 200 letters, digits, '.', '_' and '-', and do not begin with a dot.",
        )
    return f"{name}-{_digest(arrays, facts)}"


def _plain(arrays: Arrays) -> dict[str, NDArray[np.generic]]:
    """Return the arrays in C order, after checking that they are plain numbers."""
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


def _dumped(facts: Mapping[str, Any], name: str) -> str:
    try:
        return json.dumps(dict(facts))
    except (TypeError, ValueError) as error:
        raise ArtifactError(
            f"the facts of {name!r} cannot be written as JSON: {error}.",
            where="ArtifactStore.write",
            fix="use dictionaries, lists, strings, numbers, booleans and None.",
        ) from error


def _missing(key: str, where: str) -> ArtifactError:
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


def _unwritable(path: Path, error: Exception) -> ArtifactError:
    said = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return ArtifactError(
        f"{path.name!r} cannot be written: {said.rstrip('.')}.",
        where=str(path.parent),
        fix="make the folder writable and free some space, or use another folder.",
    )
