"""Worker processes that begin to start before it is known what they will do."""

import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import wraps
from types import TracebackType
from typing import Any, BinaryIO, ParamSpec, Self, TypeVar, cast

from ripieno.executors.parcel import nameless
from ripieno.executors.spawning import free_workers, spawn

__all__ = ["Crew", "gather", "gathers"]

_P = ParamSpec("_P")
_R = TypeVar("_R")


class Crew:
    """Processes that load what they will need while a study reads its data.

    Loading torch takes more than a second in each process. A crew that is started first of
    all spends that time beside its parent, and a search begins so much earlier. Give it to
    a ``ProcessExecutor``, which takes its processes; those that nobody takes end with it.

    Args:
        count: The number of processes.
        loads: Modules that they import while they wait.
        device: What they train on; see :class:`~ripieno.executors.ProcessExecutor`.

    Raises:
        WorkerError: The system starts no more processes.
    """

    def __init__(self, count: int, *, loads: Sequence[str] = (), device: str = "auto") -> None:
        self.count = count
        # What is large is written into it once it is known; a process inherits it now.
        self.file: BinaryIO | None = None
        self._waiting: list[tuple[int, subprocess.Popen[bytes]]] = []
        if sys.platform != "win32":  # its processes do not inherit descriptors
            self.file = nameless()
            try:
                for number in range(count):
                    process = spawn(
                        (self.file.fileno(),),
                        workers=count,
                        number=number,
                        own_gpus=":" not in device,
                        loads=loads,
                    )
                    self._waiting.append((number, process))
            except BaseException:
                self.close()  # those that did start would wait for ever
                raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def take(self) -> tuple[int, subprocess.Popen[bytes]] | None:
        """Return a process that waits, with its number; or None if there is none."""
        return self._waiting.pop() if self._waiting else None

    def close(self) -> None:
        """End the processes that were not taken. Safe to call twice."""
        waiting, self._waiting = self._waiting, []
        for _, process in waiting:
            process.terminate()
        for _, process in waiting:
            process.communicate()
        if self.file is not None:
            self.file.close()


@contextmanager
def gather(
    workers: int | Crew | None,
    *,
    executor: str | None = None,
    loads: Sequence[str] = (),
    devices: int = 1,
    device: str = "auto",
    gpus: int = 0,
) -> Iterator[int | Crew | None]:
    """Let workers begin to start, where there will be several and they have not yet.

    Args:
        workers: How many; None for every usable core, or GPU.
        executor: The name of the executor; only one of processes, or none, has a crew.
        loads: See :class:`Crew`.
        devices: Processes that each worker has train an order.
        device: What these train on.
        gpus: How many of it there are, where it is GPUs; 0 where it is cores.

    Raises:
        WorkerError: The system starts no more processes, or ``devices`` is below 1.
    """
    count = free_workers(devices, gpus=gpus) if workers is None else workers
    if isinstance(count, Crew) or count < 2 or executor not in {None, "processes"}:
        yield workers
        return
    with Crew(count, loads=loads, device=device) as crew:
        yield crew


def gathers(
    *, loads: Sequence[str] = (), count_gpus: Callable[[str], int] = lambda _: 0
) -> Callable[[Callable[_P, _R]], Callable[_P, _R]]:
    """Have a function's ``workers`` begin to start when it is called; see :func:`gather`.

    Args:
        loads: See :class:`Crew`.
        count_gpus: Says how many GPUs there are of a device.
    """

    def decorate(function: Callable[_P, _R]) -> Callable[_P, _R]:
        @wraps(function)
        def called(*args: _P.args, **options: _P.kwargs) -> _R:
            asked = cast("int | Crew | None", options.get("workers"))
            executor = cast("str | None", options.get("executor"))
            devices = cast("int", options.get("devices", 1))
            device = cast("str", options.get("device", "auto"))
            with gather(
                asked,
                executor=executor,
                loads=loads,
                devices=devices,
                device=device,
                gpus=count_gpus(device) if asked is None else 0,
            ) as workers:
                own: dict[str, Any] = {**options, "workers": workers}
                return function(*args, **own)

        return called

    return decorate
