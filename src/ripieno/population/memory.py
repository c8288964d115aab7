"""Memory of the process: what is freed is kept for the next step."""

import ctypes
import gc

import torch

__all__ = ["give_back_memory", "keep_freed_memory", "reusable_bytes"]

_TRIM_THRESHOLD, _TOP_PAD, _MMAP_THRESHOLD = -1, -2, -3  # names in glibc's malloc.h
_MIB = 2**20


def keep_freed_memory() -> bool:
    """Have the C library keep freed memory instead of giving it back to the system.

    A step allocates and frees the same few megabytes again and again. By default glibc hands
    them back each time, and the system then clears every page anew, which takes longer than
    the arithmetic on it. This changes the whole process: it is meant for a worker that does
    nothing but train.

    Returns:
        Whether the C library knows how to; others than glibc may not.
    """
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return False
    wanted = {_TRIM_THRESHOLD: 2**31 - 1, _TOP_PAD: 64 * _MIB, _MMAP_THRESHOLD: 32 * _MIB}
    answers = {mallopt(name, value) for name, value in wanted.items()}
    return answers == {1}


def give_back_memory() -> None:
    """Free what only cycles hold, and have the C library return free memory to the system.

    For the moment after memory ran out, when the next attempt needs all there is.
    """
    gc.collect()
    if torch.cuda.is_initialized():  # type: ignore[no-untyped-call]
        torch.cuda.empty_cache()
    try:
        ctypes.CDLL(None).malloc_trim(0)
    except (OSError, AttributeError):
        return  # no glibc


def reusable_bytes() -> int:
    """Return the bytes that the C library holds free for this process; 0 where it is not told."""
    try:
        told = ctypes.CDLL(None).mallinfo2
    except (OSError, AttributeError):
        return 0
    told.restype = _Told
    return int(told().fordblks)


class _Told(ctypes.Structure):
    """glibc's ``struct mallinfo2``."""

    _fields_ = tuple(
        (name, ctypes.c_size_t)
        for name in (
            *("arena", "ordblks", "smblks", "hblks", "hblkhd"),
            *("usmblks", "fsmblks", "uordblks", "fordblks", "keepcost"),
        )
    )
