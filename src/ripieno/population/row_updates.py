"""Updates in place by a kernel: one row that trains after another, or all that are alike."""

from collections.abc import Mapping

import torch
from torch import Tensor

from ripieno.population.optimizers import Numbers, RowKernel, Slots

__all__ = ["update_rows"]


def update_rows(
    kernel: RowKernel,
    parameters: Mapping[str, Tensor],
    gradients: Mapping[str, Tensor],
    *,
    slots: Mapping[str, Slots],
    taken: Tensor,
    hyper: Numbers,
    train: Tensor,
    present: Mapping[str, Tensor],
) -> None:
    """Take an optimizer's step in place; rows that do not train stay as they are.

    Rows that are alike in all numbers of the step are taken at once: the kernel computes each
    of their parameters' numbers as it would alone.

    Args:
        kernel: The optimizer's.
        parameters: ``(members, ...)`` by name.
        gradients: As the parameters; one without stays as it is.
        slots: What is kept, by parameter.
        taken: Steps that each row has taken before this one, int64, ``(members,)``.
        hyper: Every hyperparameter, ``(members,)``.
        train: Which rows train, bool, ``(members,)``.
        present: Where not all rows have a gradient of a parameter: which do.
    """
    numbers = {name: values.tolist() for name, values in hyper.items()}
    each = list(zip(taken.tolist(), *numbers.values(), strict=True))
    alike: dict[tuple[float, ...], list[int]] = {}
    for row, (trains, own) in enumerate(zip(train.tolist(), each, strict=True)):
        if trains:
            alike.setdefault(own, []).append(row)
    # A kernel knows no strides: where parameters are views of a flat array, each row is its own.
    solid = not present and all(p.is_contiguous() for p in parameters.values())
    for own, rows in alike.items():
        whole = solid and len(rows) == len(each)
        parts = [
            (slice(None) if whole else row, name)
            for row in (rows[:1] if whole else rows)
            for name in gradients
            if name not in present or bool(present[name][row])
        ]
        if not parts:
            continue  # a branch without parameters
        kept = {slot for _, name in parts for slot in slots[name]}
        kernel(
            [parameters[n][row] for row, n in parts],
            [gradients[n][row].contiguous() for row, n in parts],
            slots={slot: [slots[n][slot][row] for row, n in parts] for slot in kept},
            step=torch.tensor(float(own[0] + 1)),
            hyper=dict(zip(numbers, own[1:], strict=True)),
        )
