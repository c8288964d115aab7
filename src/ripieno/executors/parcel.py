"""What a worker is sent at its start: one copy of all that is large, for every worker.

A runner may hold all the data. Pickled into each worker's pipe, it would be in memory once for
each of them. Instead, what is large lies in one file that all workers map:

- Arrays leave the pickle as out-of-band buffers (pickle protocol 5), so this holds for
  anything with a buffer, and nothing here knows an array.
- The file has no name. On Linux it is memory (``memfd_create``), elsewhere a temporary file
  that is unlinked before a byte is written. A worker inherits its descriptor. So nothing
  can be left behind: the system frees it when the last process that maps it is gone, however
  they end, and there is nothing to clean up at the next start.
- Workers map it copy-on-write. They share every page until one writes to it; what it writes
  is its own, as it would be in a copy of its own. A map that cannot be written to would
  instead kill a worker whose model changes its input in place.
"""

import mmap
import os
import pickle
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, BinaryIO

import cloudpickle

from ripieno.errors import WorkerError

__all__ = ["Parcel", "nameless", "pack", "pickled", "sending", "unpack"]

_LARGE = 2**20
"""Bytes from which on something is shared; a page table and a few calls cost as much as less."""

Span = tuple[int, int]
"""Where something lies in the file: first byte, number of bytes."""


@dataclass(frozen=True, slots=True)
class Parcel:
    """Something packed.

    Args:
        body: The pickle; empty where it lies in the file, being large itself.
        spans: The pickle, if it lies in the file, and its buffers, in their order.
        file: The file that workers must inherit; None if nothing is large.
    """

    body: bytes
    spans: tuple[Span, ...] = ()
    file: BinaryIO | None = None

    @property
    def descriptors(self) -> tuple[int, ...]:
        """What a worker must inherit."""
        return () if self.file is None else (self.file.fileno(),)

    def close(self) -> None:
        """Let go of the file; workers that have it keep it."""
        if self.file is not None:
            self.file.close()


def pack(value: object, file: BinaryIO | None = None) -> Parcel:
    """Pickle a value, what is large beside it.

    Args:
        value: What is packed.
        file: An empty file that the workers have inherited already: all goes into it,
            however small. A new one, where it is needed, if absent.

    Raises:
        Exception: Whatever the value's own code raises when it is pickled.
        WorkerError: There is no room for what is large.
    """
    if sys.platform == "win32":  # its processes do not inherit descriptors
        return Parcel(cloudpickle.dumps(value))
    body, buffers = pickled(value)
    if file is None and len(body) < _LARGE and not buffers:
        return Parcel(body)
    apart = file is not None or len(body) >= _LARGE
    try:
        file, spans = _write([memoryview(body), *buffers] if apart else buffers, file)
    except OSError as error:
        raise WorkerError(
            f"the data cannot be shared with worker processes: {error.strerror}.",
            where=f"{sum(b.nbytes for b in buffers) >> 20} MiB of arrays",
            fix="free some memory, or use workers=1.",
        ) from error
    return Parcel(b"" if apart else body, spans, file)


def pickled(value: object) -> tuple[bytes, list[memoryview]]:
    """Return the pickle of a value, and the buffers that are too large to lie in it.

    Raises:
        Exception: Whatever the value's own code raises when it is pickled.
    """
    buffers: list[memoryview] = []

    def keep(buffer: pickle.PickleBuffer) -> bool:
        """Say whether a buffer stays in the pickle."""
        try:
            raw = buffer.raw()
        except BufferError:  # neither C nor Fortran order: it has no one piece of memory
            return True
        if raw.nbytes < _LARGE:
            return True
        buffers.append(raw)
        return False

    return cloudpickle.dumps(value, protocol=5, buffer_callback=keep), buffers


@contextmanager
def sending(runner: object) -> Iterator[None]:
    """Say plainly what the pickling of a runner raised.

    Raises:
        WorkerError: The runner cannot be sent to another process.
    """
    try:
        yield
    except WorkerError:
        raise
    except Exception as error:
        # Pickling runs the user's own code, which may raise anything.
        raise WorkerError(
            f"the runner cannot be sent to a worker process: {error}.",
            where=f"{type(runner).__qualname__}",
            fix="keep open files, locks and generators out of the function "
            '(open them inside it), or use executor="inline".',
        ) from error


def unpack(body: bytes, spans: Sequence[Span], descriptor: int | None) -> Any:
    """Return the value of a parcel; what is large shares its memory with other workers.

    Args:
        body: The parcel's.
        spans: The parcel's.
        descriptor: Of its file, inherited; it is closed.

    Raises:
        Exception: Whatever the value's own code raises when it is unpickled.
    """
    if descriptor is None:
        return cloudpickle.loads(body)
    try:
        # The map lives as long as anything that lies in it.
        whole = memoryview(mmap.mmap(descriptor, 0, access=mmap.ACCESS_COPY))
    finally:
        os.close(descriptor)
    parts = [whole[begin : begin + size] for begin, size in spans]
    return cloudpickle.loads(body or parts.pop(0), buffers=parts)


def nameless() -> BinaryIO:
    """Return an empty file that no folder lists."""
    if hasattr(os, "memfd_create"):
        return os.fdopen(os.memfd_create("ripieno"), "w+b", buffering=0)
    # Unlinked while it is empty: there is no moment at which data could be left behind.
    return tempfile.TemporaryFile(buffering=0)


def _write(parts: Sequence[memoryview], file: BinaryIO | None) -> tuple[BinaryIO, tuple[Span, ...]]:
    """Write parts into a file, or a new one, each from the beginning of a page."""
    spans, begin = [], 0
    file = file if file is not None else nameless()
    try:
        for part in parts:
            file.seek(begin)
            left = part
            while left:  # the system takes 2 GiB at a time
                left = left[file.write(left) :]
            spans.append((begin, part.nbytes))
            begin += -(-part.nbytes // mmap.PAGESIZE) * mmap.PAGESIZE
    except BaseException:
        file.close()
        raise
    return file, tuple(spans)
