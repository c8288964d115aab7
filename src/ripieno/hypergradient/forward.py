"""Hypergradients carried along with training, in forward mode.

For each hyperparameter the derivative of all parameters goes through every step beside them::

    Z_0 = 0,   Z_{t+1} = A_t Z_t + B_t,   A = d step / d params, B = d step / d hyper

Its memory does not depend on the number of steps, and its cost grows with the number of
hyperparameters: for a few of them over a long training.

Source: Franceschi et al., "Forward and reverse gradient-based hyperparameter optimization",
ICML 2017, Eq. (15).
"""

import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor
from torch.func import grad, jvp

from ripieno.errors import HypergradientError
from ripieno.hypergradient.problem import Answer, Problem, refuse_unreached
from ripieno.hypergradient.products import ExactProducts
from ripieno.hypergradient.trees import Tensors
from ripieno.hypergradient.unrolled import check_steps
from ripieno.hypergradient.updates import Kept, Update

__all__ = ["Forward"]

_MOST = 64
"""Values of hyperparameters beyond which a backward method is cheaper by far."""

_State = tuple[dict[str, Tensor], dict[str, dict[str, Tensor]], dict[str, Tensor]]
"""Parameters, slots of parameters and slots of rows."""


@dataclass(frozen=True, slots=True)
class Forward:
    """Hypergradients after some steps of training, beside it.

    Args:
        steps: Steps to take, from the parameters that are given and a fresh optimizer.
        optimizer: Its name, as the knob ``optimizer`` has it.
        numbers: Its hyperparameters: a number, or the name of one of ``hyper``:
            ``{"lr": "lr", "momentum": 0.9}``.

    Raises:
        HypergradientError: A value is not allowed.
    """

    steps: int = 100
    optimizer: str = "sgd"
    numbers: Mapping[str, float | str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        check_steps(self.steps, "Forward(…)")
        Update(self.optimizer, self.numbers)

    def answer(self, problem: Problem) -> Answer:
        """Return the gradient of the validation loss by every hyperparameter.

        Raises:
            HypergradientError: A hyperparameter changes nothing, there are too many of them,
                or an operation has no derivative in forward mode.
        """
        update = Update(self.optimizer, self.numbers)
        axes, _, direct = problem.validation_gradients(problem.params)
        update.check(problem.hyper, axes)
        products = ExactProducts(problem)
        mixed = products.mixed({n: torch.ones_like(p) for n, p in problem.params.items()})
        refuse_unreached(
            (n for n in direct if direct[n] is mixed[n] is None and n not in update.named),
            method="forward",
            fix="use it in a loss, or name it among the numbers of the optimizer.",
        )
        directions = _directions(problem.hyper, axes)
        kept = update.first(problem.params, problem.hyper, axes)
        state: _State = (
            {name: p.detach() for name, p in problem.params.items()},
            {name: dict(own) for name, own in kept.slots.items()},
            dict(kept.rows),
        )
        tangents = [_zeros(state) for _ in directions]
        for number in range(self.steps):
            step = _step(problem, update, products.used, number=number, axes=axes)
            before = state
            for index, (_, _, direction) in enumerate(directions):
                state, tangents[index] = _pushed(
                    step, (before, problem.hyper), (tangents[index], direction)
                )
        return self._collected(problem, state[0], directions=directions, tangents=tangents)

    def _collected(
        self, problem: Problem, params: Tensors, *, directions: Any, tangents: Any
    ) -> Answer:
        gradients = {name: torch.zeros_like(value) for name, value in problem.hyper.items()}
        value = torch.zeros(())
        for (name, place, direction), tangent in zip(directions, tangents, strict=True):
            value, slope = _pushed(
                problem.validation_loss, (params, problem.hyper), (tangent[0], direction)
            )
            flat = gradients[name].view(*value.shape, -1)
            flat[..., place] = slope.to(flat.dtype)
        return Answer(gradients, torch.zeros_like(value, dtype=torch.bool))


def _step(problem: Problem, update: Update, used: frozenset[str], *, number: int, axes: int) -> Any:
    """Return one step of training as a function of a state and the hyperparameters."""

    def step(state: _State, hyper: dict[str, Tensor]) -> _State:
        params, slots, rows = state

        def objective(moving: dict[str, Tensor]) -> Tensor:
            return problem.train_loss({**params, **moving}, dict(hyper)).sum()

        gradients = grad(objective)({name: params[name] for name in params if name in used})
        new, kept = update.step(
            params, gradients, kept=Kept(slots, rows), number=number, hyper=hyper, axes=axes
        )
        return new, {name: dict(own) for name, own in kept.slots.items()}, dict(kept.rows)

    return step


def _directions(hyper: Tensors, axes: int) -> list[tuple[str, int, dict[str, Tensor]]]:
    """Return for every value of a hyperparameter its name, its place and its unit vector."""
    found = []
    for name, value in hyper.items():
        flat = value.reshape(*value.shape[:axes], -1)
        for place in range(flat.shape[-1]):
            own = torch.zeros_like(flat)
            own[..., place] = 1.0
            others = {n: torch.zeros_like(v) for n, v in hyper.items()}
            found.append((name, place, {**others, name: own.view_as(value)}))
    if len(found) > _MOST:
        raise HypergradientError(
            f"there are {len(found)} values of hyperparameters, and each costs a pass of its own.",
            where='method="forward"',
            fix=f'tune at most {_MOST} values, or take method="implicit" or "unrolled".',
        )
    return found


def _zeros(state: _State) -> _State:
    params, slots, rows = state
    return (
        {name: torch.zeros_like(p) for name, p in params.items()},
        {n: {s: torch.zeros_like(t) for s, t in own.items()} for n, own in slots.items()},
        {name: torch.zeros_like(row) for name, row in rows.items()},
    )


def _pushed(function: Any, at: tuple[Any, Any], along: tuple[Any, Any]) -> tuple[Any, Any]:
    """Return a function's value and its derivative along a direction.

    Raises:
        HypergradientError: An operation has no derivative in forward mode.
    """
    try:
        with warnings.catch_warnings():
            # torch 2.13 warns of its own code, where it first loads its rules of this mode.
            warnings.filterwarnings("ignore", ".*torch.jit", DeprecationWarning)
            pushed: Any = jvp(function, (at[0], dict(at[1])), along)
    except (RuntimeError, NotImplementedError) as error:
        if "forward AD" not in str(error) and "forward-mode" not in str(error):
            raise
        raise HypergradientError(
            "an operation has no derivative in forward mode: "
            f"{str(error).splitlines()[0].rstrip('.')}.",
            where="a step of training",
            fix='take method="unrolled", which goes backwards.',
        ) from error
    value, slope = pushed
    return value, slope
