"""Addresses of databases: which study of a server is meant, and what may be written down.

A PostgreSQL database holds any number of studies, each in a schema of its own (a namespace
of PostgreSQL's). The address names it: ``postgresql+psycopg://user@host/database?study=name``.
"""

import re

from sqlalchemy import URL, make_url

from ripieno.errors import LedgerError

__all__ = ["named", "namespace_of", "without_password"]

_NAME = re.compile(r"[a-z_][a-z0-9_]{0,62}")


def named(url: str, name: str) -> str:
    """Return the address with a study's name in it, where it needs one and has none.

    Args:
        url: Of a database that was read before without an error; a password stays in it.
        name: What the study is called, any text; what no schema can be called is replaced.
    """
    read = make_url(url)
    if read.get_backend_name() != "postgresql" or "study" in read.query:
        return url
    plain = re.sub(r"[^a-z0-9_]", "_", name.lower())
    word = plain if re.match(r"[a-z_]", plain) else f"_{plain}"
    # PostgreSQL keeps names that begin with pg_ for itself.
    word = f"_{word}" if word.startswith("pg_") else word
    return _text(read.update_query_dict({"study": word[:63]}))


def without_password(url: str) -> str:
    """Return the address as it may be kept in a file: the password is left out."""
    read = make_url(url).difference_update_query(["password"])
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
