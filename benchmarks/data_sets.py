"""Real data sets from the command line, as a user tunes them: tables and images.

Each is one `ripieno tune` with the recipe's own space, into a folder of its own, and what it
measured on the test part once at its end: the best single trial and the ensemble. Beside it
stands what is wanted of it. The data lie in the folder RIPIENO_DATA [../shared/data].

- adult: the official test file; once more as .csv files of words and gaps, where the ensemble
  predicts the official test file with `ripieno predict` and the single trial is measured on
  a fifth of the training file.
- california: 80 % and 20 % by seed 0, in 100,000 dollars; a quarter of the 80 % validates.
- credit_default: with classes weighed alike and balanced, for the balanced accuracy.
- fashion: all 70,000 images of Fashion-MNIST, the test part of the data folder.

    python benchmarks/data_sets.py [--only adult california] [--minutes 10] [--seed 0]

About 70 minutes in all: 10 each, and 20 for the images.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from common import circumstances, load_average, write

DATA = Path(os.environ.get("RIPIENO_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
ENVIRONMENT = {**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
RIPIENO = [sys.executable, "-c", "from ripieno.cli import main; main()"]


@dataclass(frozen=True, slots=True)
class Case:
    """One run of the command.

    Args:
        source: The file under the data folder.
        minutes: Wall time.
        options: What the command is told beside data, time, seed and folder.
        single: Wanted of the best trial: metric and bound.
        ensemble: Wanted of the ensemble: metric and bound.
        as_csv: Whether the table is written as .csv first.
    """

    source: str
    minutes: float = 10.0
    options: tuple[str, ...] = ()
    single: tuple[str, float] | None = None
    ensemble: tuple[str, float] | None = None
    as_csv: bool = field(default=False, kw_only=True)


CREDIT = "tabular/credit_default.npz"
CASES: Mapping[str, Case] = {
    "adult": Case("tabular/adult.npz", single=("accuracy", 0.852), ensemble=("accuracy", 0.856)),
    "adult_csv": Case(
        "tabular/adult.npz",
        options=("--target", "target"),
        single=("accuracy", 0.852),
        ensemble=("accuracy", 0.856),
        as_csv=True,
    ),
    "california": Case("tabular/california.npz", ensemble=("rmse", 0.46)),
    "credit_alike": Case(CREDIT, options=("--metric", "balanced_accuracy")),
    "credit_balanced": Case(
        CREDIT, options=("--metric", "balanced_accuracy", "--class-weights", "balanced")
    ),
    "fashion": Case("images/fashion_mnist.npz", minutes=20.0, ensemble=("accuracy", 0.925)),
}
LESS_IS_BETTER = frozenset({"rmse", "log_loss"})


def main() -> None:
    """Run, print and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--minutes", type=float, help="of each case [10, and 20 of fashion]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--workers", type=int, help="processes [every usable core]")
    parser.add_argument("--out", default="data_sets", help="name of the results")
    arguments = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit(f"there are no data in {DATA}: say where they are in RIPIENO_DATA.")
    results = circumstances(["ripieno", "torch", "numpy", "scikit-learn", "pandas"])
    results |= {"seed": arguments.seed, "cases": {}}
    for name in arguments.only:
        found = run(
            CASES[name], seed=arguments.seed, minutes=arguments.minutes, workers=arguments.workers
        )
        results["cases"][name] = found
        print(f"{name}: {json.dumps(found['test'])}, {json.dumps(found['wanted'])}", flush=True)
        # After each case: a run that is stopped keeps what it has.
        results["machine"]["load_after"] = load_average()
        write(arguments.out, results)
    if {"credit_alike", "credit_balanced"} <= set(results["cases"]):
        results["credit_gain"] = credit_gain(results["cases"])
    print(f"written to {write(arguments.out, results)}")


def run(case: Case, *, seed: int, minutes: float | None, workers: int | None) -> dict[str, Any]:
    """Run the command once; return what it found and whether that is what is wanted."""
    with tempfile.TemporaryDirectory() as folder:
        source = DATA / case.source
        if case.as_csv:
            source, held_out = as_csv(source, Path(folder))
        words = [
            "tune", str(source), "--minutes", f"{minutes or case.minutes:g}", "--seed", str(seed),
            *([] if workers is None else ["--workers", str(workers)]), *case.options,
        ]  # fmt: skip
        load = load_average()
        begun = time.monotonic()
        done = subprocess.run(
            [*RIPIENO, *words, "--json", "--out", f"{folder}/study"],
            stdout=subprocess.PIPE, env=ENVIRONMENT, check=True,
        )  # fmt: skip
        elapsed = time.monotonic() - begun
        results = json.loads(done.stdout)
        best, ensemble = results["best"], results["ensemble"]
        test = {"single": best["test"], "ensemble": ensemble["test"]}
        if case.as_csv:
            test["ensemble"] = {"accuracy": predicted(Path(folder), held_out)}
    return {
        "command": " ".join(["ripieno", "tune", source.name, *words[2:]]),
        "load_before": load,
        "command_seconds": round(elapsed, 1),
        "search_seconds": results["seconds"],
        "trials": results["trials"],
        "epochs": results["epochs"],
        "best_trial": {key: best[key] for key in ("trial", "config", "validation")},
        "members": ensemble["members"],
        "weights": ensemble["weights"],
        "selected_by": ensemble["selected_by"],
        "gain": ensemble["gain"],
        "test": test,
        "wanted": {
            who: judged(test[who], bound)
            for who, bound in (("single", case.single), ("ensemble", case.ensemble))
            if bound is not None
        },
    }


def judged(test: Mapping[str, float], wanted: tuple[str, float]) -> dict[str, Any]:
    """Return a bound, and whether it is met."""
    metric, bound = wanted
    met = test[metric] <= bound if metric in LESS_IS_BETTER else test[metric] >= bound
    return {"metric": metric, "bound": bound, "met": met}


def credit_gain(cases: Mapping[str, Any]) -> dict[str, float]:
    """Return by how much balanced weights raise the balanced accuracy on the test part."""
    alike, balanced = cases["credit_alike"]["test"], cases["credit_balanced"]["test"]
    return {
        who: round(balanced[who]["balanced_accuracy"] - alike[who]["balanced_accuracy"], 5)
        for who in ("single", "ensemble")
    }


def as_csv(source: Path, folder: Path) -> tuple[Path, Path]:
    """Write an archive's training and test rows as text: categories as words, gaps as nothing."""
    import numpy as np
    import pandas as pd

    with np.load(source) as arrays:
        frame = pd.DataFrame(arrays["X"], columns=[str(name) for name in arrays["names"]])
        categorical = list(frame.columns[arrays["is_cat"]])
        target, is_test = arrays["y"], arrays["is_test"]
    for name in categorical:
        words = frame[name].map("word {:.0f}".format, na_action="ignore")
        frame[name] = words.where(frame[name].notna())
    frame["target"] = np.where(target == 1, "yes", "no")
    paths = folder / f"{source.stem}.csv", folder / "official_test.csv"
    for path, rows in zip(paths, (frame[~is_test], frame[is_test]), strict=True):
        rows.to_csv(path, index=False)
    return paths


def predicted(folder: Path, held_out: Path) -> float:
    """Return the accuracy of the study's ensemble on a file of raw rows."""
    import pandas as pd

    out = folder / "predictions.csv"
    words = ["predict", str(folder / "study"), str(held_out), "--out", str(out)]
    subprocess.run([*RIPIENO, *words], stdout=subprocess.DEVNULL, env=ENVIRONMENT, check=True)
    answers = pd.read_csv(out)["prediction"]
    return round(float((answers == pd.read_csv(held_out)["target"]).mean()), 5)


if __name__ == "__main__":
    main()
