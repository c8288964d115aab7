"""What the machine offers this process: memory, cache, cores."""

import os
import platform
from collections.abc import Iterator
from pathlib import Path

import torch

from ripieno.population.memory import reusable_bytes

__all__ = ["available_bytes", "cache_bytes", "cores", "describe", "workers"]

_WORKERS = "RIPIENO_WORKERS"
"""Environment variable: how many processes of the same study share the machine."""
_UNLIMITED = 2**60  # cgroup v1 says "no limit" with a number near 2**63
_MIB = 2**20


def workers() -> int:
    """Return how many processes of this study share the machine, this one included."""
    text = os.environ.get(_WORKERS, "")
    return max(1, int(text)) if text.isdecimal() else 1


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def describe() -> str:
    """Say what measurements depend on: processor, cores, and the version of torch."""
    name = next(_values(Path("/proc/cpuinfo"), "model name"), platform.processor())
    return f"{platform.system()} {name}, {cores()} cores, torch {torch.__version__}"


def cache_bytes(*, root: Path = Path("/sys/devices/system/cpu")) -> int | None:
    """Return this process's share of the last-level cache, or None where it is not told.

    Args:
        root: Where the system describes its processors.
    """
    cpu = min(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 0
    found: tuple[int, int] | None = None
    for folder in root.glob(f"cpu{cpu}/cache/index*"):
        try:
            level = int((folder / "level").read_text())
            size = _bytes((folder / "size").read_text().strip())
            shared = _count((folder / "shared_cpu_list").read_text().strip())
        except (OSError, ValueError):
            continue
        share = size // max(1, min(workers(), shared))
        found = max(found, (level, share)) if found else (level, share)
    return found[1] if found else None


def available_bytes(*, root: Path = Path("/")) -> int | None:
    """Return how much more memory this process may take, or None where it is not told.

    That is the least of what the system has free, what the control group leaves, and what
    the limits of the process leave (``ulimit -v`` and ``ulimit -d``); the first two are
    divided among the processes of the study. What was freed and kept comes on top.

    Args:
        root: Where the system's own files are found.
    """
    common = [*_memory_free(root), *_group_left(root)]
    own = list(_limits_left(root))
    left = [amount // workers() for amount in common] + own
    return max(0, min(left)) + reusable_bytes() if left else None


def _memory_free(root: Path) -> Iterator[int]:
    for text in _values(root / "proc/meminfo", "MemAvailable"):
        yield int(text.split()[0]) * 1024


def _group_left(root: Path) -> Iterator[int]:
    """Yield what each control group above this process leaves, versions 2 and 1."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    for line in lines:
        _, controllers, path = line.split(":", 2)
        if controllers == "":
            names = ("memory.max", "memory.current")
            base = root / "sys/fs/cgroup"
        elif "memory" in controllers.split(","):
            names = ("memory.limit_in_bytes", "memory.usage_in_bytes")
            base = root / "sys/fs/cgroup/memory"
        else:
            continue
        here = base / path.lstrip("/")
        for folder in (here, *here.parents):
            if not folder.is_relative_to(base):
                break
            try:
                limit, used = ((folder / name).read_text().strip() for name in names)
                # Pages of files are given back on demand.
                files = next(_values(folder / "memory.stat", "inactive_file", mark=" "), "0")
            except OSError:
                continue
            if limit != "max" and int(limit) < _UNLIMITED:
                yield int(limit) - int(used) + int(files)


def _limits_left(root: Path) -> Iterator[int]:
    try:
        import resource
    except ImportError:  # Windows
        return
    for kind, name in ((resource.RLIMIT_AS, "VmSize"), (resource.RLIMIT_DATA, "VmData")):
        limit, _ = resource.getrlimit(kind)
        if limit != resource.RLIM_INFINITY:
            for text in _values(root / "proc/self/status", name):
                yield limit - int(text.split()[0]) * 1024


def _values(path: Path, name: str, *, mark: str = ":") -> Iterator[str]:
    """Yield what follows a name in a file of one fact a line; nothing if there is no file."""
    try:
        lines = path.read_text().splitlines()
    except OSError:
        return
    for line in lines:
        key, _, value = line.partition(mark)
        if key.strip() == name:
            yield value.strip()


def _bytes(text: str) -> int:
    """Read a size as the system writes it: ``32768K``."""
    units = {"K": 1024, "M": _MIB}
    return int(text.rstrip("KM")) * units.get(text[-1], 1)


def _count(text: str) -> int:
    """Count the numbers of a list such as ``0-3,8``."""
    ends = [part.split("-") for part in text.split(",")]
    return sum(int(end[-1]) - int(end[0]) + 1 for end in ends)
