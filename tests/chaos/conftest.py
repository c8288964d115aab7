"""A database server that may be crashed."""

import pytest

import postgres


@pytest.fixture
def own_postgres():
    """A server of this test's own: crashing it hurts nobody else."""
    programs = postgres.binaries()
    if programs is None:
        pytest.skip("no PostgreSQL server here (Debian: apt-get install postgresql)")
    server = postgres.Server(programs)
    yield server
    server.remove()
