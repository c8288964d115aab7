"""Published tables of real trainings, as problems to search.

Each file is a ``.npz`` in one folder, read as it is: no training is done, and no value between
those of the table is invented.

- ``fcnet.npz`` (2 tasks) and ``hpobench_mlp.npz`` (4 tasks): ``space``, a JSON string of names
  and choices in axis order, and for each task an array of the last validation error or balanced
  accuracy with one axis a hyperparameter and one for the repeats. Choices that are numbers are
  searched by their place, an ``Int`` from 0 up, so that their order is known; others are a
  ``Categorical``.
- ``nasbench201.npz``: ``ops (networks, 6)``, ``op_names``, ``valtest200 (1, networks, seeds)``,
  ``train_seconds200``: a ``Categorical`` for each edge of the cell.
- ``taskset.npz`` (6 tasks): ``hp_names``, ``<task>__hp (configs, 8)`` and ``<task>__valid
  (configs, points)``, whole learning curves of configs that were drawn at random. A suggested
  config stands for the recorded one that is nearest in the unit cube of the space.

Source: A. Klein, F. Hutter, "Tabular Benchmarks for Joint Architecture and Hyperparameter
Optimization", arXiv:1905.04970, 2019 (fcnet); K. Eggensperger et al., "HPOBench", NeurIPS
Datasets and Benchmarks 2021; X. Dong, Y. Yang, "NAS-Bench-201", ICLR 2020; L. Metz et al.,
"Using a thousand optimization tasks to learn hyperparameter search strategies",
arXiv:2002.11887, 2020 (taskset).
"""

import functools
import json
import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import SearchError
from ripieno.records import Config, Objective
from ripieno.space import Categorical, Domain, Float, Int, Space, Value
from ripieno.testing.problem import Problem

__all__ = ["curve_problem", "problem_names", "read_problem", "table_problem"]

_TASKS = {
    "fcnet": ("protein_structure", "parkinsons_telemonitoring"),
    "hpobench_mlp": ("car", "vehicle", "kc1", "blood_transfusion"),
    "nasbench201": ("cifar10",),
    "taskset": (
        "patch128_LSTM128_avg_bs64",
        "patch128_LSTM128_embed128_bs64",
        "patch32_GRU64_avg_bs128",
        "patch32_IRNN64_relu_last_bs128",
        "patch32_LSTM128_bs128",
        "patch32_VRNN64_relu_avg_bs128",
    ),
}
_ADAM = {
    "learning_rate": (1e-8, 10.0),
    "beta1": (1e-4, 1.0),
    "beta2": (1e-6, 1.0),
    "epsilon": (1e-10, 1e3),
    "l1": (1e-8, 10.0),
    "l2": (1e-8, 10.0),
    "linear_decay": (1e-7, 1e-4),
    "exponential_decay": (1e-6, 1e-3),
}
"""What taskset's configs were drawn from, each uniform in the logarithm; of the betas, 1 less
them."""


def problem_names() -> tuple[str, ...]:
    """Return the names that :func:`read_problem` knows, ``table/task``."""
    return tuple(f"{table}/{task}" for table, tasks in _TASKS.items() for task in tasks)


def read_problem(name: str, folder: str | Path | None = None) -> Problem:
    """Return one task of a published table.

    Args:
        name: ``table/task``, one of :func:`problem_names`.
        folder: Where the ``.npz`` files are; None takes ``hpo`` in the folder that the
            environment variable ``RIPIENO_DATA`` names, or else in ``../shared/data``.

    Raises:
        SearchError: There is no problem of this name, or its file is not in the folder.
    """
    if name not in problem_names():
        raise SearchError(
            f"there is no problem called {name!r}.",
            where=f"read_problem({name!r})",
            fix=f"choose one of {', '.join(problem_names())}.",
        )
    table, task = name.split("/")
    if folder is None:
        folder = Path(os.environ.get("RIPIENO_DATA", "../shared/data")) / "hpo"
    path = Path(folder) / f"{table}.npz"
    if not path.is_file():
        raise SearchError(
            f"the table {table!r} is missing.",
            where=str(path),
            fix="name the folder that holds it, or set RIPIENO_DATA to the one above it.",
        )
    with np.load(path) as arrays:
        match table:
            case "nasbench201":
                return _nasbench201(name, arrays)
            case "taskset":
                return _taskset(name, task, arrays)
        choices = json.loads(str(arrays["space"]))
        objective = (
            Objective("mse") if table == "fcnet" else Objective("balanced_accuracy", "maximize")
        )
        return table_problem(name, choices, arrays[task], objective=objective)


def table_problem(
    name: str,
    choices: Mapping[str, Sequence[Value]],
    values: NDArray[np.floating],
    *,
    objective: Objective,
) -> Problem:
    """Return a table over all combinations of some choices as a problem of one epoch.

    Args:
        name: What it is called.
        choices: Names and choices, in the order of the axes. Where all are numbers they are
            searched by their place: ``Int(0, n - 1)``; else they are a ``Categorical``.
        values: Shape ``(*choices, repeats)``; NaN where a training diverged.
        objective: What the values are.
    """
    space = Space(**{each: _domain(options) for each, options in choices.items()})

    def measure(config: Config, _: int, repeat: int) -> float:
        place = tuple(_place(options, config[each]) for each, options in choices.items())
        return float(values[place][repeat])

    return Problem(
        name=name,
        space=space,
        measure=measure,
        objective=objective,
        repeats=values.shape[-1],
        optimum=_best(_means(values), objective),
    )


def curve_problem(
    name: str,
    space: Space,
    units: NDArray[np.floating],
    *,
    curves: NDArray[np.floating],
    objective: Objective,
) -> Problem:
    """Return recorded learning curves as a problem: a config stands for the nearest recorded one.

    Args:
        name: What it is called.
        space: What is searched.
        units: Where the recorded configs lie in the space's unit cube, ``(configs, dims)``.
        curves: The value after each epoch, ``(configs, epochs)``; NaN from where it diverged.
        objective: What the values are.
    """

    @functools.lru_cache(maxsize=4_096)
    def nearest(config: Config) -> int:
        return int(np.argmin(((units - space.encode(config)) ** 2).sum(axis=1)))

    return Problem(
        name=name,
        space=space,
        measure=lambda config, epoch, _: float(curves[nearest(config), epoch - 1]),
        objective=objective,
        epochs=curves.shape[1],
        optimum=_best(curves[:, -1], objective),
    )


def _nasbench201(name: str, arrays: Mapping[str, NDArray[np.generic]]) -> Problem:
    names = [str(each) for each in arrays["op_names"]]
    edges = ("edge_1_0", "edge_2_0", "edge_2_1", "edge_3_0", "edge_3_1", "edge_3_2")
    shape = (len(names),) * len(edges)
    places = tuple(np.asarray(arrays["ops"], np.int64).T)
    accuracy = np.asarray(arrays["valtest200"], np.float64)[0]
    values = np.full((*shape, accuracy.shape[1]), math.nan)
    values[places] = _filled(accuracy)
    seconds = np.full(shape, math.nan)
    seconds[places] = np.asarray(arrays["train_seconds200"], np.float64)[0]
    objective = Objective("accuracy", "maximize")
    problem = table_problem(name, dict.fromkeys(edges, names), values, objective=objective)

    def cost(config: Config) -> float:
        return float(seconds[tuple(_place(names, config[edge]) for edge in edges)])

    return Problem(
        name=name,
        space=problem.space,
        measure=problem.measure,
        objective=objective,
        seconds=cost,
        repeats=problem.repeats,
        optimum=problem.optimum,
    )


def _taskset(name: str, task: str, arrays: Mapping[str, NDArray[np.generic]]) -> Problem:
    names = [str(each) for each in arrays["hp_names"]]
    space = Space(**{each: Float(*_ADAM[each], log=True) for each in names})
    drawn = np.asarray(arrays[f"{task}__hp"], np.float64)
    for index, each in enumerate(names):
        if each.startswith("beta"):
            drawn[:, index] = 1.0 - drawn[:, index]
    lows, highs = np.log([_ADAM[each] for each in names]).T
    return curve_problem(
        name,
        space,
        (np.log(drawn) - lows) / (highs - lows),
        curves=np.asarray(arrays[f"{task}__valid"], np.float64)[:, 1:],
        objective=Objective("loss"),
    )


def _domain(options: Sequence[Value]) -> Domain:
    numbers = all(isinstance(each, int | float) and not isinstance(each, bool) for each in options)
    return Int(0, len(options) - 1) if numbers else Categorical(*options)


def _place(options: Sequence[Value], value: Value) -> int:
    return value if isinstance(value, int) else options.index(value)


def _filled(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the repeats with those that are missing replaced by others of the same row.

    Args:
        values: Shape ``(rows, repeats)``, at least one number a row.
    """
    present = np.isfinite(values)
    counts = present.sum(axis=1)
    order = np.argsort(~present, axis=1, kind="stable")  # those that are there come first
    repeats = np.arange(values.shape[1]) % counts[:, None]
    return np.take_along_axis(values, np.take_along_axis(order, repeats, axis=1), axis=1)


def _means(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return the mean over the repeats that have a number; NaN where none has."""
    finite = np.isfinite(values)
    sums = np.where(finite, values, 0.0).sum(axis=-1, dtype=np.float64)
    counts = finite.sum(axis=-1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), math.nan)


def _best(values: NDArray[np.floating], objective: Objective) -> float:
    finite = values[np.isfinite(values)]
    return float(finite.min() if objective.direction == "minimize" else finite.max())
