"""The inverse of the Hessian as a truncated Neumann series.

With a step size ``a`` below ``2 / largest eigenvalue``::

    H^-1 v = a * sum_k (I - a H)^k v        error after K terms: (1 - a * smallest)^K

The step size comes from power iteration that begins at ``v``: an eigenvector that has no part in
``v`` has none in the series.

Source: Lorraine, Vicol and Duvenaud, "Optimizing millions of hyperparameters by implicit
differentiation", AISTATS 2020, Eq. (5) and Algorithm 3.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from ripieno.hypergradient.products import Products
from ripieno.hypergradient.trees import Tensors, add, column, norm

__all__ = ["Solved", "largest_eigenvalue", "neumann"]

_SAFETY = 1.5
"""Step size in units of 1 / (estimate of the largest eigenvalue), which lies below the true one."""


@dataclass(frozen=True, slots=True)
class Solved:
    """The solution of ``(H + damping I) x = v``.

    Args:
        solution: ``x``.
        diverged: Rows where there is none, bool, ``()`` or ``(members,)``.
        reason: What happened in those rows, and how to mend it.
    """

    solution: dict[str, Tensor]
    diverged: Tensor
    reason: tuple[str, str] = ("", "")


def largest_eigenvalue(products: Products, start: Tensors, *, iterations: int, axes: int) -> Tensor:
    """Return the absolute value of the Hessian's largest eigenvalue, ``()`` or ``(members,)``.

    It is estimated from below, by the growth of a vector; 0 where the Hessian or the vector
    is zero.

    Args:
        products: Products with the Hessian.
        start: A vector; eigenvectors that have no part in it are not seen.
        iterations: Products to take.
        axes: See :mod:`ripieno.hypergradient.trees`.
    """
    vector, growth = dict(start), norm(start, axes)
    for _ in range(iterations):
        unit = torch.where(growth > 0, 1 / growth, 0.0)
        vector = products.hessian({n: t * column(unit, t) for n, t in vector.items()})
        growth = norm(vector, axes)
    return growth


def neumann(
    products: Products,
    vector: Tensors,
    *,
    iterations: int,
    axes: int,
    damping: float = 0.0,
    step_size: float | None = None,
    power_iterations: int = 10,
) -> Solved:
    """Solve ``(H + damping I) x = v`` by ``iterations`` terms beyond the first one.

    Args:
        products: Products with the Hessian.
        vector: ``v``.
        iterations: Products to take.
        axes: See :mod:`ripieno.hypergradient.trees`.
        damping: Added to the Hessian's diagonal.
        step_size: ``a``; None takes it from power iteration, for each row its own.
        power_iterations: Products that power iteration takes.
    """
    begin = norm(vector, axes)
    if step_size is None:
        largest = damping + largest_eigenvalue(
            products, vector, iterations=power_iterations, axes=axes
        )
        step = torch.where(largest > 0, _SAFETY / largest, 1.0)
    else:
        step = torch.full_like(begin, step_size)
    term, total = dict(vector), dict(vector)
    for _ in range(iterations):
        product = add(products.hessian(term), term, factor=torch.full_like(begin, damping))
        term = add(term, product, factor=-step)  # Eq. (5)
        total = {name: tensor + term[name] for name, tensor in total.items()}
    # Terms of a series that converges never grow. `~` rather than `>`: NaN diverges too.
    diverged = ~(norm(term, axes) <= begin * (1 + 1e-6))
    solution = {name: tensor * column(step, tensor) for name, tensor in total.items()}
    return Solved(solution, diverged, _reason(diverged, step, step_size))


def _reason(diverged: Tensor, step: Tensor, given: float | None) -> tuple[str, str]:
    if not bool(diverged.any()):
        return "", ""
    worst = float(step[diverged].max())
    if given is None:
        return (
            f"the Neumann series diverges at its own step size of {worst:.3g}: the Hessian has "
            "negative eigenvalues, or power iteration has not found the largest one",
            "raise damping or power_iterations, or take the conjugate gradient.",
        )
    return (
        f"the Neumann series diverges at step_size = {given:g}: the step is beyond 2 / largest "
        "eigenvalue of the Hessian, or the Hessian has negative eigenvalues",
        "leave step_size out, so that power iteration finds it, or raise damping.",
    )
