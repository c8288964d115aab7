"""Member-steps a second: a stack against one model after another, on every core.

Both sides use one process a core with one intra-op thread each, draw their batches from the
same array, and train with SGD and momentum. (b), the strong baseline, is one model after
another in each process; the stacks are half of the rows in each process, in a tier that is
forced, and in the one that the engine picks for 50 epochs of work (``auto``). (a) is one process
alone, one model after another. Rounds are interleaved; the median of five counts.

Beside the speed: the time to finish 5 and 50 epochs of all rows, set-up included, from a cold
and from the compiler's warm cache, computed for (b) and the forced tiers, and measured for
``PopulationRunner`` as ``ripieno tune`` uses it, validation and storing included; and memory.

    python benchmarks/population.py [--only WORD] [--rounds 5]     (about 8 minutes; C++ compiler)
    python benchmarks/population.py --device cuda     (a minute; see graphed.py)
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from typing import Any

from common import RESULTS, circumstances, load_average, write
from drawing import Bars, bars
from graphed import measure_on
from stacks import SHAPES, Shape

PROCESSES = 2
FORCED = ("leaves", "traced", "compiled")
EPOCHS = (5, 50)
LONGEST = 30.0
"""Seconds that a run of the runner over the longer number of epochs may be expected to take."""


def main() -> None:
    """Measure every shape, print, and write the results and their picture."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="", help="shapes whose name holds this")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=0.6, help="of one measurement")
    parser.add_argument("--out", default="population", help="name of the results")
    parser.add_argument("--device", default="cpu", help="cuda measures the shapes of a GPU")
    arguments = parser.parse_args()
    if arguments.device != "cpu":
        measure_on(arguments.device, rounds=arguments.rounds, seconds=arguments.seconds)
        return
    results = circumstances(["torch", "numpy", "ripieno"])
    results |= {"processes": PROCESSES, "rounds": arguments.rounds, "shapes": {}}
    for name, shape in SHAPES.items():
        if arguments.only not in name:
            continue
        row = measure(name, shape, rounds=arguments.rounds, seconds=arguments.seconds)
        results["shapes"][name] = row
        print(f"{name}, {shape.rows} rows, target {shape.target}")
        for key in ("against_one_process_a_core", "auto", "seconds_to_finish_all_rows", "memory"):
            print(f"  {key}: {json.dumps(row[key])}", flush=True)
    results["machine"]["load_after"] = load_average()
    print(f"written to {write(arguments.out, results)}, {draw(arguments.out, results)}")


def measure(name: str, shape: Shape, *, rounds: int, seconds: float) -> dict[str, Any]:
    """Measure one shape."""
    with tempfile.TemporaryDirectory() as one, tempfile.TemporaryDirectory() as other:
        with processes(name, shape, one) as forced, processes(name, shape, other) as auto:
            setups = set_up(forced)
            runner = finish(auto)
            setups["auto"] = ask(
                auto, do="set_up", tier="auto", epochs=max(EPOCHS), **{"as": "auto"}
            )
            found = [measure_once(forced, auto, seconds) for _ in range(rounds)]
        memory = {tier: measure_memory(name, shape, tier, cache=one) for tier in ("eager", *FORCED)}
    rates = {side: median(row[side] for row in found) for side in found[0]}
    picked = sorted({answer["tier"] for answer in setups["auto"]})
    return {
        "rows": shape.rows,
        "target": shape.target,
        "member_steps_per_second": {side: round(rate) for side, rate in rates.items()},
        "against_one_process_a_core": {
            side: round(median(row[side] / row["eager"] for row in found), 2)
            for side in (*FORCED, "auto")
        },
        "against_one_core": {
            side: round(rates[side] / rates["alone"], 2) for side in (*FORCED, "auto")
        },
        "auto": {"tier": picked, "reason": setups["auto"][0]["reason"]},
        "setup": setups,
        "seconds_to_finish_all_rows": times(shape, rates, setups=setups, runner=runner),
        "runner": runner,
        "memory": memory,
    }


def set_up(pair: Sequence[subprocess.Popen[str]]) -> dict[str, list[dict[str, Any]]]:
    """Make the steps of (b) and of every forced tier; the compiled one twice, cold and warm."""
    setups = {}
    for tier in ("eager", *FORCED):
        setups[tier] = ask(pair, do="set_up", tier=tier, **{"as": tier})
    warm = ask(pair, do="set_up", tier="compiled", **{"as": "compiled"})
    return {**setups, "compiled, warm cache": warm}


def finish(pair: Sequence[subprocess.Popen[str]]) -> dict[str, Any]:
    """Have the runner train all rows; with a warm cache too where it chose to compile."""
    found: dict[str, Any] = {}
    expected = 0.0
    for epochs in EPOCHS:
        if expected * epochs > LONGEST:
            found[f"{epochs} epochs"] = f"not measured: about {expected * epochs:.0f} s"
            continue
        answers = ask(pair, do="finish", epochs=epochs)
        found[f"{epochs} epochs"] = answers
        expected = max(answer["seconds"] for answer in answers) / epochs
        if any("; compiled" in note for answer in answers for note in answer["notes"]):
            found[f"{epochs} epochs, warm cache"] = ask(pair, do="finish", epochs=epochs)
    return found


def measure_once(
    forced: Sequence[subprocess.Popen[str]], auto: Sequence[subprocess.Popen[str]], seconds: float
) -> dict[str, float]:
    """Return the member-steps a second of every side, one after the other."""

    def rate(side: str, who: Sequence[subprocess.Popen[str]]) -> float:
        answers = ask(who, do="measure", of=side, seconds=seconds)
        return sum(answer["rate"] for answer in answers)

    return {
        "alone": rate("eager", forced[:1]),
        "eager": rate("eager", forced),
        **{tier: rate(tier, forced) for tier in FORCED},
        "auto": rate("auto", auto),
    }


def measure_memory(name: str, shape: Shape, tier: str, *, cache: str) -> dict[str, Any]:
    """Return what one process needs, in MiB, and all of them together."""
    with processes(name, shape, cache, count=1) as one:
        found: dict[str, Any] = ask(one, do="memory", tier=tier)[0]
    return {**found, "peak_of_all_processes": round(PROCESSES * found["peak_of_process"], 1)}


def times(
    shape: Shape,
    rates: Mapping[str, float],
    *,
    setups: Mapping[str, Sequence[Mapping[str, Any]]],
    runner: Mapping[str, Any],
) -> dict[str, dict[str, Any]]:
    """Return the seconds to finish: set-up and steps, or what the runner took."""
    found: dict[str, dict[str, Any]] = {}
    for epochs in EPOCHS:
        work = shape.steps * epochs * shape.rows
        row: dict[str, Any] = {"one after another": round(work / rates["eager"], 2)}
        for name, answers in setups.items():
            tier = name.partition(",")[0]
            if tier in FORCED and all(answer["tier"] == tier for answer in answers):
                wait = max(answer["seconds"] for answer in answers)
                row[name] = round(wait + work / rates[tier], 2)
        for key, answers in runner.items():
            if key.startswith(f"{epochs} epochs") and not isinstance(answers, str):
                # Its training part is a row or two larger or smaller.
                share = work / sum(answer["member_steps"] for answer in answers)
                slowest = max(answer["seconds"] for answer in answers)
                words = key.replace(f"{epochs} epochs", "the runner, measured")
                row[words] = round(share * slowest, 2)
        found[f"{epochs} epochs"] = row
    return found


@contextmanager
def processes(
    name: str, shape: Shape, cache: str, *, count: int = PROCESSES
) -> Iterator[list[subprocess.Popen[str]]]:
    """Start processes that wait for commands, each with its share of the rows."""
    environment = {
        **os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1",
        "TORCHINDUCTOR_CACHE_DIR": cache, "XDG_CACHE_HOME": cache,
        "RIPIENO_WORKERS": str(PROCESSES),  # as the executor says to its workers
    }  # fmt: skip
    script, members = str(Path(__file__).with_name("stacks.py")), str(shape.rows // PROCESSES)
    started = [
        subprocess.Popen(
            [sys.executable, script, name, members],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment,
        )
        for _ in range(count)
    ]  # fmt: skip
    try:
        yield started
    finally:
        for process in started:
            process.communicate()


def ask(who: Sequence[subprocess.Popen[str]], **command: Any) -> list[dict[str, Any]]:
    """Give all processes one command at the same time, and return their answers."""
    answers = []
    for process in who:
        print(json.dumps(command), file=process.stdin, flush=True)
    for process in who:
        line = process.stdout.readline() if process.stdout is not None else ""
        if not line:
            raise SystemExit(f"a process ended instead of answering {command}.")
        answers.append(json.loads(line))
    return answers


def draw(name: str, results: Mapping[str, Any]) -> Path:
    """Draw the ratios with their targets."""
    groups = [
        Bars(f"{shape}, {row['rows']} rows", row["against_one_process_a_core"], row["target"])
        for shape, row in results["shapes"].items()
    ]
    return bars(
        RESULTS / f"{name}.svg",
        groups,
        title="Member-steps a second of stacks, against one process a core",
        caption=f"{results['processes']} processes of one thread on {results['machine']['cores']} "
        f"cores, torch {results['versions']['torch']}, {results['date'][:10]}",
        axis="times as fast as one model after another in every process",
    )


if __name__ == "__main__":
    main()
