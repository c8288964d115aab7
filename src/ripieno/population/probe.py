"""What a few rows tell about a model: may it be stacked, and without vmap?"""

import warnings
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from ripieno.population.choice import words_of
from ripieno.population.loop import load_row
from ripieno.population.step import Batch, Rules, StackedStep, named
from ripieno.recipes import DropoutMode, raise_out_of_memory

__all__ = ["few", "find_leak", "is_close", "is_direct", "obstacle"]

_ROWS = 3
_CLOSE = 1e-3
"""How far outputs of single precision may differ, relative to the largest of them."""


def few(
    arrays: Mapping[str, Tensor], batch: Batch, *, rules: Rules
) -> tuple[dict[str, Tensor], Batch]:
    """Return copies of a few rows, all of them active, and their batch."""
    own = {n: a[:_ROWS].clone() for n, a in arrays.items() if not n.startswith("flat/")}
    some = {n: t if rules.shared and n == "x" else t[:_ROWS] for n, t in batch.items()}
    return own, {**some, "active": torch.ones_like(some["active"])}


def is_direct(
    step: StackedStep, module: nn.Module, *, arrays: Mapping[str, Tensor], batch: Batch
) -> bool:
    """Say whether the forward without vmap gives what the model itself gives.

    The outputs of the first and of the last row are compared, so that a forward which looks
    at types, or draws random numbers of its own, is told apart.

    Args:
        step: Its template is left ready for the forward without vmap.
        module: A module of the rows' signature; its own numbers are overwritten.
        arrays: The arrays of a few rows; left unchanged.
        batch: Their batch.
    """
    step.template.direct = True
    try:
        outputs = step.outputs(arrays, batch)
        for row in {0, len(outputs) - 1}:
            x = batch["x"] if step.rules.shared else batch["x"][row]
            load_row(module.train(), arrays, row)
            with torch.no_grad(), DropoutMode(batch["keys"][row]):
                own = module(x)
            if not is_close(outputs[row], own):
                return False
    except Exception:  # noqa: BLE001 - a user's forward may raise anything
        return False
    return True


def is_close(stacked: Tensor, own: Tensor) -> bool:
    """Say whether outputs are equal but for rounding: one that is wrong is far off."""
    if stacked.shape != own.shape:
        return False
    largest = float(own.abs().max())
    return bool(torch.allclose(stacked, own, rtol=0.0, atol=_CLOSE * largest, equal_nan=True))


def find_leak(step: StackedStep, arrays: Mapping[str, Tensor], batch: Batch) -> str | None:
    """Say which row's loss has a gradient in another row, or None."""
    with torch.enable_grad():
        objective, trained, _ = step.objectives(arrays, batch)
        if objective.shape != batch["active"].shape:
            return f"the loss has the shape {tuple(objective.shape)}, not one number a row"
        for row, own in enumerate(objective):
            found = torch.autograd.grad(
                own, list(trained.values()), retain_graph=True, allow_unused=True
            )
            pairs: list[tuple[str, Tensor | None]] = list(zip(trained, found, strict=True))
            for name, gradient in pairs:
                others = [other for other in range(len(objective)) if other != row]
                if gradient is not None and bool(gradient[others].any()):
                    return f"the loss of one row has a gradient in {name!r} of another"
    return None


def obstacle(step: StackedStep, arrays: Mapping[str, Tensor], batch: Batch) -> str | None:
    """Say why a model cannot be stacked, or None: a few rows are tried.

    Args:
        step: The step of the tier that is to be taken.
        arrays: The arrays of a stack; left unchanged.
        batch: A full batch.
    """
    if next(iter(named(arrays, "model/").values()), None) is None:
        return "the model has no parameters"
    own, some = few(arrays, batch, rules=step.rules)
    try:
        with warnings.catch_warnings(record=True) as heard:
            warnings.simplefilter("always")
            leak = find_leak(step, own, some)
    except Exception as error:  # noqa: BLE001 - a user's forward may raise anything
        raise_out_of_memory(error)
        return f"it cannot be stacked: {words_of(error)}"
    slow = [str(w.message) for w in heard if "batching rule" in str(w.message)]
    if slow:
        return f"vmap would run row by row anyway: {slow[0].split('. ')[0]}"
    return leak
