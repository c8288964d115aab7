import errno

import numpy as np
import pytest
import torch

from ripieno.recipes import explain, is_out_of_memory, raise_out_of_memory


def of_torch():
    try:
        torch.empty(2**56)
    except RuntimeError as error:
        return error
    raise AssertionError


def of_numpy():
    try:
        np.empty(2**56)
    except MemoryError as error:
        return error
    raise AssertionError


def caused():
    error = ValueError("the batch is too large")
    error.__cause__ = of_torch()
    return error


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        of_torch(),
        of_numpy(),
        caused(),
        torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2.00 GiB."),
        RuntimeError("DefaultCPUAllocator: not enough memory: you tried to allocate 8 bytes."),
        RuntimeError("std::bad_alloc"),
        RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling cublasCreate(handle)"),
        OSError(errno.ENOMEM, "Cannot allocate memory"),
    ],
    ids=lambda error: f"{type(error).__name__} {error}"[:40],
)
def test_every_librarys_way_to_say_it_is_understood(error):
    assert is_out_of_memory(error)
    with pytest.raises(type(error)):
        raise_out_of_memory(error)


@pytest.mark.parametrize(
    "error",
    [
        None,
        ValueError("out of memory"),
        RuntimeError("mat1 and mat2 shapes cannot be multiplied (2x3 and 4x5)"),
        OSError(errno.ENOSPC, "No space left on device"),
    ],
)
def test_other_errors_are_something_else(error):
    assert not is_out_of_memory(error)
    raise_out_of_memory(error)


def test_errors_that_cause_each_other_are_seen_once():
    first, second = ValueError("a"), ValueError("b")
    first.__cause__, second.__cause__ = second, first
    assert not is_out_of_memory(first)


def test_it_is_told_with_its_remedy():
    text = explain(of_torch())
    assert text.startswith("out of memory: ")
    assert "DefaultCPUAllocator" in text
    assert "fewer workers" in text
    assert explain(MemoryError()).startswith("out of memory: MemoryError.")
