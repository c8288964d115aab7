"""Stores of arrays: model states and predictions, in a folder or in memory."""

import json
import stat
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import save_file

from ripieno.errors import ArtifactError
from ripieno.ledger.keys import (
    Room,
    StoredFile,
    as_json,
    file_of,
    half_of,
    key_in,
    key_of,
    load,
    missing,
    plain_arrays,
    unwritable,
)
from ripieno.records import Arrays

__all__ = ["FileArtifacts", "MemoryArtifacts"]


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
        self._room = Room(limit_bytes, str(self._folder))
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise unwritable(self._folder, error) from error

    def write(self, name: str, arrays: Arrays, facts: Mapping[str, Any] | None = None) -> str:
        """Store arrays and facts under a new key; see :class:`ripieno.records.ArtifactStore`."""
        content, said = plain_arrays(arrays), as_json(facts or {}, name)
        key = key_of(name, content, json.loads(said))
        hidden = self._folder / half_of(key, uuid.uuid4().hex)
        try:
            save_file(content, hidden, metadata={"facts": said})
            self._room.make_sure(hidden.stat().st_size, lambda: self._others(hidden))
            hidden.replace(self._path(key))
        except ArtifactError:
            raise
        except (OSError, SafetensorError) as error:
            raise unwritable(self._path(key), error) from error
        finally:
            hidden.unlink(missing_ok=True)
        return key

    def read(self, key: str) -> tuple[dict[str, NDArray[np.generic]], dict[str, Any]]:
        """Return the arrays and facts of a key, after checking that they are what was written."""
        path = self._path(key)
        if not path.is_file():
            raise missing(key, str(path))
        return load(path, key, where=str(path))

    def delete(self, key: str) -> None:
        """Remove a key; one that does not exist is no error."""
        path = self._path(key)
        try:
            path.unlink(missing_ok=True)
        except OSError as error:
            raise unwritable(path, error) from error

    def limited(self, limit_bytes: int) -> "FileArtifacts":
        """Return the same store with a limit of its size."""
        return FileArtifacts(self._folder, limit_bytes=limit_bytes)

    def files(self) -> list[StoredFile]:
        """Return what lies in the folder by name, files of others left out."""
        found = []
        for path in sorted(self._folder.iterdir()):
            ours, key = key_in(path.name)
            try:
                facts = path.stat(follow_symlinks=False)
            except FileNotFoundError:  # superseded by a study that is running
                continue
            if ours and stat.S_ISREG(facts.st_mode):
                found.append(StoredFile(path, key, facts.st_size, facts.st_mtime))
        return found

    def discard(self, files: Iterable[StoredFile]) -> None:
        """Remove files that :meth:`files` found; one that is gone already is no error."""
        for file in files:
            try:
                (self._folder / file.path.name).unlink(missing_ok=True)
            except OSError as error:
                raise unwritable(file.path, error) from error

    def _others(self, hidden: Path) -> list[StoredFile]:
        return [file for file in self.files() if file.path != hidden]

    def _path(self, key: str) -> Path:
        return self._folder / file_of(key, where=str(self._folder))


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
        content, said = plain_arrays(arrays), as_json(facts or {}, name)
        key = key_of(name, content, json.loads(said))
        self._here()[key] = ({label: array.copy() for label, array in content.items()}, said)
        return key

    def read(self, key: str) -> tuple[dict[str, NDArray[np.generic]], dict[str, Any]]:
        """Return copies of the arrays and the facts of a key."""
        try:
            arrays, facts = self._here()[key]
        except KeyError:
            raise missing(key, "MemoryArtifacts") from None
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
