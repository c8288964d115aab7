"""The real command, run as a user runs it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest


class Command:
    """Runs ``ripieno`` in a folder of its own, with one thread a process."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"}
        self._started: list[subprocess.Popen[str]] = []

    def start(self, *arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-c", "from ripieno.cli import main; main()", *map(str, arguments)],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        self._started.append(process)
        return process

    def end(self) -> None:
        """End what a test that failed has left running."""
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.communicate()

    def __call__(self, *arguments: object, code: int = 0) -> subprocess.CompletedProcess[str]:
        process = self.start(*arguments)
        out, err = process.communicate(timeout=280)
        assert process.returncode == code, f"exit {process.returncode}\n{out}\n{err}"
        assert "Traceback" not in out + err
        return subprocess.CompletedProcess(arguments, code, out, err)

    def json(self, *arguments: object) -> dict:
        """Run with ``--json`` and read standard output, which must hold nothing else."""
        return json.loads(self(*arguments, "--json").stdout)

    def refused(self, *arguments: object) -> str:
        """Run what must be refused, and return the three-part message."""
        message = self(*arguments, code=2).stderr
        assert "\n  In:  " in message
        assert "\n  Fix: " in message
        return message


@pytest.fixture
def ripieno(tmp_path: Path) -> Iterator[Command]:
    command = Command(tmp_path)
    yield command
    command.end()
