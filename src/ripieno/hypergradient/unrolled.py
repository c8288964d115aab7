"""Hypergradients by differentiating through the steps of training.

``K`` steps of the optimizer are taken with a graph, and the validation loss after them is
differentiated backwards through all of them. The graph, and so the memory, grows with ``K``.
From parameters that are trained already, ``K`` steps of gradient descent equal ``K`` terms of
the Neumann series.

A learning rate that is tuned over few steps comes out too small: it is best for the loss just
after them (Wu et al., ICLR 2018).

Source: Shaban et al., "Truncated back-propagation for bilevel optimization", AISTATS 2019.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from ripieno.errors import HypergradientError
from ripieno.hypergradient.problem import Answer, Problem, refuse_unreached
from ripieno.hypergradient.trees import leaves, slopes
from ripieno.hypergradient.updates import Update

__all__ = ["Unrolled", "check_steps"]


@dataclass(frozen=True, slots=True)
class Unrolled:
    """Hypergradients after some steps of training, in reverse.

    Args:
        steps: Steps to take, from the parameters that are given and a fresh optimizer.
        optimizer: Its name, as the knob ``optimizer`` has it.
        numbers: Its hyperparameters: a number, or the name of one of ``hyper``:
            ``{"lr": "lr", "momentum": 0.9}``.

    Raises:
        HypergradientError: A value is not allowed.
    """

    steps: int = 10
    optimizer: str = "sgd"
    numbers: Mapping[str, float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_steps(self.steps, "Unrolled(…)")
        Update(self.optimizer, self.numbers)

    def answer(self, problem: Problem) -> Answer:
        """Return the gradient of the validation loss by every hyperparameter.

        Raises:
            HypergradientError: A hyperparameter changes nothing.
        """
        update = Update(self.optimizer, self.numbers)
        params, hyper = leaves(problem.params), leaves(problem.hyper)
        loss = problem.train_loss(dict(params), dict(hyper))
        axes = loss.ndim
        update.check(hyper, axes)
        kept = update.first(params, hyper, axes)
        for number in range(self.steps):
            if number > 0:
                loss = problem.train_loss(dict(params), dict(hyper))
            found = slopes(loss, params, create_graph=True)
            gradients = {name: slope for name, slope in found.items() if slope is not None}
            params, kept = update.step(
                params, gradients, kept=kept, number=number, hyper=hyper, axes=axes
            )
        value = problem.validation_loss(dict(params), dict(hyper))
        reached = slopes(value, hyper)
        refuse_unreached(
            (name for name, slope in reached.items() if slope is None),
            method="unrolled",
            fix="use it in a loss, or name it among the numbers of the optimizer.",
        )
        gradients = {name: slope for name, slope in reached.items() if slope is not None}
        return Answer(gradients, torch.zeros_like(value, dtype=torch.bool))


def check_steps(steps: int, where: str) -> None:
    """Refuse fewer than one step.

    Raises:
        HypergradientError: There are fewer.
    """
    if steps < 1:
        raise HypergradientError(
            f"steps = {steps!r} trains nothing.", where=where, fix="take at least one step."
        )
