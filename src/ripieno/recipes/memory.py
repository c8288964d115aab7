"""Out of memory: one condition that every library tells in its own words."""

import errno

import torch

__all__ = ["is_out_of_memory", "raise_out_of_memory"]

_WORDS = (
    "DefaultCPUAllocator",  # can't allocate memory, not enough memory
    "bad_alloc",
    "out of memory",  # CUDA, and drivers under it
    "Cannot allocate memory",
    "ALLOC_FAILED",  # cuBLAS, cuDNN, cuSOLVER
)


def is_out_of_memory(error: BaseException | None) -> bool:
    """Say whether an error, or one that it was raised from, says that memory is out."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        if isinstance(error, MemoryError | torch.OutOfMemoryError):
            return True
        if isinstance(error, OSError) and error.errno == errno.ENOMEM:
            return True
        if isinstance(error, RuntimeError) and any(words in str(error) for words in _WORDS):
            return True
        error = error.__cause__
    return False


def raise_out_of_memory(error: BaseException) -> None:
    """Raise an error again if it says that memory is out.

    For places that take any other error as an answer ("this way does not work"): being out of
    memory says nothing about a way, and the caller has a remedy.

    Raises:
        BaseException: The error that was given.
    """
    if is_out_of_memory(error):
        raise error
