"""What all tests share: a cache folder of their own, Ctrl-C, a database server."""

import os
import signal

import pytest

import postgres


@pytest.fixture(scope="session", autouse=True)
def _own_cache_folder(tmp_path_factory):
    before = os.environ.get("XDG_CACHE_HOME")
    os.environ["XDG_CACHE_HOME"] = str(tmp_path_factory.mktemp("cache"))
    yield
    del os.environ["XDG_CACHE_HOME"]
    if before is not None:
        os.environ["XDG_CACHE_HOME"] = before


@pytest.fixture(scope="session", autouse=True)
def _ctrl_c_is_heard():
    # What was started in the background may have been told to ignore it, which is inherited.
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def postgres_server():
    """A PostgreSQL server, the same for all tests of a process; each takes its own studies."""
    programs = postgres.binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server here (Debian: apt-get install postgresql)")
    server = postgres.Server(programs)
    yield server
    server.remove()
