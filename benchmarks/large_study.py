"""What a study of 100,000 trials costs to open, to list, to report and to resume.

The study is a real one: ASHA and random search over six hyperparameters of a function that
takes no time, with one epoch or three a trial. Each task is then carried out in a process of
its own, three times: opened for reading, listed (``ripieno ls``; all trials, the best one, the
table), reported (``ripieno report``), and its orders are replayed, which is what resuming
costs before the first new trial. Given
are the medians of wall and processor time without the imports, and the peak memory of the
process; on a machine that is busy the two times differ.

    python benchmarks/large_study.py [--trials 100000] [--rounds 3] [--tiny]
"""

import argparse
import json
import math
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from statistics import median
from typing import Any

from common import circumstances, load_average, write

import ripieno as rp

EPOCHS = 3
SPACE = rp.Space(
    optimizer=rp.Categorical("sgd", "adamw"),
    lr=rp.Float(1e-4, 1.0, log=True),
    momentum=rp.Float(0.0, 0.99).when(optimizer="sgd"),
    weight_decay=rp.Float(1e-6, 0.1, log=True),
    width=rp.Int(8, 512, log=True),
    dropout=rp.Float(0.0, 0.6),
)
GOALS = {"open": 2.0, "list": 5.0, "report": 20.0}
"""Seconds that were promised for 100,000 trials; resuming has none."""


def main() -> None:
    """Make the study, measure, print and write the results, or only print where it is tiny."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--tiny", action="store_true", help="does it run?")
    parser.add_argument("--task", choices=tuple(TASKS), help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.task is not None:
        print(json.dumps(carried_out(TASKS[arguments.task], arguments.folder)))
        return
    trials, rounds = (200, 1) if arguments.tiny else (arguments.trials, arguments.rounds)
    results = circumstances(["ripieno", "sqlalchemy", "plotly", "pandas"])
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch, "studies", "large")
        began = time.perf_counter()
        orders = make(folder, trials)
        results |= {
            "what": "seconds of wall and processor time of a task in a fresh process, without "
            "imports; peak memory of that process",
            "trials": trials,
            "orders": orders,
            "seconds_to_make": round(time.perf_counter() - began, 1),
            "record_megabytes": round((folder / "study.db").stat().st_size / 1e6, 1),
            "tasks": {name: measured(name, folder, rounds) for name in TASKS},
            "report_megabytes": round((folder / "report.html").stat().st_size / 1e6, 2),
            "goals_seconds": GOALS,
        }
    results["machine"]["load_after"] = load_average()
    for name, found in results["tasks"].items():
        goal = f", goal {GOALS[name]:.0f} s" if name in GOALS else ""
        print(
            f"{name}: {found['wall_seconds']:.2f} s, {found['cpu_seconds']:.2f} s of the "
            f"processor{goal}; {found['peak_gib']:.2f} GiB"
        )
    print(f"the report takes {results['report_megabytes']:.1f} MB")
    if not arguments.tiny:
        print(f"written to {write('large_study', results)}")


def make(folder: Path, trials: int) -> int:
    """Begin and end the study; return how many orders it took."""
    with rp.search(
        objective,
        SPACE,
        metric="loss",
        scheduler="asha",
        searcher="random",
        trials=trials,
        epochs=EPOCHS,
        out=folder,
    ) as study:
        if len(study.trials) != trials:
            raise SystemExit("the search did not finish; its times mean nothing.")
        return sum(1 if len(trial.history) < EPOCHS else 2 for trial in study.trials)


def objective(config: rp.Config, report: Any) -> None:
    """Report a loss that depends on the config and falls with the epochs."""
    level = (math.log10(config["lr"]) + 2.5) ** 2 / 6 + config["dropout"] / 3
    for epoch in range(report.start + 1, report.start + report.epochs + 1):
        loss = level + math.exp(-epoch * (0.02 + config["width"] / 600))
        report(epoch=epoch, loss=loss, accuracy=1 / (1 + level))


def measured(task: str, folder: Path, rounds: int) -> dict[str, Any]:
    """Return the medians of a task over processes of its own."""
    found = []
    for _ in range(rounds):
        command = [sys.executable, __file__, "--task", task, "--folder", str(folder)]
        done = subprocess.run(
            command,
            check=True,
            capture_output=True,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1"},
        )
        found.append(json.loads(done.stdout.splitlines()[-1]))
    names = ("wall_seconds", "cpu_seconds", "peak_gib")
    return {name: round(median(each[name] for each in found), 3) for name in names} | {
        "rounds": found
    }


def carried_out(task: Callable[[Path], None], folder: Path) -> Mapping[str, float]:
    """Carry a task out in this process, and return what it took."""
    import ripieno.study  # noqa: F401 - loaded before, not while it is measured

    began, spent = time.perf_counter(), time.process_time()
    task(folder)
    return {
        "wall_seconds": round(time.perf_counter() - began, 3),
        "cpu_seconds": round(time.process_time() - spent, 3),
        "peak_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 3),
        "load": load_average()[0],
    }


def open_it(folder: Path) -> None:
    """Open the study for reading."""
    rp.open(folder, read_only=True).close()


def list_it(folder: Path) -> None:
    """Write a line about the study, as ``ripieno ls`` does."""
    from ripieno.study import list_studies

    (line,) = list_studies(folder.parent)
    if line.problem is not None:
        raise SystemExit(line.problem)


def look(folder: Path) -> None:
    """Open the study, and look at its trials, the best one and the table."""
    with rp.open(folder, read_only=True) as study:
        if len(study.to_dataframe()) != len(study.trials) or not study.best.history:
            raise SystemExit("trials are missing.")


def report(folder: Path) -> None:
    """Write the page, as ``ripieno report`` does."""
    with rp.open(folder) as study:
        study.report()


def replay(folder: Path) -> None:
    """Bring the scheduler to where the record ends, as resuming does."""
    with rp.open(folder, read_only=True) as study:
        if not study.finished:
            raise SystemExit("the study is said not to be finished.")


TASKS: Mapping[str, Callable[[Path], None]] = {
    "open": open_it,
    "list": list_it,
    "look": look,
    "report": report,
    "resume": replay,
}


if __name__ == "__main__":
    main()
