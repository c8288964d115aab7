"""What an ensemble of a search is worth: beside its best trial, on the test part, over seeds.

    python benchmarks/search_ensembles.py [--jobs 2] [--seeds 5] [--minutes 40] [--only digits]

Gains: one search a data set and seed (``rp.tune`` with its defaults, the recipe's own space), and
of what it has trained: the best trial, the mean of the ten best, greedy selection, stacking, and
a hyper-deep ensemble of the six best configs, which trains anew. Aims: the same search with
``objective="ensemble"``, at equal epochs. Inference: eight equal networks that answer as one
stack, against a loop over them. The split, the search and the weights follow from the seed.

Runs are kept one by one in ``results/search_ensembles.partial.jsonl``; called again, it does what
is missing. The tables and images are read from ``RIPIENO_DATA`` [../shared/data].
"""

import argparse
import os
import time
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import fmean, median
from typing import Any

from cells import Cell, read_cells, run_cells
from common import RESULTS, circumstances, write_compact

PARTIAL = RESULTS / "search_ensembles.partial.jsonl"
ROOT = Path(os.environ.get("RIPIENO_DATA", Path(__file__).parents[1] / ".." / "shared" / "data"))
WAYS = ("best", "top10", "greedy", "stacking", "hyper_deep")
BATCHES = (1, 32, 1024)
MEMBERS = 8


@dataclass(frozen=True, slots=True)
class Case:
    """A data set and its search.

    Args:
        source: What is loaded; below the data folder, or a name.
        trials: Configs.
        epochs: Epochs of a trial at most.
        epoch_rows: Rows of an epoch; None for the recipe's own.
        rows: Only so many of the training rows of an archive of images.
    """

    source: str
    trials: int = 49
    epochs: int = 27
    epoch_rows: int | None = None
    rows: int | None = None


GAINS: Mapping[str, Case] = {
    "digits": Case("digits"),
    "adult": Case("tabular/adult.npz"),
    "credit_default": Case("tabular/credit_default.npz"),
    "fashion_mnist": Case("images/fashion_mnist.npz", trials=17, epochs=9, rows=10_000),
}
AIMS: Mapping[str, Case] = {
    "digits, aims": Case("digits"),
    "adult, aims": Case("tabular/adult.npz", epoch_rows=2_000),
}


def main() -> None:
    """Run what is missing, then write the results of all that is there."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--minutes", type=float, default=None)
    parser.add_argument("--only", nargs="*", default=[""], help="beginnings of names")
    arguments = parser.parse_args()
    before = circumstances(["ripieno", "torch", "numpy", "scikit-learn"])
    there = read_cells(RESULTS / "search_ensembles.json", PARTIAL)
    tasks = [
        (name, method, seed)
        for seed in range(arguments.seeds)
        for name, method in _runs()
        if any(name.startswith(prefix) for prefix in arguments.only)
        and (name, method, seed) not in there
    ]
    run_cells(run_cell, tasks, path=PARTIAL, jobs=arguments.jobs, minutes=arguments.minutes)
    cells = list(read_cells(RESULTS / "search_ensembles.json", PARTIAL).values())
    summary = {
        "gains": summarize(cells),
        "aims": compare_aims(cells),
        "inference": [inference(kind) for kind in ("mlp", "cnn")],
    }
    print(write_compact("search_ensembles", {**before, **summary}, cells))
    PARTIAL.unlink(missing_ok=True)


def _runs() -> list[tuple[str, str]]:
    searches = [(name, "search") for name in GAINS]
    return searches + [(name, aim) for name in AIMS for aim in ("metric", "ensemble")]


def run_cell(task: tuple[str, str, int]) -> Cell:
    """Return what one search gives on the test part."""
    name, method, seed = task
    begin = time.perf_counter()
    found = of_aim(AIMS[name], method, seed) if name in AIMS else of_search(GAINS[name], seed)
    seconds = round(time.perf_counter() - begin, 1)
    return {"problem": name, "method": method, "seed": seed, "seconds": seconds, **found}


def of_search(case: Case, seed: int) -> dict[str, Any]:
    """Return test numbers of a search's best trial and of ensembles of its trials."""
    from ripieno.ensembles import HyperDeep

    data, study = searched(case, seed)
    made: dict[str, Callable[[], Any]] = {
        "top10": lambda: study.ensemble("soft", size=10),
        "greedy": lambda: study.ensemble("greedy"),
        "stacking": lambda: study.ensemble("stacking"),
        "hyper_deep": lambda: HyperDeep(members=3).make(
            _recipe(data, case), data, _best_configs(study, 6), seed=seed
        ),
    }
    best = study.measure(study.choose("greedy")).best_test
    tests = {"best": _numbers(best)}
    tests |= {way: _numbers(make().score(data.test)) for way, make in made.items()}
    return {"trials": len(study.trials), "epochs": _epochs(study), "test": tests}


def of_aim(case: Case, aim: str, seed: int) -> dict[str, Any]:
    """Return test numbers of the greedy ensemble of a search with an aim."""
    data, study = searched(case, seed, objective=aim)
    best = study.measure(study.choose("greedy")).best_test
    ensemble = study.ensemble("greedy").score(data.test)
    return {
        "epochs": _epochs(study),
        "test": {"best": _numbers(best), "greedy": _numbers(ensemble)},
    }


def searched(case: Case, seed: int, **options: Any) -> tuple[Any, Any]:
    """Return data, and a study over them that is done."""
    import ripieno as rp

    data = _load(case, seed)
    study = rp.tune(
        None, data, trials=case.trials, epochs=case.epochs, epoch_rows=case.epoch_rows,
        seed=seed, workers=1, out=":memory:", progress=False, **options,
    )  # fmt: skip
    return data, study


def _load(case: Case, seed: int) -> Any:
    import numpy as np

    import ripieno as rp
    from ripieno.recipes import Data

    if case.rows is None:
        return rp.load_data(
            case.source if case.source == "digits" else ROOT / case.source, seed=seed
        )
    with np.load(ROOT / case.source) as held:
        x, y = held["x_train"], held["y_train"].astype(int)
        x_test, y_test = held["x_test"], held["y_test"].astype(int)
    chosen = np.random.default_rng(seed).choice(len(x), case.rows, replace=False)
    return Data.from_arrays(x[chosen], y[chosen], x_test=x_test, y_test=y_test, seed=seed)


def _recipe(data: Any, case: Case) -> Any:
    from ripieno.recipes import cnn, mlp

    made = (cnn if len(data.shape) == 3 else mlp)(data)
    return replace(made, epochs=case.epochs)


def _best_configs(study: Any, count: int) -> list[Any]:
    full = [t for t in study.trials if t.metrics and t.epochs == study.settings.epochs]
    rest = [t for t in study.trials if t.metrics and t not in full]
    metric = study.settings.metric

    def loss(trial: Any) -> float:
        return float(trial.metrics[metric])

    return [t.config for t in (*sorted(full, key=loss), *sorted(rest, key=loss))[:count]]


def _epochs(study: Any) -> int:
    return sum(trial.epochs for trial in study.trials)


def _numbers(test: Mapping[str, float]) -> dict[str, float]:
    return {"error": round(1.0 - test["accuracy"], 6), "log_loss": round(test["log_loss"], 6)}


def summarize(cells: Sequence[Cell]) -> dict[str, Any]:
    """Return means over seeds by data set, and the mean relative reduction over the sets."""
    found: dict[str, Any] = {}
    by_set: dict[str, list[Cell]] = defaultdict(list)
    for cell in cells:
        if cell["method"] == "search":
            by_set[cell["problem"]].append(cell)
    for name, runs in by_set.items():
        means = {
            way: {m: fmean(run["test"][way][m] for run in runs) for m in ("error", "log_loss")}
            for way in WAYS
        }
        reduced = {
            way: {m: 1.0 - means[way][m] / means["best"][m] for m in ("error", "log_loss")}
            for way in WAYS[1:]
        }
        found[name] = {"seeds": len(runs), "means": means, "reduced_by": reduced}
    if found:
        found["all"] = {
            way: {
                m: fmean(each["reduced_by"][way][m] for each in found.values())
                for m in ("error", "log_loss")
            }
            for way in WAYS[1:]
        }
    return found


def compare_aims(cells: Sequence[Cell]) -> dict[str, Any]:
    """Return the mean test numbers of the greedy ensemble by what the search was after."""
    found: dict[str, Any] = {}
    for name in AIMS:
        for aim in ("metric", "ensemble"):
            runs = [c for c in cells if (c["problem"], c["method"]) == (name, aim)]
            if runs:
                tests = [run["test"]["greedy"] for run in runs]
                found.setdefault(name, {})[aim] = {
                    "seeds": len(runs),
                    "epochs": fmean(run["epochs"] for run in runs),
                    **{m: fmean(test[m] for test in tests) for m in ("error", "log_loss")},
                }
    return found


def inference(kind: str, *, rounds: int = 7) -> dict[str, Any]:
    """Return how many times as fast one stack answers as a loop over its members."""
    import torch
    from torch import nn

    from ripieno.ensembles import Ensemble

    torch.set_num_threads(1)

    def mlp() -> nn.Module:
        return nn.Sequential(
            nn.Flatten(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(),
            nn.Linear(64, 10),
        )  # fmt: skip

    def cnn() -> nn.Module:
        return nn.Sequential(
            nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2),
            nn.Flatten(), nn.Linear(64, 10),
        )  # fmt: skip

    members = [(mlp if kind == "mlp" else cnn)().eval() for _ in range(MEMBERS)]
    ensemble = Ensemble(members, [1.0] * MEMBERS, classes=tuple(map(str, range(10)))).eval()
    ratios: dict[str, float] = {}
    with torch.no_grad():
        for batch in BATCHES:
            x = torch.randn(batch, 1, 8, 8)

            def loop(x: Any = x) -> Any:
                return torch.stack([member(x).softmax(-1) for member in members]).mean(0)

            def stack(x: Any = x) -> Any:
                return ensemble(x)

            if not torch.allclose(stack().exp(), loop(), atol=1e-5):
                raise SystemExit("the stack answers otherwise than its members.")
            count = max(3, 2048 // batch // 8)
            times = [(_timed(loop, count), _timed(stack, count)) for _ in range(rounds)]
            ratios[str(batch)] = round(median(a / b for a, b in times), 3)
    return {"network": kind, "members": MEMBERS, "times_as_fast_by_batch": ratios}


def _timed(run: Callable[[], object], count: int) -> float:
    begin = time.perf_counter()
    for _ in range(count):
        run()
    return time.perf_counter() - begin


if __name__ == "__main__":
    main()
