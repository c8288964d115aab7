"""The options that say where trials are trained."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from enum import StrEnum
from typing import Annotated

import typer

__all__ = ["Address", "Executor", "ExecutorChoice", "printing_aside"]


class ExecutorChoice(StrEnum):
    """The executors that the command knows by name."""

    INLINE = "inline"
    PROCESSES = "processes"
    RAY = "ray"


Executor = Annotated[
    ExecutorChoice | None,
    typer.Option(
        help="Where trials are trained: [bold]inline[/bold], in this process; "
        "[bold]processes[/bold] of this machine; [bold]ray[/bold], on a Ray cluster, each of whose "
        "machines must reach the study's folder under the same path "
        "(by default inline for one worker, else processes).",
        show_default=False,
    ),
]

Address = Annotated[
    str | None,
    typer.Option(
        metavar="ADDRESS",
        help="Of the Ray cluster: auto, HOST:PORT, ray://HOST:PORT, or local for a new one on "
        "this machine (by default the one that runs here, else a new one).",
        show_default=False,
    ),
]


@contextmanager
def printing_aside(executor: ExecutorChoice | None) -> Iterator[None]:
    """Let what Ray prints about its workers not stand among the results."""
    if executor is not ExecutorChoice.RAY:
        yield
        return
    with redirect_stdout(sys.stderr):
        yield
