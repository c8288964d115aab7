"""The inverse of the Hessian by the method of conjugate gradients.

The number of iterations is fixed, so that the rows of a stack go on together; a row that has
converged, or has met a direction of negative curvature, keeps the solution that it has. A row
whose very first direction has negative curvature answers with that direction, as if the
Hessian were the identity.

Source: Pedregosa, "Hyperparameter optimization with approximate gradient", ICML 2016; Steihaug,
"The conjugate gradient method and trust regions in large scale optimization", 1983 (negative
curvature).
"""

import torch

from ripieno.hypergradient.neumann import Solved
from ripieno.hypergradient.products import Products
from ripieno.hypergradient.trees import Tensors, add, dot, where

__all__ = ["conjugate_gradient"]


def conjugate_gradient(
    products: Products, vector: Tensors, *, iterations: int, axes: int, damping: float = 0.0
) -> Solved:
    """Solve ``(H + damping I) x = v`` from ``x = 0``.

    Args:
        products: Products with the Hessian.
        vector: ``v``.
        iterations: Products to take.
        axes: See :mod:`ripieno.hypergradient.trees`.
        damping: Added to the Hessian's diagonal.
    """
    solution = {name: torch.zeros_like(tensor) for name, tensor in vector.items()}
    residual, direction = dict(vector), dict(vector)
    square = begin = dot(residual, residual, axes)
    going = torch.ones_like(begin, dtype=torch.bool)
    damped, one = torch.full_like(begin, damping), torch.ones_like(begin)
    enough = begin * torch.finfo(begin.dtype).eps ** 2
    for number in range(iterations):
        product = add(products.hessian(direction), direction, factor=damped)
        curvature = dot(direction, product, axes)
        # Written so that NaN goes on, and shows in the solution.
        going &= ~((curvature <= 0) | (square <= enough))
        if number == 0:
            solution = where(~going, vector, solution)
        length = square / torch.where(going, curvature, one)
        solution = where(going, add(solution, direction, factor=length), solution)
        residual = where(going, add(residual, product, factor=-length), residual)
        new = dot(residual, residual, axes)
        ratio = new / torch.where(going, square, one)
        direction = where(going, add(residual, direction, factor=ratio), direction)
        square = torch.where(going, new, square)
    return Solved(solution, torch.zeros_like(going))
