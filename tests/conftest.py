"""What all tests share: nothing is read from, or written to, the user's own cache folder."""

import os

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


@pytest.fixture(scope="session")
def postgres_server():
    """A PostgreSQL server, the same for all tests of a process; each takes its own studies."""
    programs = postgres.binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server here (Debian: apt-get install postgresql)")
    server = postgres.Server(programs)
    yield server
    server.remove()
