"""Functions to minimise, whose best value is known: what ``search.py`` searches beside tables.

The default config, which is everybody's first, lies far from the optima of Ackley and
Rosenbrock, and Ackley's range is not centred on its optimum: no search is to find it because
it begins, or likes to look, in the middle.

Source: S. Surjanovic, D. Bingham, "Virtual Library of Simulation Experiments", 2013 (Hartmann,
Ackley and Rosenbrock).
"""

import math
from collections.abc import Callable

import numpy as np

from ripieno.records import Config, Objective
from ripieno.space import Categorical, Float, Int, Space
from ripieno.testing import Problem

__all__ = ["functions"]

_ALPHA = np.array([1.0, 1.2, 3.0, 3.2])
_A = np.array(
    [
        [10, 3, 17, 3.5, 1.7, 8],
        [0.05, 10, 17, 0.1, 8, 14],
        [3, 3.5, 1.7, 10, 17, 8],
        [17, 8, 0.05, 10, 0.1, 14],
    ]
)
_P = 1e-4 * np.array(
    [
        [1312, 1696, 5569, 124, 8283, 5886],
        [2329, 4135, 8307, 3736, 1004, 9991],
        [2348, 1451, 3522, 2883, 3047, 6650],
        [4047, 8828, 8732, 5743, 1091, 381],
    ]
)
_VALUE = Objective("value")


def functions() -> list[Problem]:
    """Return Hartmann-6, Ackley-10, Rosenbrock-5 and a conditional space."""
    return [
        _of_reals("hartmann6", hartmann6, dims=6, low=0.0, high=1.0, optimum=-3.322368011391339),
        _of_reals("ackley10", ackley10, dims=10, low=-5.0, high=10.0, default=8.0),
        _of_reals("rosenbrock5", rosenbrock, dims=5, low=-2.0, high=2.0, default=-1.5),
        Problem(
            name="conditional",
            space=CONDITIONAL,
            measure=lambda config, *_: conditional(config),
            objective=_VALUE,
            optimum=0.0,
        ),
    ]


def hartmann6(x: np.ndarray) -> float:
    """Six minima in six dimensions; the lowest is -3.3224."""
    return -float(_ALPHA @ np.exp(-(_A * (x - _P) ** 2).sum(axis=1)))


def ackley10(x: np.ndarray) -> float:
    """A narrow funnel in a field of small minima; 0 at the origin."""
    near = -20.0 * math.exp(-0.2 * math.sqrt(float(np.mean(x**2))))
    return near - math.exp(float(np.mean(np.cos(2.0 * math.pi * x)))) + 20.0 + math.e


def rosenbrock(x: np.ndarray) -> float:
    """A bent valley; 0 at (1, …, 1)."""
    return float(np.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1.0 - x[:-1]) ** 2))


CONDITIONAL = Space(
    model=Categorical("linear", "trees", "network"),
    l2=Float(1e-6, 1e2, log=True).when(model="linear"),
    depth=Int(1, 16).when(model="trees"),
    trees=Int(8, 1024, log=True).when(model="trees"),
    layers=Int(1, 3).when(model="network"),
    width_1=Int(8, 512, log=True).when(model="network"),
    width_2=Int(8, 512, log=True).when(model="network", layers=(2, 3)),
    width_3=Int(8, 512, log=True).when(model="network", layers=3),
    optimizer=Categorical("sgd", "adam").when(model="network"),
    lr=Float(1e-5, 1.0, log=True).when(model="network"),
    momentum=Float(0.0, 0.99).when(model="network", optimizer="sgd"),
)
"""Three kinds of model, each with its own hyperparameters: up to ten names, one to eight active."""


def conditional(config: Config) -> float:
    """Return a loss of three valleys: an easy one, a better one, and a narrow best one.

    The linear model reaches 0.3 at once, the trees 0.1 in two dimensions, and the network 0
    with two layers of widths 128 and 64, SGD with a momentum of 0.9 and a learning rate of
    0.02; with Adam it reaches 0.02, and a third layer adds 0.02.
    """
    if config.model == "linear":
        return 0.3 + 0.01 * math.log10(config.l2 / 0.1) ** 2
    if config.model == "trees":
        return 0.1 + ((config.depth - 6) / 12) ** 2 + 0.05 * math.log2(config.trees / 256) ** 2 / 4
    best_lr = 0.02 if config.optimizer == "sgd" else 0.002
    loss = 0.0 if config.optimizer == "sgd" else 0.02
    loss += 0.15 * math.log10(config.lr / best_lr) ** 2
    loss += (config.momentum - 0.9) ** 2 / 2 if config.optimizer == "sgd" else 0.0
    loss += {1: 0.06, 2: 0.0, 3: 0.02}[config.layers]
    for name, best in (("width_1", 128), ("width_2", 64), ("width_3", 32)):
        if name in config:
            loss += 0.02 * math.log2(config[name] / best) ** 2
    return loss


def _of_reals(
    name: str,
    function: Callable[[np.ndarray], float],
    *,
    dims: int,
    low: float,
    high: float,
    default: float | None = None,
    optimum: float = 0.0,
) -> Problem:
    names = [f"x{index + 1}" for index in range(dims)]
    return Problem(
        name=name,
        space=Space(**{each: Float(low, high, default=default) for each in names}),
        measure=lambda config, *_: function(np.array([config[each] for each in names])),
        objective=_VALUE,
        optimum=optimum,
    )
