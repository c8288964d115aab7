"""What is known of a cluster before anything is asked of it: its address and its rooms."""

import os
import re
import socket
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from ripieno.errors import WorkerError

__all__ = [
    "how_it_ended",
    "knock",
    "last_line",
    "own_path",
    "require_room",
    "rooms",
    "unreachable",
]

_CONNECT_SECONDS = 5.0


def knock(address: str | None) -> None:
    """Look whether somebody listens at the address of a cluster, if it names a machine.

    Raises:
        WorkerError: Nobody does, or the address cannot be read.
    """
    if address in {None, "auto"}:
        address = os.environ.get("RAY_ADDRESS")
    if address in {None, "", "auto", "local"}:
        return
    assert address is not None  # noqa: S101 - the set above holds None
    try:
        parts = urlsplit(address if "://" in address else f"ray://{address}")
        host, port, scheme = parts.hostname, parts.port, parts.scheme
    except ValueError:
        host = port = scheme = None
    if not host or not port or scheme != "ray":
        raise WorkerError(
            f"{address!r} is no address of a Ray cluster.",
            where="--address / address=",
            fix="write it as host:6379, ray://host:10001, auto or local.",
        )
    try:
        # Ray itself would try for minutes.
        socket.create_connection((host, port), _CONNECT_SECONDS).close()
    except OSError as error:
        raise unreachable(address, error.strerror or str(error)) from error


def rooms(nodes: Sequence[Mapping[str, Any]], needs: Mapping[str, float]) -> list[int]:
    """Return how many actors each machine has room for.

    Args:
        nodes: As Ray lists them.
        needs: What an actor needs, by name; at least one thing.
    """
    return [
        int(min(node["Resources"].get(name, 0) / amount for name, amount in needs.items()) + 1e-9)
        for node in nodes
    ]


def own_path() -> list[str]:
    """Return where modules are found that neither come with Python nor are installed."""
    installed = {Path(sys.prefix), Path(sys.base_prefix)}
    folders = [Path(entry or Path.cwd()) for entry in sys.path]
    return [str(folder) for folder in folders if not installed & {folder, *folder.parents}]


def unreachable(address: str, why: str) -> WorkerError:
    """Return what is said where there is no way to a cluster."""
    return WorkerError(
        f"the Ray cluster {address!r} cannot be reached: {why.strip().rstrip('.')}.",
        where="--address / address=",
        fix="begin one (`ray start --head`) and give its address, or leave the address out for "
        "one on this machine alone.",
    )


def require_room(room: int, needs: Mapping[str, float]) -> None:
    """Make sure that a cluster has room for an actor.

    Raises:
        WorkerError: It has none.
    """
    if room:
        return
    wanted = ", ".join(f"{amount:g} {name}" for name, amount in needs.items())
    raise WorkerError(
        f"no machine of the cluster has room for an actor with {wanted}.",
        where="RayExecutor",
        fix="ask for less, add machines, or say how many workers are wanted (`workers=…`) where "
        "the cluster grows by itself.",
    )


def how_it_ended(error: Exception) -> str:
    """Return what Ray says of the end of an actor, in a word where it has one."""
    found = re.search(r"exit type: (\w+)", str(error))
    return f"exit type {found[1]}" if found else last_line(error)


def last_line(error: Exception) -> str:
    """Return the last line of a long message."""
    return str(error).strip().splitlines()[-1].strip().rstrip(".")
