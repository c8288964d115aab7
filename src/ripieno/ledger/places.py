"""Addresses of databases: which study of a server is meant, and what may be written down.

A PostgreSQL database holds any number of studies, each in a schema of its own (a namespace
of PostgreSQL's). The address names it: ``postgresql+psycopg://user@host/database?study=name``.
"""

import re
from pathlib import Path

from sqlalchemy import URL, make_url
from sqlalchemy.exc import SQLAlchemyError

from ripieno.errors import LedgerError

__all__ = ["address", "named", "namespace_of", "study_of", "without_password"]

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def address(url: str | Path) -> URL:
    """Read a database URL; a path stands for an SQLite file."""
    if isinstance(url, Path):
        return URL.create("sqlite", database=str(url.absolute()))
    try:
        read = make_url(url)
    except (SQLAlchemyError, ValueError) as error:
        # Not the text that was passed: it may hold a password.
        raise LedgerError(
            "the address of the database cannot be read.",
            where="storage",
            fix="write it as postgresql+psycopg://user@host:5432/database, or sqlite:///FILE.",
        ) from error
    if read.drivername == "postgresql":
        return read.set(drivername="postgresql+psycopg")
    return read


def named(url: str, name: str) -> str:
    """Return the address with a study's name in it, where it needs one and has none.

    Args:
        url: Of a database; a password stays in it.
        name: What the study is called, any text; what no schema can be called is replaced.

    Raises:
        LedgerError: The address cannot be read.
    """
    read = address(url)
    if read.get_backend_name() != "postgresql" or "study" in read.query:
        return url
    plain = re.sub(r"[^a-z0-9_]", "_", name.lower())
    word = plain if re.match(r"[a-z_]", plain) else f"_{plain}"
    # PostgreSQL keeps names that begin with pg_ for itself.
    word = f"_{word}" if word.startswith("pg_") else word
    return _text(read.update_query_dict({"study": word[:63]}))


def study_of(url: str) -> str | None:
    """Return the name of the study that an address holds, or None."""
    return namespace_of(address(url))


def without_password(url: str) -> str:
    """Return the address as it may be kept in a file: the password is left out."""
    read = address(url).difference_update_query(["password"])
    return _text(URL.create(**{**read._asdict(), "password": None}))


def namespace_of(url: URL) -> str | None:
    """Return the schema that holds the study, or None for the one that the server chooses.

    Raises:
        LedgerError: It is no plain name.
    """
    name = url.query.get("study")
    if name is None:
        return None
    if not isinstance(name, str) or not _NAME.fullmatch(name) or name.startswith("pg_"):
        raise LedgerError(
            f"{name!r} cannot be the name of a study in a database.",
            where=url.set(query={}).render_as_string(hide_password=True),
            fix="use up to 63 small letters, digits and '_', with a letter first: ?study=digits_1.",
        )
    return name


def _text(url: URL) -> str:
    return url.render_as_string(hide_password=False)
