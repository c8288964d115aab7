"""File systems behind addresses: how they are found, and what each does in its own way."""

import errno
import math
import uuid
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

from ripieno.errors import ArtifactError
from ripieno.ledger.keys import half_of

__all__ = [
    "changed_at",
    "find_filesystem",
    "forget",
    "is_transient",
    "put",
    "refused",
    "root_of",
    "without_secret",
]

_WHOLE = frozenset({"s3", "s3a", "gs", "gcs", "abfs", "abfss", "az", "adl", "oss", "oci"})
"""Object stores: an object is seen when it is complete, and a folder is only a name."""
_NO_PLACES = frozenset(
    {
        "async_wrapper", "asyncwrapper", "blockcache", "cached", "dask", "data", "dir",
        "filecache", "generic", "gist", "git", "github", "http", "https", "jlab", "jupyter",
        "libarchive", "memory", "pyscript", "reference", "simplecache", "tar", "zip",
    }
)  # fmt: skip
"""What fsspec knows beside places for files: views of others, what is only read, one process."""
_TIMES = ("mtime", "LastModified", "last_modified", "updated", "modify", "created")
_FOR_GOOD = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.ENAMETOOLONG, errno.EFBIG, errno.EINVAL}
)
_NEVER_TRANSIENT = (FileNotFoundError, PermissionError, FileExistsError, NotADirectoryError,
                    IsADirectoryError)  # fmt: skip
_NAMES_OF_TRANSIENT = ("Timeout", "Connect", "SSHException", "error_temp", "EOFError")
"""Parts of names: clients have errors of their own for a server that does not answer."""


def root_of(url: str) -> str:
    """Return the path that a file system calls an address by.

    Raises:
        ArtifactError: It is no address of files that other processes can reach, or a package
            for it is missing.
    """
    protocol, separator, rest = url.partition("://")
    if not separator or not rest.strip("/") or "::" in url:
        raise _unreadable(url, f"{without_secret(url)!r} is no address of a place for arrays.")
    if protocol in _NO_PLACES:
        raise _unreadable(url, f"{protocol}:// is no place that several processes keep files in.")
    kind = _kind(protocol, url)
    return str(kind._strip_protocol(url)).rstrip("/")  # noqa: SLF001 - what fsspec's own tools use


def find_filesystem(url: str) -> Any:
    """Return the file system of an address; each thread has one connection to it."""
    from fsspec.core import url_to_fs

    # Listings that are kept would not show what other processes write.
    return url_to_fs(url, use_listings_cache=False)[0]


def forget(url: str) -> None:
    """Let the next file system of an address connect anew."""
    _kind(url.partition("://")[0], url).clear_instance_cache()


def put(fs: Any, source: Path, target: str) -> None:
    """Copy a file of this machine to a file system, where it appears whole or not at all.

    Args:
        fs: The file system.
        source: The file.
        target: Its path there; one of the same content is replaced.
    """
    protocols = {fs.protocol} if isinstance(fs.protocol, str) else {*fs.protocol}
    if protocols & _WHOLE:
        fs.put_file(str(source), target)
        return
    folder, _, name = target.rpartition("/")
    hidden = f"{folder}/{half_of(name.removesuffix('.safetensors'), uuid.uuid4().hex)}"
    fs.makedirs(folder, exist_ok=True)
    try:
        fs.put_file(str(source), hidden)
        _move(fs, hidden, target)
    except BaseException:
        with suppress(Exception):
            fs.rm_file(hidden)
        raise


def changed_at(entry: Mapping[str, Any]) -> float:
    """Return when a file was written, in seconds since 1970; never, where that is not said.

    Args:
        entry: What a file system says of the file.
    """
    found = next((entry[name] for name in _TIMES if entry.get(name) is not None), math.inf)
    if isinstance(found, str):
        # An FTP server says 20261128080800.
        found = f"{found[:8]}T{found[8:14]}" if found[:14].isdigit() else found
        with suppress(ValueError):
            found = datetime.fromisoformat(found)
    if isinstance(found, datetime):
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    return float(found) if isinstance(found, int | float) else math.inf


def is_transient(error: Exception) -> bool:
    """Say whether the same may well work a little later: the server did not answer."""
    if isinstance(error, ConnectionError | TimeoutError | EOFError):
        return True
    names = [kind.__name__ for kind in type(error).__mro__]
    if any(part in name for name in names for part in _NAMES_OF_TRANSIENT):
        return True
    lasting = isinstance(error, _NEVER_TRANSIENT) or not isinstance(error, OSError)
    return not lasting and error.errno not in _FOR_GOOD  # type: ignore[attr-defined]


def without_secret(url: str) -> str:
    """Return an address as it may be shown and kept in a file: without its password."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return url.partition("://")[0] + "://…"
    before, at, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=before.partition(":")[0] + at + host))


def refused(place: str, what: str, error: Exception | str) -> ArtifactError:
    """Return what is said where a store cannot be used.

    Args:
        place: Its address, without a password.
        what: What cannot be done to an array: "written", "read", "listed" or "removed".
        error: Why.
    """
    said = str(error).strip().rstrip(".") or type(error).__name__
    fix = "look whether the server answers and lets this user read, write, list and delete there; "
    fix += "then go on (`ripieno resume DIR`)."
    if isinstance(error, PermissionError) or "redential" in said:
        fix = "let this user read, write, list and delete there, and give the credentials where "
        fix += "the client of the store looks for them (for s3://, as for the AWS tools)."
    elif isinstance(error, FileNotFoundError):
        fix = "make the bucket or the share first, or correct its name."
    elif isinstance(error, NotImplementedError | ValueError):
        fix = "name a place that can be written and listed, such as s3://bucket/study."
    return ArtifactError(f"the arrays cannot be {what}: {said}.", where=place, fix=fix)


def _kind(protocol: str, url: str) -> Any:
    """Return the class of a file system.

    Raises:
        ArtifactError: There is none, or its package is not installed.
    """
    from fsspec import get_filesystem_class

    try:
        return get_filesystem_class(protocol)
    except ValueError as error:
        raise _unreadable(
            url, f"nothing is known of addresses that begin with {protocol}://."
        ) from error
    except ImportError as error:
        raise ArtifactError(
            f"addresses that begin with {protocol}:// need a package that is not installed: "
            f"{str(error).rstrip('.')}.",
            where=without_secret(url),
            fix="install it on every machine, for example pip install 'ripieno[s3]'.",
        ) from error


def _unreadable(url: str, problem: str) -> ArtifactError:
    return ArtifactError(
        problem,
        where=f"--artifacts / artifacts={without_secret(url)!r}",
        fix="name a place such as s3://bucket/study, gs://bucket/study or sftp://host/study; "
        "without it the arrays lie in the study's folder, which machines may share.",
    )


def _move(fs: Any, source: str, target: str) -> None:
    """Rename a file, onto another one of the same content where there is one."""
    try:
        fs.mv(source, target)
    except Exception:
        # Some servers rename onto nothing that is there. The name tells the content.
        if not fs.exists(target) or fs.size(target) != fs.size(source):
            raise
        fs.rm_file(source)
