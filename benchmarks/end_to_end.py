"""From the start of a process to a good model: Ripieno's search and Optuna's, side by side.

Both search the CNN of the recipe on scikit-learn's digits, in its space, with one process a core
of one thread each: Ripieno as ``rp.tune`` with a target; Optuna 5 with TPE, HyperbandPruner and a
hand-written training loop (``searches.py``) in processes that share the quicker of its two local
storages, which is measured first. Ripieno's first trial is the recipe's default config, and so is
Optuna's, but for a second one that is not told of it. Optuna's study is created before its clock
starts. The sides take turns, seed after seed; one that does not get there in time is counted
with the limit. Of Ripieno the clock stops where its record holds the outcome of an order, of
Optuna where an epoch was validated.

The whole command is measured too, turn by turn with the loop tier on the same trials.

    python benchmarks/end_to_end.py [--seeds 5] [--tier auto] [--rounds 2]    (about 12 minutes)
"""

import argparse
import json
import os
import queue
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from typing import Any, Self

from common import RESULTS, circumstances, load_average, write
from drawing import Lane, lanes, quartiles
from searches import create_study

CORES = len(os.sched_getaffinity(0))
SEARCHES = Path(__file__).with_name("searches.py")
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
OURS, LOOP = "Ripieno", "Ripieno, tier loop"
OPTUNA, BARE = "Optuna", "Optuna, without the default config"


@dataclass(frozen=True, slots=True)
class Race:
    """What a search is after.

    Args:
        metric: Its objective, on the validation part.
        goals: Values of it to be timed, the hardest one last; the search stops there.
        limit: Seconds after which a side is stopped.
        sides: Who takes part.
    """

    metric: str
    goals: tuple[float, ...]
    limit: float
    sides: tuple[str, ...]


RACES = (
    Race("accuracy", (0.99,), 300.0, (OURS, OPTUNA, LOOP, BARE)),
    Race("log_loss", (0.05, 0.03), 120.0, (OURS, OPTUNA)),
)


def main() -> None:
    """Measure, print and write the results and their picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=2, help="of the whole command")
    parser.add_argument("--tier", help="of Ripieno's first side [its default]")
    parser.add_argument("--limit", type=float, help="seconds a search may take at most")
    parser.add_argument("--out", default="end_to_end", help="name of the results")
    arguments = parser.parse_args()
    results = circumstances(["ripieno", "torch", "optuna", "sqlalchemy", "scikit-learn"])
    results |= {"processes": CORES, "seeds": arguments.seeds, "tier": arguments.tier or "default"}
    results["optuna_storages"] = storages = compare_storages()
    races = {}
    for race in RACES:
        limit = min(race.limit, arguments.limit or race.limit)
        runs = [
            run(side, race, seed, limit=limit, tier=arguments.tier, storage=storages["taken"])
            for seed in range(arguments.seeds)
            for side in race.sides
        ]
        races[race.metric] = {"limit_seconds": limit, "runs": runs, **summary(race, runs)}
        print(json.dumps(races[race.metric]["goals"], indent=2))
    results["races"] = races
    results["commands"] = compare_commands(arguments.rounds, arguments.tier)
    results["machine"]["load_after"] = load_average()
    print(f"written to {write(arguments.out, results)}, {draw(arguments.out, results)}")


def compare_storages(trials: int = 20) -> dict[str, Any]:
    """Return how many empty trials a second each storage takes from all processes together."""
    found: dict[str, float] = {}
    for kind in ("journal", "sqlite"):
        with tempfile.TemporaryDirectory() as folder:
            create_study(kind, folder, metric="log_loss", first={})
            race = {"side": "nothing", "storage": kind, "folder": folder, "trials": trials}
            races = [{**race, "worker": worker} for worker in range(CORES)]
            with Contestants(races, patience=60.0) as contestants:
                said = list(contestants.lines())
        ready = max(line["at"] for line in said if line["trial"] < 0)
        done = max(line["at"] for line in said if line["trial"] > 0)
        found[kind] = round(CORES * trials / (done - ready), 1)
    taken = max(found, key=found.__getitem__)
    print(f"Optuna's storages, trials a second: {found}; {taken} is taken")
    return {"trials_per_second": found, "reports_a_trial": 9, "taken": taken}


def run(
    side: str, race: Race, seed: int, *, limit: float, tier: str | None, storage: str
) -> dict[str, Any]:
    """Run one side once; return its seconds to each goal, and what it trained until the last."""
    with tempfile.TemporaryDirectory() as folder:
        common = {
            "metric": race.metric, "target": race.goals[-1], "limit": limit, "seed": seed,
            "folder": f"{folder}/study",
        }  # fmt: skip
        if side in {OPTUNA, BARE}:
            Path(common["folder"]).mkdir()
            first = default_config(seed) if side == OPTUNA else {}
            create_study(storage, common["folder"], metric=race.metric, first=first)
            optuna = {"side": "optuna", "storage": storage, **common}
            races = [{**optuna, "worker": worker} for worker in range(CORES)]
        else:
            chosen = "loop" if side == LOOP else tier
            options = {} if chosen is None else {"tier": chosen}
            races = [{"side": "ripieno", "options": options, **common}]
        load = load_average()
        began = time.monotonic()
        # Optuna's processes would go on for ever; ours has workers of its own to close.
        with Contestants(races, patience=0.0 if "optuna" in races[0]["side"] else 60.0) as both:
            found = follow(both.lines(), race, began=began, limit=limit)
    row = {"side": side, "seed": seed, **found, "load_before": load[0]}
    print(
        f"{race.metric}, seed {seed}, {side}: {row['seconds']}, {row['epochs']} epochs", flush=True
    )
    return row


def follow(
    lines: Iterator[dict[str, Any]], race: Race, *, began: float, limit: float
) -> dict[str, Any]:
    """Read measurements until the last goal is reached or the time is over."""
    seconds = {f"{goal:g}": limit for goal in race.goals}
    open_goals = list(race.goals)
    epochs: dict[int, int] = {}
    first = best = None
    sign = 1 if race.metric == "accuracy" else -1
    for line in lines:
        elapsed = line["at"] - began
        if elapsed >= limit:
            break
        first = elapsed if first is None else first
        epochs[line["trial"]] = max(epochs.get(line["trial"], 0), line["epoch"])
        value = line[race.metric]
        best = value if best is None else sign * max(sign * best, sign * value)
        while open_goals and sign * best >= sign * open_goals[0]:
            seconds[f"{open_goals.pop(0):g}"] = round(elapsed, 3)
        if not open_goals:
            break
    return {
        "seconds": seconds,
        "timed_out": [f"{goal:g}" for goal in open_goals],
        "first_measurement": first,
        "best": best,
        "trials": len(epochs),
        "epochs": sum(epochs.values()),
    }


class Contestants:
    """Processes that race, one a dictionary, and what they say.

    Args:
        races: What each process is to do.
        patience: Seconds that they get to end by themselves once nobody listens any more.
    """

    def __init__(self, races: Sequence[Mapping[str, Any]], *, patience: float = 0.0) -> None:
        self._patience = patience
        self._said: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._processes = [
            subprocess.Popen(
                [sys.executable, str(SEARCHES), json.dumps(race)],
                stdout=subprocess.PIPE, text=True, env=ENVIRONMENT,
            )
            for race in races
        ]  # fmt: skip
        self._threads = [threading.Thread(target=self._listen, args=(p,)) for p in self._processes]
        for thread in self._threads:
            thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        failed = False
        for process in self._processes:
            try:
                failed |= process.wait(self._patience) != 0
            except subprocess.TimeoutExpired:
                process.terminate()
                process.wait()
        for thread in self._threads:
            thread.join()
        if failed:
            raise SystemExit("a search failed; its time means nothing.")

    def lines(self) -> Iterator[dict[str, Any]]:
        """Offer what they say as it comes, until they have all fallen silent."""
        silent = 0
        while silent < len(self._processes):
            line = self._said.get()
            if line is None:
                silent += 1
            else:
                yield line

    def _listen(self, process: subprocess.Popen[str]) -> None:
        for line in process.stdout or ():
            self._said.put(json.loads(line))
        self._said.put(None)


def default_config(seed: int) -> dict[str, Any]:
    """Return the config of Ripieno's trial 0, for Optuna to begin with too."""
    from ripieno.recipes import cnn, load
    from ripieno.space import Space

    space = cnn(load("digits", seed=seed)).space or Space()
    return dict(space.default())


def summary(race: Race, runs: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return medians and quartiles of each side for each goal, and ratios to Optuna."""
    goals = {}
    for goal in (f"{goal:g}" for goal in race.goals):
        seconds = {s: [r["seconds"][goal] for r in runs if r["side"] == s] for s in race.sides}
        late = {s: sum(goal in r["timed_out"] for r in runs if r["side"] == s) for s in race.sides}
        goals[goal] = {
            "seconds": {side: spread(values) for side, values in seconds.items()},
            "timed_out": late,
            "optuna_over": {
                side: round(median(seconds[OPTUNA]) / median(values), 2)
                for side, values in seconds.items()
                if side not in {OPTUNA, BARE}
            },
        }
    return {"goals": goals}


def spread(values: Sequence[float]) -> dict[str, float]:
    """Return the median and the quartiles."""
    first, middle, third = quartiles(values)
    return {
        "median": round(middle, 3),
        "lower_quartile": round(first, 3),
        "upper_quartile": round(third, 3),
    }


@dataclass(frozen=True, slots=True)
class Command:
    """One run of ``ripieno tune``.

    Args:
        tier: As it was asked for.
        command_seconds: From the start of the process to its end, ensemble and report included.
        search_seconds: Of the search alone.
        best: The best trial: number, config, validation and test numbers.
        ensemble: Members, weights and numbers.
        training: How the trials were trained.
    """

    tier: str
    command_seconds: float
    search_seconds: float
    best: Mapping[str, Any]
    ensemble: Mapping[str, Any]
    training: Sequence[Mapping[str, Any]]


def compare_commands(rounds: int, tier: str | None) -> dict[str, Any]:
    """Run the README's command in two tiers in turns, and compare their times and results.

    Both are given a tier, so that both train the same trials.
    """
    first = tier or "auto"
    runs = [command(chosen) for _ in range(rounds) for chosen in (first, "loop")]
    if not runs:
        return {}
    found: dict[str, Any] = {"command": "ripieno tune digits --trials 81 --epochs 27 --seed 0"}
    for key in ("search_seconds", "command_seconds"):
        times = {t: median(getattr(r, key) for r in runs if r.tier == t) for t in (first, "loop")}
        found[key] = {**times, "ratio": round(times["loop"] / times[first], 2)}
    bests = {run.tier: run.best for run in runs}
    found["same_best_config"] = bests[first]["config"] == bests["loop"]["config"]
    return {**found, "runs": [asdict(run) for run in runs]}


def command(tier: str) -> Command:
    """Run the command once in an empty folder."""
    with tempfile.TemporaryDirectory() as folder:
        code = "from ripieno.cli import main; main()"
        words = "tune digits --trials 81 --epochs 27 --seed 0 --json"
        begin = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-c", code, *words.split(), "--tier", tier, "--out", f"{folder}/s"],
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENVIRONMENT, check=True,
        )  # fmt: skip
        elapsed = time.monotonic() - begin
    results = json.loads(done.stdout)
    run = Command(
        tier, round(elapsed, 2), results["seconds"], results["best"], results["ensemble"],
        results["training"],
    )  # fmt: skip
    print(
        f"tier {tier}: search {run.search_seconds:.1f} s, command {elapsed:.1f} s, "
        f"best trial {run.best['trial']} with {run.best['test']}",
        flush=True,
    )
    return run


def draw(name: str, results: Mapping[str, Any]) -> Path:
    """Draw the seconds of all runs."""
    groups = {}
    for metric, race in results["races"].items():
        for goal in race["goals"]:
            sides = list(dict.fromkeys(row["side"] for row in race["runs"]))
            word = "at least" if metric == "accuracy" else "at most"
            groups[f"validation {metric.replace('_', ' ')} {word} {goal}"] = [
                Lane(
                    side,
                    [row["seconds"][goal] for row in race["runs"] if row["side"] == side],
                    race["limit_seconds"],
                )
                for side in sides
            ]
    return lanes(
        RESULTS / f"{name}.svg",
        groups,
        title="Time to a good model of the digits, from the start of the process",
        caption=f"{results['seeds']} seeds, {results['processes']} cores, {results['date'][:10]}; "
        "line: quartiles and median; a hollow dot was stopped by the limit",
        axis="seconds",
    )


if __name__ == "__main__":
    main()
