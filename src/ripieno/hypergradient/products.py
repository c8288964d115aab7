"""Products of vectors with the second derivatives of the training loss.

With the parameters ``w``, the hyperparameters ``l`` and the training loss ``T``::

    H = d2T / dw dw        J = d2T / dw dl

Exact products come from one graph of the gradient, which is differentiated once more for each
product. Differences come from two gradients a product, for operations that have no second
derivative (fused attention, recurrent layers of cuDNN), and are as exact as rounding allows.

Source: Pearlmutter, "Fast exact multiplication by the Hessian", Neural Computation 1994; Liu et
al., "DARTS: Differentiable architecture search", ICLR 2019, Eq. (8) (differences).
"""

from collections.abc import Callable, Iterable
from typing import Any, Protocol

import torch
from torch import Tensor

from ripieno.errors import HypergradientError
from ripieno.hypergradient.problem import Direct, Problem
from ripieno.hypergradient.trees import Tensors, add, column, leaves, norm, slopes

__all__ = ["PRODUCTS", "DifferenceProducts", "ExactProducts", "Products"]


class Products(Protocol):
    """Products with the second derivatives at one point."""

    def hessian(self, vector: Tensors) -> dict[str, Tensor]:
        """Return ``H v``, of the shapes of the parameters."""

    def mixed(self, vector: Tensors) -> Direct:
        """Return ``J^T v`` by hyperparameter; None for one that the gradient does not hold."""


class ExactProducts:
    """Products by differentiating the gradient once more.

    Args:
        problem: Whose training loss is differentiated, at its parameters.

    Raises:
        HypergradientError: An operation has no second derivative.
    """

    def __init__(self, problem: Problem) -> None:
        self._params, self._hyper = leaves(problem.params), leaves(problem.hyper)
        loss = problem.train_loss(dict(self._params), dict(self._hyper))
        found = slopes(loss, self._params, create_graph=True)
        self.used = frozenset(name for name, slope in found.items() if slope is not None)
        """The parameters that enter the training loss."""
        # A gradient that depends on nothing is constant: its derivative is zero.
        self._gradients = {
            name: slope
            for name, slope in found.items()
            if slope is not None and slope.requires_grad
        }
        _refuse_ends(gradient.grad_fn for gradient in self._gradients.values())

    def hessian(self, vector: Tensors) -> dict[str, Tensor]:
        """Return ``H v``."""
        found = self._pulled_back(vector, self._params)
        return {n: torch.zeros_like(vector[n]) if g is None else g for n, g in found.items()}

    def mixed(self, vector: Tensors) -> Direct:
        """Return ``J^T v``."""
        return self._pulled_back(vector, self._hyper)

    def _pulled_back(self, vector: Tensors, by: Tensors) -> Direct:
        if not self._gradients:
            return dict.fromkeys(by)
        try:
            found = torch.autograd.grad(
                list(self._gradients.values()),
                list(by.values()),
                [vector[name] for name in self._gradients],
                retain_graph=True,
                allow_unused=True,
            )
        except (RuntimeError, NotImplementedError) as error:
            if not _is_missing(error):
                raise
            raise _missing(str(error).splitlines()[0].rstrip(".")) from error
        return dict(zip(by, found, strict=True))


class DifferenceProducts:
    """Products by central differences of the gradient.

    A step is as long as makes the errors of truncation and of rounding alike: the cube root of
    the machine's epsilon, relative to the parameters, which is about the ``0.01 / norm(v)`` of
    DARTS in float32.

    Args:
        problem: Whose training loss is differentiated, at its parameters. A module with batch
            norm must not update its running statistics in it.
    """

    def __init__(self, problem: Problem) -> None:
        self._problem = problem
        with torch.no_grad():
            loss = problem.train_loss(dict(problem.params), dict(problem.hyper))
        self._axes = loss.ndim

    def hessian(self, vector: Tensors) -> dict[str, Tensor]:
        """Return ``H v``."""
        found = self._differences(vector, lambda params, _: params)
        return {n: torch.zeros_like(vector[n]) if g is None else g for n, g in found.items()}

    def mixed(self, vector: Tensors) -> Direct:
        """Return ``J^T v``."""
        return self._differences(vector, lambda _, hyper: hyper)

    def _differences(self, vector: Tensors, by: Callable[[Tensors, Tensors], Tensors]) -> Direct:
        params, length = self._problem.params, norm(vector, self._axes)
        size = norm(params, self._axes).clamp(min=1.0)
        relative = torch.finfo(size.dtype).eps ** (1 / 3)
        step = relative * size / torch.where(length > 0, length, 1.0)
        after, before = (self._gradients(vector, sign * step, by) for sign in (1.0, -1.0))
        found: Direct = {}
        for name, left in after.items():
            right = before[name]
            if left is None or right is None:
                found[name] = None
            else:
                found[name] = (left - right) / column(2 * step, left)
        return found

    def _gradients(
        self, vector: Tensors, factor: Tensor, by: Callable[[Tensors, Tensors], Tensors]
    ) -> Direct:
        params = leaves(add(self._problem.params, vector, factor=factor))
        hyper = leaves(self._problem.hyper)
        loss = self._problem.train_loss(dict(params), dict(hyper))
        return slopes(loss, by(params, hyper))


PRODUCTS: dict[str, Callable[[Problem], Products]] = {
    "exact": ExactProducts,
    "differences": DifferenceProducts,
}
"""Ways to a product by name."""


def _is_missing(error: Exception) -> bool:
    return "differentiate twice" in str(error) or "not implemented" in str(error)


def _refuse_ends(begin: Iterable[Any]) -> None:
    """Refuse a graph in which an operation says that it cannot be differentiated again.

    torch raises only where a path to what is asked for leads through it; behind such an
    operation there is no path, and its share would be missing without a word.

    Raises:
        HypergradientError: There is one.
    """
    left = [node for node in begin if node is not None]
    seen = set(left)
    while left:
        node = left.pop()
        if node.name() == "torch::autograd::Error":
            raise _missing("an operation is marked as differentiable once")
        new = {following for following, _ in node.next_functions if following is not None} - seen
        seen |= new
        left += new


def _missing(why: str) -> HypergradientError:
    return HypergradientError(
        f"the training loss has no second derivative: {why}.",
        where="an exact product with its Hessian",
        fix='pass products="differences", which takes two gradients instead.',
    )
