"""Many workers on one study: orders a second, and what asking and telling cost, beside Optuna.

    python benchmarks/many_workers.py [--orders 20000] [--peer-trials 1000] [--only sqlite]
    python benchmarks/many_workers.py --tiny            # does it run?

The objective is one subtraction, so that what is measured is the keeping of the record. Three
ways, each in the same minutes beside Optuna 5 with its RDB storage in the same database, with
random search and as many processes, every one of which runs ``study.optimize``:

- ``postgres``: 16 worker processes of one driver, on a real PostgreSQL that is started here;
- ``drivers``: 16 drivers ("run the command 16 times"), one worker process each, on PostgreSQL;
- ``sqlite``: 2 worker processes of one driver, on SQLite in a folder.

Ask is the scheduler's answer with the record of the orders, tell the record of the outcomes with
the scheduler's learning; both a call, which may be about many orders: the JSON says how many.
Of Optuna ask and tell are timed in the processes. Its trials cost more the more there are, so
that fewer of them are in its favour. PostgreSQL writes to disk as it does by default (fsync).
"""

import argparse
import json
import multiprocessing
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import circumstances, load_average, write

import ripieno as rp
from ripieno import schedulers
from ripieno.errors import StudyError
from ripieno.ledger import SqlLedger

HERE = Path(__file__).resolve()
SPACE = rp.Space(x=rp.Float(-5.0, 5.0), y=rp.Float(1e-5, 1.0, log=True), k=rp.Int(1, 8))


def objective(config: rp.Config) -> float:
    """Return one subtraction."""
    return abs(float(config["x"]) - 1.0)


@dataclass
class Times:
    """Seconds of calls, and how many orders each was about."""

    seconds: list[float] = field(default_factory=list)
    orders: list[int] = field(default_factory=list)

    def summary(self) -> dict[str, float]:
        """Return milliseconds of a call and of an order."""
        if not self.seconds:
            return {}
        ordered = sorted(self.seconds)
        count = sum(self.orders)
        return {
            "calls": len(ordered),
            "p50_ms": round(1e3 * statistics.median(ordered), 3),
            "p99_ms": round(1e3 * ordered[int(0.99 * (len(ordered) - 1))], 3),
            "orders_a_call": round(count / len(ordered), 2),
            "ms_an_order": round(1e3 * sum(ordered) / max(count, 1), 4),
        }


@contextmanager
def timed() -> Iterator[tuple[Times, Times]]:
    """Time what the loop asks and tells, the record included."""
    asks, tells = Times(), Times()
    record, ask, tell = SqlLedger.record, schedulers.FullBudget.ask, schedulers.FullBudget.tell
    asked = 0.0

    def timed_ask(self: Any, slots: int) -> Any:
        nonlocal asked
        began = time.perf_counter()
        found = ask(self, slots)
        asked += time.perf_counter() - began
        return found

    def timed_tell(self: Any, outcome: Any) -> None:
        began = time.perf_counter()
        tell(self, outcome)
        tells.seconds[-1] += time.perf_counter() - began

    def timed_record(self: Any, **what: Any) -> Any:
        nonlocal asked
        began = time.perf_counter()
        found = record(self, **what)
        spent = time.perf_counter() - began
        if what.get("orders"):
            asks.seconds.append(spent + asked)
            asks.orders.append(len(what["orders"]))
            asked = 0.0
        if what.get("outcomes"):
            tells.seconds.append(spent)
            tells.orders.append(len(what["outcomes"]))
        return found

    SqlLedger.record = timed_record  # type: ignore[method-assign]
    schedulers.FullBudget.ask, schedulers.FullBudget.tell = timed_ask, timed_tell  # type: ignore[method-assign]
    try:
        yield asks, tells
    finally:
        SqlLedger.record = record  # type: ignore[method-assign]
        schedulers.FullBudget.ask, schedulers.FullBudget.tell = ask, tell  # type: ignore[method-assign]


def search(folder: Path, storage: str | None, *, orders: int, workers: int) -> dict[str, Any]:
    """Run the study, or take part in it, and return its figures."""
    start = rp.search  # loaded before the clock starts, as it is on the other side
    with timed() as (asks, tells):
        began = time.perf_counter()
        try:
            study = start(
                objective, SPACE, trials=orders, workers=workers, out=folder, storage=storage
            )
        except StudyError:
            # Others had done all of it before this one was there.
            return {"helped": 0}
        seconds = time.perf_counter() - began
    helped, done = study.helped, len(study.trials)
    study.close()
    if helped is not None:
        return {"helped": helped}
    return {
        "orders": done,
        "seconds": round(seconds, 2),
        "orders_a_second": round(done / seconds, 1),
        "ask": asks.summary(),
        "tell": tells.summary(),
    }


def drivers(folder: Path, storage: str, *, orders: int, count: int) -> dict[str, Any]:
    """Run the same command many times at once."""
    command = [
        sys.executable, str(HERE), "--part", json.dumps([str(folder), storage, orders])
    ]  # fmt: skip
    running = [
        subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(count)
    ]
    said = [process.communicate() for process in running]
    failed = [text for process, (_, text) in zip(running, said, strict=True) if process.returncode]
    if failed:
        raise SystemExit(f"a driver failed: {failed[0]}")
    parts = [json.loads(out.splitlines()[-1]) for out, _ in said]
    (led,) = [part for part in parts if "orders" in part]
    return {**led, "helped": sorted(part["helped"] for part in parts if "helped" in part)}


def peer(url: str, *, trials: int, processes: int) -> dict[str, Any]:
    """Let Optuna do the same, as many processes on one study."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    optuna.create_study(storage=url, study_name="peer")
    shares = [trials // processes + (n < trials % processes) for n in range(processes)]
    context = multiprocessing.get_context("spawn")
    with context.Pool(processes) as pool:
        pool.starmap(_load, [()] * processes)
        began = time.perf_counter()
        found = pool.starmap(_optimize, [(url, share, n) for n, share in enumerate(shares)], 1)
        seconds = time.perf_counter() - began
    asks, tells = Times(), Times()
    for asked, told in found:
        asks.seconds += asked
        tells.seconds += told
    asks.orders, tells.orders = [1] * len(asks.seconds), [1] * len(tells.seconds)
    return {
        "orders": trials,
        "seconds": round(seconds, 2),
        "orders_a_second": round(trials / seconds, 1),
        "ask": asks.summary(),
        "tell": tells.summary(),
    }


def _load() -> None:
    import optuna  # noqa: F401 - before the clock starts


def _optimize(url: str, trials: int, seed: int) -> tuple[list[float], list[float]]:
    import optuna

    optuna.logging.set_verbosity(optuna.logging.ERROR)
    sampler = optuna.samplers.RandomSampler(seed=seed)
    study = optuna.load_study(storage=url, study_name="peer", sampler=sampler)
    asks, tells = [], []
    for _ in range(trials):
        began = time.perf_counter()
        trial = study.ask()
        x = trial.suggest_float("x", -5.0, 5.0)
        trial.suggest_float("y", 1e-5, 1.0, log=True)
        trial.suggest_int("k", 1, 8)
        asked = time.perf_counter()
        study.tell(trial, abs(x - 1.0))
        asks.append(asked - began)
        tells.append(time.perf_counter() - asked)
    return asks, tells


@contextmanager
def postgres() -> Iterator[Callable[[str], str]]:
    """Start a PostgreSQL server; yields a function that makes a database and gives its address."""
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    places += [Path(found).parent] if found else []
    programs = next((place for place in places if (place / "initdb").is_file()), None)
    if programs is None:
        raise SystemExit("no PostgreSQL server here (Debian: apt-get install postgresql)")
    folder = Path(tempfile.mkdtemp(prefix="pg-"))
    user = "postgres" if os.geteuid() == 0 else None
    if user is not None:
        shutil.chown(folder, user)

    def run(program: str, *arguments: str) -> None:
        subprocess.run(
            [programs / program, *arguments],
            env={**os.environ, "PGDATA": str(folder / "data")},
            user=user,
            check=True,
            stdout=subprocess.DEVNULL,
        )

    def make(name: str) -> str:
        run("createdb", f"--host={folder}", "--username=tester", name)
        return f"postgresql+psycopg://tester@/{name}?host={folder}"

    run("initdb", "--auth=trust", "--username=tester", "--encoding=UTF8", "--locale=C")
    options = f"-c listen_addresses= -c max_connections=200 -k {folder}"
    run("pg_ctl", "start", "--wait", "--silent", f"--log={folder}/log", f"--options={options}")
    try:
        yield make
    finally:
        run("pg_ctl", "stop", "--wait", "--silent", "--mode=immediate")
        shutil.rmtree(folder)


def compare(way: str, scratch: Path, arguments: argparse.Namespace) -> dict[str, Any]:
    """Measure one way, and Optuna beside it."""
    count = 2 if way == "sqlite" else arguments.processes
    before = load_average()
    if way == "sqlite":
        ours = search(scratch / "sqlite", None, orders=arguments.orders, workers=count)
        url = f"sqlite:///{scratch / 'peer.db'}"
        theirs = peer(url, trials=arguments.peer_trials, processes=count)
    else:
        with postgres() as make:
            url = make("ours")
            if way == "postgres":
                ours = search(scratch / way, url, orders=arguments.orders, workers=count)
            else:
                ours = drivers(scratch / way, url, orders=arguments.orders, count=count)
            theirs = peer(make("theirs"), trials=arguments.peer_trials, processes=count)
    ratio = ours["orders_a_second"] / theirs["orders_a_second"]
    return {
        "processes": count,
        "load_before": before,
        "ripieno": ours,
        "optuna": theirs,
        "times_as_many_orders_a_second": round(ratio, 1),
    }


def main(arguments: Sequence[str] | None = None) -> None:
    """Measure, print and write."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])  # type: ignore[union-attr]
    parser.add_argument("--orders", type=int, default=20_000)
    parser.add_argument("--peer-trials", type=int, default=1_000)
    parser.add_argument("--processes", type=int, default=16)
    parser.add_argument("--only", choices=("sqlite", "postgres", "drivers"))
    parser.add_argument("--dry", action="store_true", help="write nothing")
    parser.add_argument("--tiny", action="store_true", help="a few orders, nothing is written")
    parser.add_argument("--part", help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    if asked.part:
        folder, storage, orders = json.loads(asked.part)
        print(json.dumps(search(Path(folder), storage, orders=orders, workers=1)))
        return
    if asked.tiny:
        asked.orders, asked.peer_trials, asked.processes = 40, 8, 2
    ways = [asked.only] if asked.only else ["sqlite", "postgres", "drivers"]
    result: dict[str, Any] = {**circumstances(("ripieno", "optuna", "sqlalchemy", "psycopg"))}
    with tempfile.TemporaryDirectory() as scratch:
        for way in ways:
            result[way] = compare(way, Path(scratch), asked)
            print(way, json.dumps(result[way], indent=1))
    if not (asked.tiny or asked.dry):
        write("many_workers", result)


if __name__ == "__main__":
    main()
