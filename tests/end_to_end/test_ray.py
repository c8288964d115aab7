"""The command on a Ray cluster, and what a user may get wrong about one."""

import os
import socket
import time
import uuid
from pathlib import Path

import pytest

import ray_cluster

SMALL = ("--trials", "2", "--epochs", "1", "--scheduler", "full")


def alive(mark):
    """The processes that have a mark in their environment."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in path.read_bytes():
                found.append((path.parent / "cmdline").read_text())
        except OSError:  # it has ended, or is somebody else's
            continue
    return found


@pytest.mark.skipif(not ray_cluster.INSTALLED, reason="Ray is not installed")
def test_a_study_tunes_in_a_cluster_of_its_own_leaves_no_process_and_goes_on_here(ripieno):
    mark = uuid.uuid4().hex
    ripieno.environment |= {"RIPIENO_TEST_MARK": mark, "HOME": str(ripieno.folder)}
    where = ("--executor", "ray", "--address", "local", "--workers", 1)
    begun = ripieno.json("tune", "digits", *SMALL, *where, "--out", "study")
    assert (begun["trials"], begun["finished"]) == (2, True)
    assert not list((ripieno.folder / "study" / "artifacts").glob("reachable*"))
    until = time.monotonic() + 20.0
    while alive(mark) and time.monotonic() < until:
        time.sleep(0.1)
    assert alive(mark) == []
    done = ripieno.json("resume", "study", "--trials", 3, "--executor", "inline")
    assert (done["trials"], done["finished"]) == (3, True)


@pytest.mark.skipif(not ray_cluster.INSTALLED, reason="Ray is not installed")
def test_an_address_where_nobody_listens_is_told_before_anything_is_begun(ripieno):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{free.getsockname()[1]}"
    message = ripieno.refused("tune", "digits", *SMALL, "--executor", "ray", "--address", address)
    assert f"the Ray cluster '{address}' cannot be reached: Connection refused" in message
    assert not (ripieno.folder / "ripieno-studies").exists()


def test_without_ray_its_extra_is_named(ripieno):
    (ripieno.folder / "hidden" / "ray").mkdir(parents=True)
    (ripieno.folder / "hidden" / "ray" / "__init__.py").write_text("raise ImportError\n")
    path = f"{ripieno.folder / 'hidden'}{os.pathsep}{os.environ.get('PYTHONPATH', '')}"
    ripieno.environment["PYTHONPATH"] = path
    message = ripieno.refused("tune", "digits", "--executor", "ray")
    assert "pip install 'ripieno[ray]'" in message


def test_an_address_without_ray_is_refused_before_an_architecture_is_searched(ripieno):
    message = ripieno.refused("nas", "digits", "--address", "auto")
    assert "add executor='ray' (--executor ray)" in message
