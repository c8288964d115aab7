"""Memory that is shared until it is written to."""

import mmap
import sys
import tempfile

import numpy as np
import pytest

from ripieno.executors.pages import own


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says where memory lies")
def test_what_lies_in_a_file_is_mapped_and_what_is_written_stays_ours():
    with tempfile.TemporaryFile() as file:
        file.write(bytes(100) + bytes(range(256)) * 64)
        file.flush()
        whole = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        view = memoryview(whole)[100:]
        mine = own(view)
        assert mine == view
        assert isinstance(mine.obj, mmap.mmap)
        mine[0] = 7
        assert (mine[0], view[0], own(view)[0]) == (7, 0, 0)


def test_what_lies_in_no_file_is_copied():
    array = np.arange(1000.0)
    mine = own(memoryview(array).cast("B"))
    np.frombuffer(mine)[:] = 0.0
    assert array[999] == 999.0
