import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import numpy as np
import pytest

from ripieno.errors import WorkerError
from ripieno.executors import ObjectiveRunner, ProcessExecutor
from ripieno.executors.parcel import pack, unpack
from ripieno.ledger import MemoryArtifacts
from ripieno.records import Config, Order

LARGE = np.arange(300_000, dtype=np.float64)  # 2.3 MiB
linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")


def opened(parcel):
    """Unpack as a worker would, that inherits the descriptor."""
    descriptor = os.dup(parcel.descriptors[0]) if parcel.descriptors else None
    return unpack(parcel.body, parcel.spans, descriptor)


@pytest.fixture
def packed():
    made = []

    def packed(value):
        made.append(pack(value))
        return made[-1]

    yield packed
    for parcel in made:
        parcel.close()


def test_what_is_small_is_all_in_the_pickle(packed):
    parcel = packed({"x": np.arange(1000)})
    assert parcel.file is None
    assert parcel.spans == ()
    assert opened(parcel)["x"].tolist() == list(range(1000))


def test_arrays_of_every_kind_come_out_as_they_went_in(packed):
    frozen = LARGE.copy()
    frozen.flags.writeable = False
    arrays = {
        "rows first": LARGE.reshape(600, 500),
        "columns first": np.asfortranarray(LARGE.reshape(600, 500)),
        "every second": np.arange(600_000)[::2],
        "frozen": frozen,
        "empty": np.empty((0, 3)),
        "flags": np.tile([True, False], 1_000_000),
        "words": np.array(["a", "bc"] * 300_000),
        "objects": np.array([1, "x", None], dtype=object),
    }
    got = opened(packed(arrays))
    for name, array in arrays.items():
        assert got[name].dtype == array.dtype
        np.testing.assert_array_equal(got[name], array)


def test_an_array_that_is_held_twice_is_sent_once(packed):
    parcel = packed({"a": LARGE, "b": [LARGE]})
    got = opened(parcel)
    assert len(parcel.spans) == 1
    assert got["a"] is got["b"][0]


def test_a_large_pickle_lies_in_the_file_too(packed):
    parcel = packed([bytes(3_000_000), LARGE])
    assert parcel.body == b""
    assert [size for _, size in parcel.spans] == [pytest.approx(3_000_000, abs=500), LARGE.nbytes]
    text, array = opened(parcel)
    assert text == bytes(3_000_000)
    np.testing.assert_array_equal(array, LARGE)


def test_what_one_worker_writes_no_other_sees(packed):
    parcel = packed(LARGE)
    first, second = opened(parcel), opened(parcel)
    first += 1.0
    np.testing.assert_array_equal(second, LARGE)
    np.testing.assert_array_equal(opened(parcel), LARGE)
    np.testing.assert_array_equal(first, LARGE + 1.0)


def test_a_tensor_of_a_shared_array_shares_it_too_without_a_warning(packed):
    import torch

    got = opened(packed(LARGE))
    assert torch.from_numpy(got).data_ptr() == got.ctypes.data


def test_a_temporary_file_serves_where_there_is_no_file_of_memory(packed, monkeypatch, tmp_path):
    monkeypatch.delattr(os, "memfd_create", raising=False)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    got = opened(packed(LARGE))
    np.testing.assert_array_equal(got, LARGE)
    assert list(tmp_path.iterdir()) == []


def test_no_room_is_an_error_that_says_so(monkeypatch, tmp_path):
    def full(name):
        return os.open("/dev/full", os.O_RDWR)

    monkeypatch.setattr(os, "memfd_create", full, raising=False)
    with pytest.raises(WorkerError, match="No space left") as error:
        pack(LARGE)
    assert error.value.where == "2 MiB of arrays"


@linux
def test_workers_have_no_copy_of_their_own(tmp_path):
    def objective(config):
        total = float(data.sum())  # touches every page
        here = data.ctypes.data
        blocks = Path("/proc/self/smaps").read_text().split("VmFlags")
        for block in blocks:
            lines = [line for line in block.splitlines() if "-" in line.split(" ")[0]]
            begin, end = (int(part, 16) for part in lines[-1].split(" ")[0].split("-"))
            if begin <= here < end:
                found = dict(line.split(":")[:2] for line in block.splitlines() if "kB" in line)
                kib = {name: int(text.split()[0]) for name, text in found.items()}
                return {"loss": total, "copied": kib["Anonymous"], "resident": kib["Rss"]}
        return {"loss": total, "copied": -1, "resident": -1}

    data = np.ones(2_000_000)
    executor = ProcessExecutor(ObjectiveRunner(objective, "loss"), MemoryArtifacts(), workers=2)
    try:
        executor.submit([Order(trial, Config({}), 0, 1) for trial in range(2)])
        outcomes = []
        while len(outcomes) < 2:
            outcomes += executor.collect(60.0)
    finally:
        executor.close()
    for outcome in outcomes:
        assert outcome.error is None
        assert outcome.metrics[0]["loss"] == 2_000_000
        assert outcome.metrics[0]["copied"] == 0
        assert outcome.metrics[0]["resident"] >= data.nbytes // 1024


SCRIPT = """
    import os, sys, time
    import numpy as np
    from ripieno.executors import ProcessExecutor, ObjectiveRunner
    from ripieno.ledger import MemoryArtifacts
    from ripieno.records import Config, Order

    data = np.ones(2_000_000)
    if sys.argv[1] == "file":
        del os.memfd_create

    def objective(config):
        print(os.getpid(), flush=True, file=sys.stderr)
        return time.sleep(600 * data[0])

    if __name__ == "__main__":
        executor = ProcessExecutor(ObjectiveRunner(objective, "loss"), MemoryArtifacts(), workers=1)
        executor.submit([Order(0, Config({}), 0, 1)])
        executor.collect()
"""


@linux
@pytest.mark.parametrize("kind", ["memory", "file"])
def test_nothing_is_left_behind_by_a_parent_that_is_killed(tmp_path, kind):
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    (tmp_path / "t").mkdir()
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "script.py", kind],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(tmp_path / "t")},
    )
    worker = int(parent.stderr.readline())
    mapped = Path(f"/proc/{worker}/maps").read_text()
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stderr.close()
    deadline = time.monotonic() + 20.0
    while Path(f"/proc/{worker}/maps").exists() and time.monotonic() < deadline:
        if not Path(f"/proc/{worker}/maps").read_text():
            break  # it has ended, and waits to be reaped
        time.sleep(0.02)
    name = "/memfd:ripieno" if kind == "memory" else str(tmp_path / "t")
    shared = [line for line in mapped.splitlines() if name in line]
    assert [line.split()[-1] for line in shared] == ["(deleted)"]
    assert time.monotonic() < deadline
    assert list((tmp_path / "t").iterdir()) == []
