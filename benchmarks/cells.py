"""Cells of a long benchmark: run over processes, kept one by one, gone on with later.

A cell is one run of one method on one problem with one seed, known by a key. Each is appended
to a file of lines as soon as it is there, so a run that is ended loses what was on its way and
nothing else, and the next run does what is missing.
"""

import json
import multiprocessing
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

__all__ = ["Cell", "Task", "read_cells", "run_cells"]

Cell = dict[str, Any]
"""What one run gave; ``problem``, ``method`` and ``seed`` are its key."""
Task = tuple[Any, ...]
"""What a process is told of one run."""


def read_cells(*paths: Path) -> dict[tuple[str, str, int], Cell]:
    """Return the cells of files of lines and of finished results, the later files first."""
    cells: dict[tuple[str, str, int], Cell] = {}
    for path in paths:
        if not path.is_file():
            continue
        text = path.read_text()
        # A line that was cut off in the middle of writing is no cell.
        lines = [line for line in text.splitlines() if line.endswith("}")]
        rows = map(json.loads, lines) if path.suffix == ".jsonl" else json.loads(text)["cells"]
        for cell in rows:
            cells[cell["problem"], cell["method"], cell["seed"]] = cell
    return cells


def run_cells(
    run: Callable[[Task], Cell],
    tasks: Sequence[Task],
    *,
    path: Path,
    jobs: int,
    minutes: float | None = None,
) -> None:
    """Run tasks over processes of one thread each, and append each cell to a file.

    Args:
        run: What a process does with a task; a function of a module.
        tasks: In the sequence in which they begin.
        path: The file of lines.
        jobs: Processes.
        minutes: Begin no task after so long; None does all.
    """
    path.parent.mkdir(exist_ok=True)
    began = time.monotonic()
    given = _until(tasks, None if minutes is None else began + 60 * minutes)
    # Not fork: a thread pool that was begun before does not survive it.
    context = multiprocessing.get_context("spawn")
    pool = context.Pool(jobs, initializer=_one_thread)
    with path.open("a") as file:
        for done, cell in enumerate(_in_turn(pool, run, given, jobs=jobs), 1):
            file.write(json.dumps(cell, separators=(",", ":")) + "\n")
            file.flush()
            spent = time.monotonic() - began
            print(
                f"{done}/{len(tasks)} {cell['problem']} {cell['method']} {cell['seed']}: "
                f"{spent:.0f} s",
                flush=True,
            )
    pool.close()
    pool.join()


def _in_turn(
    pool: Any, run: Callable[[Task], Cell], tasks: Iterator[Task], *, jobs: int
) -> Iterator[Cell]:
    """Yield cells as they come, with as many tasks out as there are processes and no more."""
    out: list[Any] = []
    for task in tasks:
        out.append(pool.apply_async(run, (task,)))
        while len(out) >= jobs:
            yield from _arrived(out)
    while out:
        yield from _arrived(out)


def _arrived(out: list[Any]) -> Iterator[Cell]:
    ready = [each for each in out if each.ready()]
    for each in ready:
        out.remove(each)
        yield each.get()
    if not ready:
        time.sleep(0.02)


def _until(tasks: Sequence[Task], end: float | None) -> Iterator[Task]:
    for task in tasks:
        if end is not None and time.monotonic() >= end:
            print("out of time: run it again to go on", flush=True)
            return
        yield task


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)
