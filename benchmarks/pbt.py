"""A learning rate that changes while it trains, against the best constant one.

Two problems, both through ``rp.search`` and ``rp.tune`` as a user would call them:

- ``quadratic``: SGD on a sum of squares of very different curvature under gradient noise. A
  high rate is best at first and a low one in the end, where the noise is what is left.
- ``digits``: the built-in MLP on handwritten digits with a constant schedule, SGD with momentum;
  only the learning rate is searched, and the last epoch counts.

Population-based training has 20 members; beside it stand 20 constant rates on a grid over the
same range, each trained for as many epochs, so both spend the same. Written down are the last
values of both, and the schedule that the best member has come through.

    python benchmarks/pbt.py [--seeds 10] [--only quadratic]
"""

import argparse
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
from common import RESULTS, circumstances, write
from plots import Curve, Panel, panels

import ripieno as rp

MEMBERS = 20
RATES = {"quadratic": (1e-3, 1.0), "digits": (1e-4, 1.0)}
EPOCHS = {"quadratic": 90, "digits": 27}
CURVATURES = np.geomspace(0.1, 1.0, 30)
NOISE = 1.0


def main() -> None:
    """Search both problems with both methods, and write the results."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--only", choices=tuple(RATES), nargs="*", default=tuple(RATES))
    arguments = parser.parse_args()
    results: dict[str, Any] = circumstances(["ripieno", "numpy", "torch"])
    results |= {"members": MEMBERS, "epochs": EPOCHS, "problems": {}}
    for name in arguments.only:
        runs = [race(name, seed) for seed in range(arguments.seeds)]
        wins = sum(run["population"] < run["constant"] for run in runs)
        results["problems"][name] = {"better": f"{wins} of {len(runs)} seeds", "runs": runs}
        write("pbt", results)
        print(
            f"{name}: the population's best {median(r['population'] for r in runs):.4g}, the best "
            f"constant rate's {median(r['constant'] for r in runs):.4g}; better in {wins} of "
            f"{len(runs)} seeds"
        )
    print(f"written to {write('pbt', results)} and {draw(results['problems'])}")


def race(name: str, seed: int) -> dict[str, Any]:
    """Return the best last value of a population and of constant rates, and their schedules."""
    low, high = RATES[name]
    population = search(
        name, rp.Float(low, high, log=True), seed=seed, scheduler="pbt", searcher="random"
    )
    grid = [float(f"{rate:.4g}") for rate in np.geomspace(low, high, MEMBERS)]
    constant = search(name, rp.Categorical(*grid), seed=seed, scheduler="full", searcher="grid")
    finished = [trial for trial in population.trials if trial.epochs == EPOCHS[name]]
    metric = population.settings.metric
    best = min(finished, key=lambda trial: trial.metrics[metric])
    return {
        "seed": seed,
        "population": best.metrics[metric],
        "constant": constant.best.metrics[metric],
        "epochs_of_population": sum(len(trial.history) for trial in population.trials),
        "epochs_of_constants": sum(len(trial.history) for trial in constant.trials),
        "constant_rate": constant.best.config.lr,
        "schedule": [float(f"{config.lr:.4g}") for config in population.schedule(best.id)],
    }


def search(name: str, rate: Any, *, seed: int, scheduler: str, searcher: str) -> rp.Study:
    """Search a learning rate."""
    shared: dict[str, Any] = {
        "scheduler": scheduler, "searcher": searcher, "trials": MEMBERS,
        "epochs": EPOCHS[name], "seed": seed, "workers": 1, "progress": False,
    }  # fmt: skip
    if name == "digits":
        space = rp.Space(
            lr=rate,
            optimizer=rp.Constant("sgd"),
            momentum=rp.Constant(0.9),
            schedule=rp.Constant("constant"),
        )
        return rp.tune("mlp", "digits", space, **shared)
    return rp.search(Quadratic(seed), rp.Space(lr=rate), metric="loss", **shared)


class Quadratic:
    """SGD on half a sum of curvature times square, with noise in every gradient.

    Args:
        seed: Of the noise, together with the epoch: members differ in their rates alone.
    """

    def __init__(self, seed: int) -> None:
        self.seed = seed

    def __call__(self, config: rp.Config, report: Any) -> None:
        """Train on from where the trial, or its parent, was left."""
        stored = report.load()
        point = stored["point"] if stored else np.full(len(CURVATURES), 10.0)
        for epoch in range(report.start, report.epochs):
            rng = np.random.default_rng([self.seed, epoch])
            gradient = CURVATURES * point + NOISE * rng.standard_normal(len(point))
            point = point - config.lr * gradient
            report.save(epoch=epoch + 1, point=point)
            report(epoch=epoch + 1, loss=float(np.mean(CURVATURES * point**2)) / 2)


def draw(problems: Mapping[str, Mapping[str, Any]]) -> Path:
    """Draw the schedules that were found, beside the best constant rate."""
    drawn = []
    for name, problem in problems.items():
        runs: Sequence[Mapping[str, Any]] = problem["runs"]
        epochs = list(range(1, len(runs[0]["schedule"]) + 1))
        schedules = np.array([run["schedule"] for run in runs])
        low, middle, high = np.quantile(schedules, [0.25, 0.5, 0.75], axis=0).tolist()
        constant = median(run["constant_rate"] for run in runs)
        drawn.append(
            Panel(
                name,
                [
                    Curve("found by the population, median", epochs, middle, low, high),
                    Curve("best constant rate, median", epochs, [constant] * len(epochs)),
                ],
            )
        )
    return panels(
        RESULTS / "pbt.svg",
        drawn,
        title="The learning rate along the training",
        caption="of the best member of each population, with quartiles over the seeds",
        x_axis="epoch",
        y_axis="learning rate",
    )


if __name__ == "__main__":
    main()
