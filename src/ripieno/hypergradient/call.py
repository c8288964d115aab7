"""The one function: the gradient of a validation loss by hyperparameters."""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ripieno.errors import HypergradientError
from ripieno.hypergradient.forward import Forward
from ripieno.hypergradient.implicit import Implicit
from ripieno.hypergradient.problem import Method, Problem
from ripieno.hypergradient.trees import Loss, Tensors
from ripieno.hypergradient.unrolled import Unrolled

__all__ = ["METHODS", "check", "find_method", "hypergradient"]

METHODS: Mapping[str, Any] = {"implicit": Implicit, "unrolled": Unrolled, "forward": Forward}
"""Methods by name."""


def hypergradient(  # noqa: PLR0917 - the four things that every bilevel problem has
    train_loss: Loss,
    validation_loss: Loss,
    params: Tensors,
    hyper: Tensors,
    *,
    method: str | Method = "implicit",
    **options: Any,
) -> dict[str, Tensor]:
    """Return the gradient of the validation loss by every hyperparameter.

    Hyperparameters act on the validation loss by way of the parameters, which minimize the
    training loss, and directly, where the validation loss reads them itself. Both ways count.

    Both losses are functions of ``(params, hyper)``, two dictionaries of tensors, and return a
    scalar. They may as well return one number a row, ``(members,)``: then the first axis of every
    tensor counts the rows, and each row has its own hypergradient.

    Args:
        train_loss: What the parameters minimize.
        validation_loss: What the hyperparameters minimize.
        params: Parameters by name; left unchanged. ``"implicit"`` wants them trained, the other
            methods train them.
        hyper: Hyperparameters by name, of a floating-point type; left unchanged.
        method: ``"implicit"``, ``"unrolled"`` or ``"forward"``, or one of
            :class:`Implicit`, :class:`Unrolled` and :class:`Forward`.
        **options: Fields of the method that is named.

    Returns:
        A gradient for each name in ``hyper``, of the same shape.

    Raises:
        HypergradientError: Tensors or losses are of no use, a hyperparameter cannot be tuned in
            this way, a series diverges, or a number is not finite.
    """
    problem = Problem(train_loss, validation_loss, params, hyper)
    chosen = find_method(method, options)
    check(problem, finite=True)
    answer = chosen.answer(problem)
    if bool(answer.diverged.any()):
        raise HypergradientError(
            answer.reason[0] + _rows(answer.diverged) + ".",
            where=f"hypergradient(method={method!r})",
            fix=answer.reason[1],
        )
    for name, gradient in answer.gradients.items():
        if not bool(torch.isfinite(gradient).all()):
            raise HypergradientError(
                f"the gradient by {name!r} is not finite"
                f"{_rows(~torch.isfinite(gradient).view(*answer.diverged.shape, -1).all(-1))}.",
                where=f"hypergradient(method={method!r})",
                fix="look at both losses there; with a training that diverges, lower its "
                "learning rate or the number of steps.",
            )
    return answer.gradients


def check(problem: Problem, *, finite: bool) -> None:
    """Refuse tensors and losses that are of no use.

    Args:
        problem: Both losses are called once, without a graph.
        finite: Whether numbers that are not finite are refused too.

    Raises:
        HypergradientError: There are any.
    """
    _check_tensors("params", problem.params, finite=finite)
    _check_tensors("hyper", problem.hyper, finite=finite)
    _check_losses(problem, finite=finite)


def find_method(method: str | Method, options: Mapping[str, Any]) -> Method:
    """Return a method by name, with its options.

    Raises:
        HypergradientError: There is no such method or option.
    """
    if not isinstance(method, str):
        if options:
            raise HypergradientError(
                f"the option {next(iter(options))!r} is given beside a method that has its own.",
                where=f"method={method!r}",
                fix="set it in the method, or give the method by name.",
            )
        return method
    if method not in METHODS:
        raise HypergradientError(
            f"there is no method {method!r}.",
            where=f"methods: {', '.join(METHODS)}",
            fix="name one of these.",
        )
    kind = METHODS[method]
    known = list(kind.__dataclass_fields__)
    for name in options:
        if name not in known:
            raise HypergradientError(
                f"the method {method!r} has no option {name!r}.",
                where=f"options: {', '.join(known)}",
                fix="name one of these.",
            )
    found: Method = kind(**options)
    return found


def _check_tensors(kind: str, tensors: Mapping[str, Any], *, finite: bool) -> None:
    if not tensors:
        raise HypergradientError(
            f"there are no {kind}.",
            where=f"hypergradient({kind}={{}})",
            fix="pass a dictionary of tensors by name.",
        )
    for name, tensor in tensors.items():
        if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
            found = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
            raise HypergradientError(
                f"{name!r} is of type {found}, by which nothing can be differentiated.",
                where=f"{kind}: {', '.join(tensors)}",
                fix="pass a tensor of a floating-point type.",
            )
        if finite and not bool(torch.isfinite(tensor).all()):
            raise HypergradientError(
                f"{name!r} holds numbers that are not finite.",
                where=f"{kind}: {', '.join(tensors)}",
                fix="begin with finite numbers; a training that diverged has none.",
            )


def _check_losses(problem: Problem, *, finite: bool) -> None:
    """Refuse losses that are no scalars and no rows, or that are not finite."""
    params, hyper = dict(problem.params), dict(problem.hyper)
    members = {tensor.shape[:1] for tensor in [*params.values(), *hyper.values()]}
    with torch.no_grad():
        losses = {
            "training": problem.train_loss(params, hyper),
            "validation": problem.validation_loss(params, hyper),
        }
    for kind, loss in losses.items():
        other = losses["validation"].shape
        rows = loss.ndim == 0 or (loss.ndim == 1 and members == {loss.shape})
        if not rows or loss.shape != other:
            raise HypergradientError(
                f"the {kind} loss has the shape {tuple(loss.shape)}.",
                where="hypergradient: losses of (params, hyper)",
                fix="return a scalar from both losses; or one number a row from both, where the "
                "first axis of every tensor counts the rows.",
            )
        if finite and not bool(torch.isfinite(loss).all()):
            raise HypergradientError(
                f"the {kind} loss is not finite{_rows(~torch.isfinite(loss))}.",
                where="hypergradient: at the parameters that were given",
                fix="train with a smaller learning rate, or look for a logarithm of zero.",
            )


def _rows(which: Tensor) -> str:
    if which.ndim == 0:
        return ""
    return f" in row {', '.join(str(row) for row in which.nonzero().flatten().tolist())}"
