"""Memory of another process's as one's own: read where it lies, copied where it is written to."""

import mmap
import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import numpy as np

__all__ = ["own"]


def own(view: memoryview) -> memoryview:
    """Return the same bytes as memory that may be written to, and nobody else sees it.

    Where the view lies in a file that this process or its parent has open (the memory of an
    object store is one), its pages are mapped copy-on-write: all processes read the same
    ones, and each keeps what it writes to itself. Elsewhere the bytes are copied.

    Args:
        view: Bytes that nobody writes to; they must be kept for as long as the result.
    """
    for file, offset in _files_of(np.frombuffer(view, np.uint8).ctypes.data):
        skipped = offset % mmap.ALLOCATIONGRANULARITY
        try:
            pages = mmap.mmap(
                file, view.nbytes + skipped, access=mmap.ACCESS_COPY, offset=offset - skipped
            )
        except (OSError, ValueError):
            continue
        finally:
            os.close(file)
        return memoryview(pages)[skipped:]
    return memoryview(bytearray(view))


def _files_of(address: int) -> Iterator[tuple[int, int]]:
    """Give the file behind an address, open, and where in it the address lies."""
    with suppress(OSError):  # only Linux tells; a parent may be somebody else's
        device_and_inode, offset = _place_of(address)
        for process in ("self", str(os.getppid())):
            for path in Path(f"/proc/{process}/fd").iterdir():
                with suppress(OSError):  # one that was closed meanwhile
                    found = path.stat()
                    if (found.st_dev, found.st_ino) == device_and_inode:
                        yield os.open(path, os.O_RDONLY), offset


def _place_of(address: int) -> tuple[tuple[int, int], int]:
    """Return device and inode of the file that is mapped at an address, and the offset in it."""
    for line in Path("/proc/self/maps").read_text().splitlines():
        span, _, start, device, inode, *_ = line.split()
        begin, end = (int(number, 16) for number in span.split("-"))
        if begin <= address < end:
            major, minor = (int(number, 16) for number in device.split(":"))
            return (os.makedev(major, minor), int(inode)), int(start, 16) + address - begin
    raise OSError
