import gc
import os
import pickle
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from ripieno.population.beside import Beside, is_possible

pytestmark = pytest.mark.skipif(not is_possible(), reason="needs POSIX")


class Sleeper:
    """Stands for a compilation that takes long: it sleeps where it is read."""

    def __reduce__(self):
        return time.sleep, (600.0,)


def is_alive(pid):
    """Whether a process runs; one that has ended and waits for its parent does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def wait_until(condition, seconds=60.0):
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.02)
    return condition()


def test_what_cannot_be_compiled_is_told_in_words():
    beside = Beside(pickle.dumps("no graph"))
    found = []
    assert wait_until(lambda: found.append(beside.answer()) or found[-1] is not None)
    assert found[-1]["error"].startswith("ValueError: ")


def test_a_process_that_dies_is_told_with_its_status():
    beside = Beside(pickle.dumps(Sleeper()))
    assert beside.answer() is None
    os.kill(beside.pid, signal.SIGKILL)
    found = []
    assert wait_until(lambda: found.append(beside.answer()) or found[-1] is not None)
    assert found[-1] == {"error": "the compiling process ended with status -9"}


def test_closing_ends_it_and_so_does_forgetting_it():
    closed, forgotten = Beside(pickle.dumps(Sleeper())), Beside(pickle.dumps(Sleeper()))
    pids = closed.pid, forgotten.pid
    assert all(map(is_alive, pids))
    closed.close()
    del forgotten
    gc.collect()
    assert not any(map(is_alive, pids))
    closed.close()


SCRIPT = """
    import pickle, sys, time
    from ripieno.population.beside import Beside

    class Sleeper:
        def __reduce__(self):
            return time.sleep, (600.0,)

    if __name__ == "__main__":
        beside = Beside(pickle.dumps(Sleeper()))
        print(beside.pid, flush=True)
        if sys.argv[1] == "wait":
            time.sleep(600.0)
"""


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_it_ends_with_its_parent_however_that_ends(tmp_path, end):
    (tmp_path / "script.py").write_text(textwrap.dedent(SCRIPT))
    parent = subprocess.Popen(
        [sys.executable, tmp_path / "script.py", "wait" if end == "kill" else "end"],
        stdout=subprocess.PIPE,
        text=True,
    )
    pid = int(parent.stdout.readline())
    if end == "kill":
        parent.kill()
    parent.wait()
    parent.stdout.close()
    assert wait_until(lambda: not is_alive(pid))
