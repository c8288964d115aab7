"""Hyperparameters by gradient against fixed ones and against searches.

Three parts, each over several seeds, on one thread:

``rates``    The final training loss over initial learning rates from 1e-5 to 1, with a fixed rate
             and with one that tunes itself: how many times smaller the spread is. A training
             that diverged counts as a loss of log(classes), that of a guess.
``bilevel``  Weight decay of every layer and label smoothing, tuned on validation data while
             models train, against searches that train one config after the other: how many times
             fewer epochs reach the validation log loss that the search has at its end. What is
             chosen there is measured on the test part too.
``stacked``  Sixteen such trainings as the rows of one stack against one after another.

A part that is not asked for stays as it was measured last; each has circumstances of its own.

    python benchmarks/hypergradient.py [--parts rates,bilevel,stacked] [--seeds 5] [--rates 11]
        [--rate-epochs 40] [--trials 16] [--epochs 30] [--searchers random,gaussianprocess]
"""

import argparse
import json
import math
import os
import tempfile
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import torch
from common import RESULTS, circumstances, write
from drawing import Bars, bars

import ripieno as rp
from ripieno.hypergradient import RateRule, Tuning, tune_online
from ripieno.recipes import (
    Data,
    Recipe,
    State,
    as_features,
    cnn,
    load,
    measure_scores,
    mlp,
    predict_scores,
)

DATA = Path(os.environ.get("RIPIENO_DATA", "../shared/data"))
STILL = RateRule("additive", 1e-30, cliff=1e30)
"""A rule by which no rate moves."""
NETWORKS = {
    "MLP": {"depth": 2, "width": 32, "norm": "none", "dropout": 0.0},
    "CNN": {"filters": 8, "depth": 2, "width": 0, "norm": "none", "dropout": 0.0},
}
REGULARISED = ("weight_decay", "label_smoothing")
BY_GRADIENT = Tuning(REGULARISED, decay_per="layer", every=2)
DECAYS, SMOOTHINGS = (1e-6, 1e-1), (0.0, 0.5)
"""What is searched. The rows that tune themselves begin in the middles of the quarters of it."""
STARTS = 4


def main() -> None:
    """Measure, print, draw and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--parts", default="rates,bilevel,stacked")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--rates", type=int, default=11)
    parser.add_argument("--rate-epochs", type=int, default=40)
    parser.add_argument("--trials", type=int, default=16)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--searchers", default="random,gaussianprocess")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    written = RESULTS / "hypergradient.json"
    results = json.loads(written.read_text()) if written.exists() else {}
    for part in arguments.parts.split(","):
        around = {**circumstances(["ripieno", "torch"]), "options": vars(arguments)}
        found, groups = {"rates": rates, "bilevel": bilevel, "stacked": stacked}[part](arguments)
        results[part] = {**around, "found": found, "bars": [asdict(group) for group in groups]}
        write("hypergradient", results)
    dates = ", ".join(f"{part} on {own['date'][:10]}" for part, own in results.items())
    picture = bars(
        RESULTS / "hypergradient.svg",
        [Bars(**group) for own in results.values() for group in own["bars"]],
        title="Hyperparameters by gradient",
        caption=f"medians over seeds; {dates}",
        axis="times as good",
    )
    print(f"written to {written} and {picture}")


def rates(arguments: argparse.Namespace) -> tuple[dict[str, Any], list[Bars]]:
    """Measure the spread of the final loss over the initial learning rate."""
    data = load("digits", seed=0)
    grid = np.geomspace(1e-5, 1.0, arguments.rates).tolist()
    found: dict[str, Any] = {"initial_rates": grid}
    groups = []
    for kind, network in NETWORKS.items():
        recipe = cnn(data) if kind == "CNN" else mlp(data)
        for optimizer in ("sgd", "adam"):
            own = {**network, "optimizer": optimizer, "batch_size": 64}
            configs = [rp.Config({**own, "lr": rate}) for rate in grid] * arguments.seeds
            trials = [seed for seed in range(arguments.seeds) for _ in grid]
            ends = {}
            for name, rule in (("fixed", STILL), ("online", RateRule())):
                tuned = tune_online(
                    recipe, data, configs, tuning=Tuning(("lr",), rate=rule),
                    epochs=arguments.rate_epochs, trials=trials,
                )  # fmt: skip
                losses = [last_loss(row, arguments.rate_epochs, 10) for row in tuned.metrics]
                ends[name] = np.reshape(losses, (arguments.seeds, len(grid)))
            spreads = {name: np.ptp(loss, axis=1) for name, loss in ends.items()}
            ratios = (spreads["fixed"] / spreads["online"]).tolist()
            label = f"{kind}, {optimizer}"
            found[label] = {
                "final_train_loss": {name: loss.round(4).tolist() for name, loss in ends.items()},
                "spread": {name: s.round(4).tolist() for name, s in spreads.items()},
                "best_fixed": ends["fixed"].min(1).round(4).tolist(),
                "ratio": [round(ratio, 2) for ratio in ratios],
            }
            print(
                f"{label}: spread {median(spreads['fixed']):.3f} fixed, "
                f"{median(spreads['online']):.3f} online, {median(ratios):.1f} times smaller; "
                f"worst {ends['online'].max():.3f}, best fixed {ends['fixed'].min():.3f}"
            )
            groups.append(Bars(f"spread over lr: {label}", {"Ripieno": median(ratios)}, 10.0))
    return found, groups


def last_loss(metrics: Sequence[Any], epochs: int, classes: int) -> float:
    """Return the final training loss, or that of a guess where a training did not get there."""
    if len(metrics) < epochs:
        return math.log(classes)
    return min(float(metrics[-1]["train_loss"]), math.log(classes))


def bilevel(arguments: argparse.Namespace) -> tuple[dict[str, Any], list[Bars]]:
    """Count the epochs to what a search reaches at its end."""
    found: dict[str, Any] = {}
    groups = []
    for name in ("digits, 10 % of the labels", "adult"):
        if name == "adult" and not DATA.exists():
            print(f"adult is left out: there are no data in {DATA} (RIPIENO_DATA)")
            continue
        per_seed = []
        for seed in range(arguments.seeds):
            data = few_digits(seed) if name != "adult" else adult(seed)
            # Three times the epochs where one has four steps.
            recipe = (
                replace(mlp(data), epochs=arguments.epochs, epoch_rows=4_000)
                if name == "adult"
                else replace(mlp(data), epochs=3 * arguments.epochs, epoch_rows=None)
            )
            own = {
                "gradient": from_starts(recipe, data, seed=seed, tuning=BY_GRADIENT),
                # The same rows as they begin: what of it is the gradient's doing?
                "starts": from_starts(recipe, data, seed=seed, tuning=Tuning(("lr",), rate=STILL)),
            }
            for searcher in arguments.searchers.split(","):
                own[searcher] = by_search(recipe, data, arguments, seed=seed, searcher=searcher)
            for searcher in arguments.searchers.split(","):
                own[searcher]["times_fewer_epochs"] = times_fewer(own["gradient"], own[searcher])
                own[searcher]["starts_alone"] = times_fewer(own["starts"], own[searcher])
            print(f"{name}, seed {seed}: " + "; ".join(told(n, one) for n, one in own.items()))
            per_seed.append({"seed": seed, **{n: thinned(one) for n, one in own.items()}})
        found[name] = per_seed
        for searcher in arguments.searchers.split(","):
            ratio = median(one[searcher]["times_fewer_epochs"] for one in per_seed)
            alone = median(one[searcher]["starts_alone"] for one in per_seed)
            print(f"{name}: {ratio:.1f} times fewer epochs than {searcher} ({alone:.1f} untuned)")
            if ratio > 0:
                groups.append(Bars(f"epochs, {searcher}: {name[:6]}", {"Ripieno": ratio}, 4.0))
    return found, groups


def base(data: Data) -> dict[str, Any]:
    """Return what all trainings of a data set have in common."""
    wide = 128 if len(data.train) < 1_000 else 64
    return {
        "depth": 2, "width": wide, "norm": "none", "dropout": 0.0, "optimizer": "adam",
        "lr": 2e-3, "batch_size": 32 if wide == 128 else 256, "schedule": "cosine",
    }  # fmt: skip


def few_digits(seed: int) -> Data:
    """Return the digits with a tenth of the training labels."""
    whole = load("digits", seed=seed)
    chosen = np.random.default_rng(seed).permutation(len(whole.train))[: len(whole.train) // 10]
    validation, test = whole.validation, whole.test
    return Data.from_arrays(
        whole.train.x[chosen], whole.train.y[chosen], x_validation=validation.x,
        y_validation=validation.y, x_test=test.x, y_test=test.y, seed=seed, name="few digits",
    )  # fmt: skip


def adult(seed: int) -> Data:
    """Return the adult table with its official test part."""
    table = np.load(DATA / "tabular" / "adult.npz")
    x, y, is_test = table["X"], table["y"], table["is_test"]
    return Data.from_arrays(
        x[~is_test], y[~is_test], x_test=x[is_test], y_test=y[is_test],
        categorical=table["is_cat"].tolist(), seed=seed, name="adult",
    )  # fmt: skip


def from_starts(recipe: Recipe, data: Data, *, seed: int, tuning: Tuning) -> dict[str, Any]:
    """Train a few rows, and follow the best of them over their epochs."""
    middles = (np.arange(STARTS) + 0.5) / STARTS
    low, high = np.log(DECAYS)
    decays = np.exp(low + (high - low) * middles)
    smoothings = SMOOTHINGS[1] * np.roll(middles, 2)
    configs = [
        rp.Config({**base(data), "weight_decay": float(d), "label_smoothing": float(s)})
        for d, s in zip(decays, smoothings, strict=True)
    ]
    begin = time.perf_counter()
    tuned = tune_online(recipe, data, configs, tuning=tuning, seed=seed)
    seconds = time.perf_counter() - begin
    curves = [[float(epoch["log_loss"]) for epoch in row] for row in tuned.metrics]
    row = min(range(len(curves)), key=lambda row: curves[row][-1])
    return {
        "epochs": STARTS * recipe.epochs,
        "seconds": round(seconds, 2),
        # All rows go on together: a point is an epoch of each of them.
        "epochs_a_point": STARTS,
        "best_so_far": np.minimum.accumulate(np.min(curves, axis=0)).round(5).tolist(),
        "tuned_to": {name: value[row].tolist() for name, value in tuned.values[-1].items()},
        "validation_log_loss": round(curves[row][-1], 5),
        "test_log_loss": test_loss(recipe, data, configs[row], state=tuned.states[row]),
    }


def by_search(
    recipe: Recipe, data: Data, arguments: argparse.Namespace, *, seed: int, searcher: str
) -> dict[str, Any]:
    """Search the same two hyperparameters, and follow the best over the epochs spent."""
    space = rp.Space(
        **{name: rp.Constant(value) for name, value in base(data).items()},
        weight_decay=rp.Float(*DECAYS, log=True),
        label_smoothing=rp.Float(*SMOOTHINGS),
    )
    with tempfile.TemporaryDirectory() as folder:
        begin = time.perf_counter()
        study = rp.tune(
            recipe, data, space, searcher=searcher, scheduler="full", trials=arguments.trials,
            epochs=recipe.epochs, seed=seed, out=Path(folder) / "study", progress=False,
            workers=1,
        )  # fmt: skip
        seconds = time.perf_counter() - begin
        curves = [[float(epoch["log_loss"]) for epoch in trial.history] for trial in study.trials]
        best = study.best
        state = State.from_arrays(study.artifacts.read(str(best.state))[0])
        study.close()
    flat = [value for curve in curves for value in curve]
    return {
        "epochs": len(flat),
        "seconds": round(seconds, 2),
        "epochs_a_point": 1,
        "best_so_far": np.minimum.accumulate(flat).round(5).tolist(),
        "tuned_to": {name: best.config[name] for name in REGULARISED},
        "validation_log_loss": round(float(best.metrics["log_loss"]), 5),
        "test_log_loss": test_loss(recipe, data, best.config, state=state),
    }


def test_loss(recipe: Recipe, data: Data, config: rp.Config, *, state: State) -> float | None:
    """Return the log loss on the test part of what was chosen on the validation part."""
    if data.test is None:
        return None
    module = recipe.model(config)
    state.load_into(module)
    features = as_features(data.test.x, torch.float32)
    scores = predict_scores(module, features, data.coding, outputs=data.outputs)
    return round(measure_scores(scores, data.test.y, task=data.task)["log_loss"], 5)


def times_fewer(gradient: dict[str, Any], search: dict[str, Any]) -> float:
    """Return a search's epochs over those that the gradient took to its end; 0 if it never did."""
    target = search["best_so_far"][-1]
    for point, value in enumerate(gradient["best_so_far"], 1):
        if value <= target:
            return round(search["epochs"] / (gradient["epochs_a_point"] * point), 2)
    return 0.0


def thinned(one: dict[str, Any]) -> dict[str, Any]:
    """Keep of a curve of the best so far where it falls: the epochs spent, and the loss."""
    curve, epochs = one["best_so_far"], one["epochs_a_point"]
    falls = [n for n, value in enumerate(curve) if not n or value < curve[n - 1]]
    return {**one, "best_so_far": [[epochs * (n + 1), curve[n]] for n in falls]}


def told(name: str, one: dict[str, Any]) -> str:
    """Say what came of one of them."""
    return (
        f"{name} {one['best_so_far'][-1]:.4f} after {one['epochs']} epochs, {one['seconds']} s, "
        f"test {one['test_log_loss']}"
    )


def stacked(arguments: argparse.Namespace) -> tuple[dict[str, Any], list[Bars]]:
    """Train sixteen tuning rows as one stack, and one after another; the two take turns."""
    data = load("digits", seed=0)
    recipe = replace(mlp(data), dtype="float64", epoch_rows=512)
    own = {**NETWORKS["MLP"], "optimizer": "adam", "batch_size": 32}
    configs = [
        rp.Config({**own, "lr": float(rate), "weight_decay": 1e-4})
        for rate in np.geomspace(1e-4, 1e-1, 16)
    ]
    tuning = Tuning(("lr", *REGULARISED), decay_per="layer", every=2)
    options: dict[str, Any] = {"tuning": tuning, "epochs": 3}
    tune_online(recipe, data, configs[:2], **options)
    rounds = []
    for _ in range(arguments.seeds):
        begin = time.perf_counter()
        together = tune_online(recipe, data, configs, **options)
        middle = time.perf_counter()
        alone = [
            tune_online(recipe, data, [config], trials=[row], **options)
            for row, config in enumerate(configs)
        ]
        end = time.perf_counter()
        ratio = round((end - middle) / (middle - begin), 2)
        rounds.append(
            {"stacked": round(middle - begin, 3), "alone": round(end - middle, 3), "ratio": ratio}
        )
    apart = max(
        float(
            ((together.values[-1][name][row] - other.values[-1][name][0]) / value[row]).abs().max()
        )
        for row, other in enumerate(alone)
        for name, value in together.values[-1].items()
    )
    ratio = median(one["ratio"] for one in rounds)
    print(f"sixteen rows as one: {ratio:.1f} times as fast, numbers apart by {apart:.1e} at most")
    found = {"seconds": rounds, "largest_relative_difference": apart, "ratio": ratio}
    return found, [Bars("16 rows as one stack", {"Ripieno": ratio})]


if __name__ == "__main__":
    main()
