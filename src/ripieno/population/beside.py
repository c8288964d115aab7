"""A step that another process compiles, while this one trains: ``python -m … beside``.

What the other process makes is found by this one in the compiler's cache on disk. It ends with
the process that started it, however that ends: its standard input is a pipe that closes then,
and at that it kills itself and whatever it started.
"""

import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

__all__ = ["Beside", "is_possible", "main"]

_ONE = ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "TORCHINDUCTOR_COMPILE_THREADS")


def is_possible() -> bool:
    """Say whether this system has what it takes: process groups, and inherited descriptors."""
    return os.name == "posix"


class Beside:
    """A process that compiles one step.

    Args:
        body: What ``graphs.prepare`` made.
        lock: A descriptor that the process must hold open as long as it lives, or None.
    """

    def __init__(self, body: bytes, *, lock: int | None = None) -> None:
        with tempfile.TemporaryFile() as file:
            file.write(body)
            file.seek(0)
            inherited = (file.fileno(), *(() if lock is None else (lock,)))
            # A session of its own, so that it and all it starts can be killed at once.
            self._process = subprocess.Popen(  # noqa: S603 - our own module, no foreign input
                [sys.executable, "-P", "-m", "ripieno.population.beside", str(file.fileno())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                env={**os.environ, **dict.fromkeys(_ONE, "1"), "PYTHONPATH": _python_path()},
                start_new_session=True,
                pass_fds=inherited,
            )
        self._answer: Mapping[str, Any] | None = None
        self._end = weakref.finalize(self, _end, self._process)

    @property
    def pid(self) -> int:
        """The process's number."""
        return self._process.pid

    def answer(self) -> Mapping[str, Any] | None:
        """Return what became of it, or None while it goes on.

        ``seconds`` that compiling took and ``cold``, whether anything had to be compiled; or
        an ``error`` in words.
        """
        if self._answer is None:
            status = self._process.poll()
            if status is None:
                return None
            assert self._process.stdout is not None  # noqa: S101 - asked for above
            self._answer = _understood(self._process.stdout.read(), status)
            self._end()
        return self._answer

    def close(self) -> None:
        """End the process now, if it goes on."""
        self._end()


def _understood(text: bytes, status: int) -> Mapping[str, Any]:
    try:
        found: dict[str, Any] = json.loads(text)
    except ValueError:
        return {"error": f"the compiling process ended with status {status}"}
    return found


def _end(process: "subprocess.Popen[bytes]") -> None:
    if process.poll() is None:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            pipe.close()


def _python_path() -> str:
    """Let the process find what this one finds; it runs nothing of the user's."""
    return os.pathsep.join(entry or str(Path.cwd()) for entry in sys.path)


def main() -> None:
    """Compile what is given, and say on standard output how it went."""
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what compilers print is not the answer
    threading.Thread(target=_watch, daemon=True).start()
    with os.fdopen(int(sys.argv[1]), "rb") as file:
        body = file.read()
    begin = time.perf_counter()
    found: dict[str, object]
    try:
        from ripieno.population.graphs import compile_body

        cold = compile_body(body)
    except Exception as error:  # noqa: BLE001 - a compiler may raise anything
        said = str(error).strip().splitlines() or [""]
        found = {"error": f"{type(error).__name__}: {said[0]}"[:200]}
    else:
        found = {"seconds": time.perf_counter() - begin, "cold": cold}
    answer.write(json.dumps(found))
    answer.flush()
    os._exit(0)  # without waiting for what the compiler keeps running


def _watch() -> None:
    """Wait until the parent is gone, then go with all that was started here."""
    sys.stdin.buffer.read()
    os.killpg(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
