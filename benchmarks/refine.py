"""A search whose best configs are refined by gradient, against one that goes on searching.

Both spend the same epochs: the one that is refined has as many trials fewer as the run by gradient
and the trials that come of it take. Learning rate, weight decay and label smoothing are searched,
on the digits with a tenth of the labels and on adult, at random and by a Gaussian process. The
first trials of both are the same ones, so that what differs is what the last epochs bring. What is
chosen by the validation log loss is measured on the test part too.

    python benchmarks/refine.py [--seeds 5] [--trials 16] [--refine 3] [--epochs 30]
        [--searchers random,gaussianprocess]
    python benchmarks/refine.py --tiny                  # does it run?
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from statistics import mean
from typing import Any

import torch
from common import circumstances, write
from hypergradient import DATA, DECAYS, SMOOTHINGS, adult, base, few_digits, test_loss

import ripieno as rp
from ripieno.recipes import Data, Recipe, State, mlp

RATES = (1e-4, 1e-1)


def main() -> None:
    """Measure both on each data set, print, and write ``results/refine.json``."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--refine", type=int, default=3)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--searchers", default="random,gaussianprocess")
    parser.add_argument("--tiny", action="store_true", help="a little of everything, not kept")
    arguments = parser.parse_args()
    if arguments.tiny:
        arguments.seeds, arguments.trials, arguments.refine, arguments.epochs = 1, 4, 1, 2
    torch.set_num_threads(1)
    results: dict[str, Any] = {**circumstances(["ripieno", "torch"]), "options": vars(arguments)}
    found: dict[str, Any] = {}
    for name in ("digits, 10 % of the labels", "adult"):
        if name == "adult" and not DATA.exists():
            print(f"adult is left out: there are no data in {DATA} (RIPIENO_DATA)")
            continue
        found[name] = [both(name, seed, arguments) for seed in range(arguments.seeds)]
        for searcher in arguments.searchers.split(","):
            print(f"{name}, {searcher}: {summary([one[searcher] for one in found[name]])}")
        if not arguments.tiny:
            write("refine", {**results, "found": found})


def both(name: str, seed: int, arguments: argparse.Namespace) -> dict[str, Any]:
    """Search with one seed in both ways, with every searcher."""
    data = adult(seed) if name == "adult" else few_digits(seed)
    # Three times the epochs where one has four steps, as the other benchmark has it.
    times, rows = (1, 4_000) if name == "adult" else (3, None)
    recipe = replace(mlp(data), epochs=times * arguments.epochs, epoch_rows=rows)
    more, count = arguments.trials, arguments.refine
    found: dict[str, Any] = {"seed": seed}
    for searcher in arguments.searchers.split(","):
        own: dict[str, Any] = {"seed": seed, "searcher": searcher}
        alone = searched(recipe, data, trials=more, **own)
        refined = searched(recipe, data, trials=more - 2 * count, refine=count, **own)
        print(f"{name}, seed {seed}, {searcher}: {told(alone)}; refined {told(refined)}")
        found[searcher] = {"alone": alone, "refined": refined}
    return found


def searched(
    recipe: Recipe, data: Data, *, seed: int, searcher: str, trials: int, refine: int = 0
) -> dict[str, Any]:
    """Search, refine the best, and measure what is the best then."""
    own = {name: value for name, value in base(data).items() if name != "lr"}
    space = rp.Space(
        **{name: rp.Constant(value) for name, value in own.items()},
        lr=rp.Float(*RATES, log=True),
        weight_decay=rp.Float(*DECAYS, log=True),
        label_smoothing=rp.Float(*SMOOTHINGS),
    )
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        study = rp.tune(
            recipe, data, space, searcher=searcher, scheduler="full", trials=trials,
            epochs=recipe.epochs, seed=seed, out=Path(folder) / "study", progress=False,
            workers=1,
        )  # fmt: skip
        before = float(study.best.metrics["log_loss"])
        if refine:
            study.refine(refine).run(progress=False, workers=1)
        seconds = time.perf_counter() - begin
        best = study.best
        pairs = [
            [float(study.trials[origin].metrics["log_loss"]), float(trial.metrics["log_loss"])]
            for trial in study.trials
            if (origin := study.origin(trial)) is not None
        ]
        state = State.from_arrays(study.artifacts.read(str(best.state))[0])
        epochs = sum(len(trial.history) for trial in study.trials) + refine * recipe.epochs
        study.close()
    return {
        "epochs": epochs,
        "seconds": round(seconds, 2),
        "before_refining": round(before, 5),
        "origins_and_refined": [[round(value, 5) for value in pair] for pair in pairs],
        "validation_log_loss": round(float(best.metrics["log_loss"]), 5),
        "test_log_loss": test_loss(recipe, data, best.config, state=state),
        "config": {name: best.config[name] for name in ("lr", "weight_decay", "label_smoothing")},
    }


def summary(found: list[dict[str, Any]]) -> str:
    """Say who was better how often, and by how much."""
    words = []
    for part in ("validation_log_loss", "test_log_loss"):
        pairs = [(one["alone"][part], one["refined"][part]) for one in found]
        won, lost = sum(r < a for a, r in pairs), sum(r > a for a, r in pairs)
        means = [mean(values) for values in zip(*pairs, strict=True)]
        words.append(
            f"{part} alone {means[0]:.4f}, refined {means[1]:.4f}, better {won}, worse {lost}"
        )
    gains = [pair for one in found for pair in one["refined"]["origins_and_refined"]]
    better = sum(after < before for before, after in gains)
    return "; ".join([*words, f"{better} of {len(gains)} refined configs beat their origins"])


def told(one: dict[str, Any]) -> str:
    """Say what came of one search."""
    return (
        f"{one['validation_log_loss']:.4f}, test {one['test_log_loss']:.4f} "
        f"after {one['epochs']} epochs, {one['seconds']} s"
    )


if __name__ == "__main__":
    main()
