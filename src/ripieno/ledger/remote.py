"""A store of arrays behind an address: object stores and file servers, through fsspec."""

import json
import tempfile
import time
import uuid
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path, PurePosixPath
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray
from safetensors.numpy import save_file

from ripieno.errors import RipienoError
from ripieno.ledger.filesystems import (
    changed_at,
    find_filesystem,
    forget,
    is_transient,
    put,
    refused,
    root_of,
    without_secret,
)
from ripieno.ledger.keys import (
    Room,
    StoredFile,
    as_json,
    file_of,
    key_in,
    key_of,
    load,
    missing,
    plain_arrays,
)
from ripieno.records import Arrays

__all__ = ["RemoteArtifacts"]

T = TypeVar("T")

_DELAYS_SECONDS = (0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 10.0, 10.0, 10.0)
"""Pauses between tries: as long as a database server is waited for."""


class RemoteArtifacts:
    """Arrays behind an address such as ``s3://bucket/study``, one safetensors file a key.

    Keys, files and checks are those of :class:`~ripieno.ledger.FileArtifacts`. A file
    appears under its name only when it is complete: object stores show it then anyway, and
    elsewhere it is moved there. Reads and writes pass through a scratch file on this machine.
    What fails because a server does not answer is tried again for about 40 seconds.

    Nothing is connected before it is needed, and each thread and process connects for itself;
    a copy that is sent to another process knows the address and no more.

    Args:
        url: Of a place that this study has for itself.
        limit_bytes: What the files may take together; None for no limit. Processes that
            write at the same moment can pass it by one file each.

    Raises:
        ArtifactError: The address cannot be read, or a package for it is missing.
    """

    def __init__(self, url: str, *, limit_bytes: int | None = None) -> None:
        self._url = url
        self._root = root_of(url)
        self._room = Room(limit_bytes, self.place)
        self._delays: Sequence[float] = _DELAYS_SECONDS

    @property
    def place(self) -> str:
        """The address, without its password."""
        return without_secret(self._url)

    def write(self, name: str, arrays: Arrays, facts: Mapping[str, Any] | None = None) -> str:
        """Store arrays and facts under a new key; see :class:`ripieno.records.ArtifactStore`."""
        content, said = plain_arrays(arrays), as_json(facts or {}, name)
        key = key_of(name, content, json.loads(said))
        with tempfile.TemporaryDirectory(prefix="ripieno-") as scratch:
            file = Path(scratch, "arrays")
            self._translated("written", lambda: save_file(content, file, metadata={"facts": said}))
            self._room.make_sure(file.stat().st_size, self.files)
            target = self._path(key)
            self._reach("written", lambda fs: put(fs, file, target))
        return key

    def read(self, key: str) -> tuple[dict[str, NDArray[np.generic]], dict[str, Any]]:
        """Return the arrays and facts of a key, after checking that they are what was written."""
        with tempfile.TemporaryDirectory(prefix="ripieno-") as scratch:
            file = Path(scratch, "arrays")
            self.fetch(key, file)
            return load(file, key, where=f"{self.place}/{key}")

    def fetch(self, key: str, target: Path) -> None:
        """Copy the file of a key to this machine, unread.

        Raises:
            ArtifactError: It is missing, or cannot be reached.
        """
        path = self._path(key)

        def get(fs: Any) -> bool:
            if found := bool(fs.exists(path)):
                fs.get_file(path, str(target))
            return found

        if not self._reach("read", get):
            raise missing(key, self.place)

    def delete(self, key: str) -> None:
        """Remove a key; one that does not exist is no error."""
        self._remove(self._path(key))

    def limited(self, limit_bytes: int) -> "RemoteArtifacts":
        """Return the same store with a limit of its size."""
        return RemoteArtifacts(self._url, limit_bytes=limit_bytes)

    def files(self) -> list[StoredFile]:
        """Return what lies there by name, files of others left out."""

        def look(fs: Any) -> Sequence[Mapping[str, Any]]:
            try:
                return fs.ls(self._root, detail=True)  # type: ignore[no-any-return]
            except FileNotFoundError:  # where nothing lies there is no place
                return ()

        found = []
        for entry in self._reach("listed", look):
            path = PurePosixPath(str(entry["name"]))
            ours, key = key_in(path.name)
            if ours and entry.get("type") == "file":
                found.append(StoredFile(path, key, int(entry["size"]), changed_at(entry)))
        return sorted(found, key=lambda file: file.path.name)

    def discard(self, files: Iterable[StoredFile]) -> None:
        """Remove files that :meth:`files` found; one that is gone already is no error."""
        for file in files:
            self._remove(f"{self._root}/{file.path.name}")

    def check(self) -> None:
        """Write, read, list and delete something small.

        Raises:
            ArtifactError: One of these is not possible; nothing is waited for.
        """
        probe = {"token": np.frombuffer(uuid.uuid4().bytes, np.uint8)}
        hasty = RemoteArtifacts(self._url)
        hasty._delays = ()
        key = hasty.write("reachable", probe)
        hasty.read(key)
        listed = {file.key for file in hasty.files()}
        hasty.delete(key)
        if key not in listed:
            raise refused(self.place, "listed", "what was written is not seen")

    def _remove(self, path: str) -> None:
        def remove(fs: Any) -> None:
            try:
                fs.rm_file(path)
            except Exception:
                if fs.exists(path):
                    raise

        self._reach("removed", remove)

    def _reach(self, what: str, work: Callable[[Any], T]) -> T:
        """Do something with the file system, again where it did not answer."""
        for delay in self._delays:
            try:
                return work(find_filesystem(self._url))
            except Exception as error:
                if not is_transient(error):
                    raise self._told(what, error) from error
            forget(self._url)
            time.sleep(delay)
        return self._translated(what, lambda: work(find_filesystem(self._url)))

    def _translated(self, what: str, work: Callable[[], T]) -> T:
        try:
            return work()
        except Exception as error:
            raise self._told(what, error) from error

    def _told(self, what: str, error: Exception) -> RipienoError:
        return error if isinstance(error, RipienoError) else refused(self.place, what, error)

    def _path(self, key: str) -> str:
        return f"{self._root}/{file_of(key, where=self.place)}"
