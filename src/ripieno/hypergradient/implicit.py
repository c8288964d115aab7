"""Hypergradients by the implicit function theorem.

Where the parameters minimize the training loss ``T``, they are a function of the
hyperparameters, and the validation loss ``V`` has the gradient::

    dF/dl = dV/dl - (dV/dw)^T H^-1 J        H = d2T/dw2, J = d2T/dw dl

It sees hyperparameters of the training loss alone: at the minimum, the learning rate and
whatever else only says how it was reached, are gone.

Source: Lorraine, Vicol and Duvenaud, "Optimizing millions of hyperparameters by implicit
differentiation", AISTATS 2020, Eq. (2).
"""

from dataclasses import dataclass
from typing import Literal

import torch

from ripieno.errors import HypergradientError
from ripieno.hypergradient.conjugate_gradient import conjugate_gradient
from ripieno.hypergradient.neumann import Solved, neumann
from ripieno.hypergradient.problem import Answer, Problem, refuse_unreached
from ripieno.hypergradient.products import PRODUCTS, Products
from ripieno.hypergradient.trees import Tensors

__all__ = ["Implicit"]

Solver = Literal["conjugate_gradient", "neumann", "identity"]
_SOLVERS = ("conjugate_gradient", "neumann", "identity")


@dataclass(frozen=True, slots=True)
class Implicit:
    """Hypergradients at parameters that are trained, or nearly so.

    Args:
        solver: What stands for the inverse of the Hessian: ``"conjugate_gradient"``, a
            truncated ``"neumann"`` series, or the ``"identity"``, which costs nothing and often
            has the right sign (T1-T2).
        iterations: Products with the Hessian.
        damping: Added to the Hessian's diagonal.
        step_size: Of the Neumann series; None takes it from power iteration.
        power_iterations: Products that power iteration takes beside.
        products: ``"exact"``, or ``"differences"`` of two gradients, where an operation has
            no second derivative.

    Raises:
        HypergradientError: A value is not allowed.
    """

    solver: Solver = "conjugate_gradient"
    iterations: int = 10
    damping: float = 0.0
    step_size: float | None = None
    power_iterations: int = 10
    products: Literal["exact", "differences"] = "exact"

    def __post_init__(self) -> None:
        _check_choice("solver", self.solver, _SOLVERS)
        _check_choice("products", self.products, tuple(PRODUCTS))
        numbers = {
            "iterations": (self.iterations, self.iterations >= 1),
            "damping": (self.damping, self.damping >= 0),
            "step_size": (self.step_size, self.step_size is None or self.step_size > 0),
            "power_iterations": (self.power_iterations, self.power_iterations >= 1),
        }
        for name, (value, allowed) in numbers.items():
            if not allowed:
                raise HypergradientError(
                    f"{name} = {value!r} is not allowed.",
                    where="Implicit(…)",
                    fix="damping is at least 0, every other number above 0.",
                )

    def answer(self, problem: Problem) -> Answer:
        """Return the gradient of the validation loss by every hyperparameter.

        Raises:
            HypergradientError: A hyperparameter enters neither the gradient of the training
                loss nor the validation loss, or a second derivative is missing.
        """
        axes, vector, direct = problem.validation_gradients(problem.params)
        products = PRODUCTS[self.products](problem)
        solved = self._solve(products, vector, axes)
        indirect = products.mixed(solved.solution)
        refuse_unreached(
            (name for name in direct if direct[name] is None and indirect[name] is None),
            method="implicit",
            fix="use it in the training loss; or tune a learning rate or a momentum, which a "
            'minimum has forgotten, with method="unrolled" or "forward".',
        )
        gradients = {}
        for name, value in problem.hyper.items():
            first, second = direct[name], indirect[name]
            total = torch.zeros_like(value) if first is None else first
            gradients[name] = total if second is None else total - second  # Eq. (2)
        return Answer(gradients, solved.diverged, solved.reason)

    def _solve(self, products: Products, vector: Tensors, axes: int) -> Solved:
        if self.solver == "identity":
            some = next(iter(vector.values()))
            fine = torch.zeros(some.shape[:axes], dtype=torch.bool, device=some.device)
            return Solved(dict(vector), fine)
        if self.solver == "conjugate_gradient":
            return conjugate_gradient(
                products, vector, iterations=self.iterations, axes=axes, damping=self.damping
            )
        return neumann(
            products,
            vector,
            iterations=self.iterations,
            axes=axes,
            damping=self.damping,
            step_size=self.step_size,
            power_iterations=self.power_iterations,
        )


def _check_choice(name: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise HypergradientError(
            f"there is no {name} {value!r}.",
            where="Implicit(…)",
            fix=f"use one of {', '.join(choices)}.",
        )
