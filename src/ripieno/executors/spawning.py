"""How a worker process is started."""

import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import MappingProxyType

from ripieno.errors import WorkerError
from ripieno.executors.gpus import gpus_of_worker

__all__ = ["COMMAND", "ONE_THREAD", "check_devices", "free_workers", "spawn", "usable_cores"]

COMMAND = (sys.executable, "-P", "-m", "ripieno.executors.worker")
ONE_THREAD = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS")


def usable_cores() -> int:
    """Return the number of cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def check_devices(devices: int) -> int:
    """Return a number of devices that one trial can be trained on.

    Raises:
        WorkerError: It is no whole number, or below 1.
    """
    if type(devices) is not int or devices < 1:
        raise WorkerError(
            f"devices = {devices!r} can train no trial.",
            where="the devices of a trial",
            fix="give a whole number of processes that train each trial together: 1, 2, ….",
        )
    return devices


def free_workers(devices: int, *, gpus: int = 0) -> int:
    """Return how many workers the usable cores, or GPUs, are enough for, at least one.

    Args:
        devices: Processes that each of them has train an order.
        gpus: GPUs that they train on, one for each of them; 0 for cores.

    Raises:
        WorkerError: See :func:`check_devices`.
    """
    return max(1, (gpus or usable_cores()) // check_devices(devices))


def spawn(
    descriptors: Sequence[int],
    *,
    workers: int,
    number: int | None = None,
    own_gpus: bool = True,
    loads: Sequence[str] = (),
    environment: Mapping[str, str] = MappingProxyType({}),
) -> subprocess.Popen[bytes]:
    """Start a worker process, which waits to be told what it is for.

    Args:
        descriptors: Of files that it inherits, under the same numbers.
        workers: How many of its kind there are.
        number: Which of them it is, from 0: it sees GPUs of its own. None leaves it all that
            there are.
        own_gpus: See :func:`~ripieno.executors.gpus.gpus_of_worker`.
        loads: Modules that it imports while it waits.
        environment: Variables that it is given where this process has none of the name.

    Raises:
        WorkerError: The system starts no more processes.
    """
    try:
        # A session of its own: Ctrl-C in a terminal reaches the parent alone, which asks
        # the workers to stop.
        return subprocess.Popen(  # noqa: S603 - our own module, no foreign input
            [*COMMAND, *loads],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={
                **environment,
                **os.environ,
                **({} if number is None else gpus_of_worker(number, workers=workers, own=own_gpus)),
                **dict.fromkeys(ONE_THREAD, "1"),
                "PYTHONPATH": _python_path(),
                "RIPIENO_WORKERS": str(workers),  # memory and caches are shared among them
            },
            start_new_session=True,
            pass_fds=tuple(descriptors),
        )
    except OSError as error:
        raise WorkerError(
            f"a worker process cannot be started: {error}.",
            where=" ".join(COMMAND),
            fix="free some memory or processes, or use fewer workers.",
        ) from error


def _python_path() -> str:
    """Let a worker find this package wherever the parent found it.

    It puts the variable back before it runs anything of the user's.
    """
    return os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)
