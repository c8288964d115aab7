"""What a trial costs beside its training: Ripieno's loop and Optuna's, SQLite on disk.

Both minimise the same trivial function of ten real numbers by random search, in this
process, one trial after another, and record every trial in an SQLite file. The time of a
whole run is divided by its trials; creating the study is not counted. The two take turns.

Each is measured as it comes. Ripieno writes two transactions a trial in WAL mode, which
survive the death of the process; Optuna writes one for each number in SQLite's default
mode, which waits for the disk and survives a power failure too.

    python benchmarks/bookkeeping.py [--rounds 3] [--trials 1000] [--optuna-trials 200]
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import optuna
from common import circumstances, write

from ripieno.executors import InlineExecutor, ObjectiveRunner
from ripieno.ledger import FileArtifacts, SqlLedger
from ripieno.loop import StopReason, run
from ripieno.records import Config, Objective
from ripieno.schedulers import FullBudget
from ripieno.searchers import Random
from ripieno.space import Float, Space

DIMS = 10
LOW, HIGH = -5.0, 5.0


def main() -> None:
    """Measure, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trials", type=int, default=1000)
    parser.add_argument("--optuna-trials", type=int, default=200)
    arguments = parser.parse_args()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    results = circumstances(["ripieno", "sqlalchemy", "optuna"])
    rounds = []
    for seed in range(arguments.rounds):
        rounds.append(
            {
                "seed": seed,
                "ripieno_ms": measure(ripieno, arguments.trials, seed),
                "optuna_ms": measure(with_optuna, arguments.optuna_trials, seed),
            }
        )
        print(
            f"round {seed}: ripieno {rounds[-1]['ripieno_ms']:.3f} ms a trial, "
            f"optuna {rounds[-1]['optuna_ms']:.3f} ms a trial"
        )
    ours, theirs = (median(r[name] for r in rounds) for name in ("ripieno_ms", "optuna_ms"))
    results |= {
        "what": "wall time a trial, in milliseconds: ask, record, call, record, tell",
        "trials": {"ripieno": arguments.trials, "optuna": arguments.optuna_trials},
        "rounds": rounds,
        "median_ms": {"ripieno": ours, "optuna": theirs},
        "ratio": round(theirs / ours, 1),
    }
    print(f"median: ripieno {ours:.3f} ms, optuna {theirs:.3f} ms, ratio {theirs / ours:.1f}")
    print(f"written to {write('bookkeeping', results)}")


def measure(search: Callable[[Path, int, int], float], trials: int, seed: int) -> float:
    """Run a search in an empty folder and return milliseconds a trial."""
    with tempfile.TemporaryDirectory() as folder:
        return round(1000 * search(Path(folder), trials, seed) / trials, 4)


def ripieno(folder: Path, trials: int, seed: int) -> float:
    """Return the seconds of a search with Ripieno."""
    space = Space(**{f"x{index}": Float(LOW, HIGH) for index in range(DIMS)})

    def objective(config: Config) -> float:
        return sum(config[f"x{index}"] ** 2 for index in range(DIMS))

    artifacts = FileArtifacts(folder / "artifacts")
    ledger = SqlLedger.create(folder / "study.db", {"seed": seed})
    executor = InlineExecutor(ObjectiveRunner(objective, "value"), artifacts)
    scheduler = FullBudget(Random(space, seed=seed), epochs=1, trials=trials)
    began = time.perf_counter()
    reason = run(scheduler, ledger, executor, objective=Objective("value"), artifacts=artifacts)
    seconds = time.perf_counter() - began
    if reason is not StopReason.FINISHED or len(ledger.trials()) != trials:
        raise SystemExit("the search did not finish; its time means nothing.")
    executor.close()
    ledger.close()
    return seconds


def with_optuna(folder: Path, trials: int, seed: int) -> float:
    """Return the seconds of the same search with Optuna."""

    def objective(trial: optuna.Trial) -> float:
        return sum(trial.suggest_float(f"x{index}", LOW, HIGH) ** 2 for index in range(DIMS))

    study = optuna.create_study(
        storage=f"sqlite:///{folder}/optuna.db", sampler=optuna.samplers.RandomSampler(seed=seed)
    )
    began = time.perf_counter()
    study.optimize(objective, n_trials=trials)
    seconds = time.perf_counter() - began
    if len(study.trials) != trials:
        raise SystemExit("the search did not finish; its time means nothing.")
    return seconds


if __name__ == "__main__":
    main()
