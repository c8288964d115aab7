"""The losses that the rows of a stack are judged by, as functions of their parameters."""

from collections.abc import Mapping

from torch import Tensor

from ripieno.population.losses import stacked_loss
from ripieno.population.step import StackedStep, named
from ripieno.recipes import LOSS_OPTIONS, TRAINING_OPTIONS

__all__ = ["judged_losses"]


def judged_losses(
    step: StackedStep,
    params: Mapping[str, Tensor],
    arrays: Mapping[str, Tensor],
    *,
    x: Tensor,
    y: Tensor,
    shared: bool = False,
) -> Tensor:
    """Return each row's mean loss on some rows of data, ``(members,)``.

    Models are in evaluation mode. Smoothing, weights and penalties are left out.

    Args:
        step: Runs the models, and names the loss.
        params: The parameters, through which a graph goes.
        arrays: The arrays of the stack.
        x: Inputs ``(members, batch, ...)``, or ``(batch, ...)`` if ``shared``.
        y: Targets as models are trained on, ``(members, batch, ...)``.
        shared: Whether all rows see the same inputs.
    """
    outputs = step.template.forward(
        {**named(arrays, "model/"), **params},
        x,
        members=len(y),
        numbers=named(arrays, "number/"),
        training=False,
        shared=shared,
    )
    names = (step.rules.uses & LOSS_OPTIONS) - TRAINING_OPTIONS
    # A knob that tunes itself must not move what it is judged by.
    options = {n: arrays.get(f"hyper/first_{n}", arrays[f"hyper/{n}"]) for n in names}
    losses, weights = stacked_loss(step.rules.loss)(outputs, y, **options)
    return losses.sum(-1) / weights.sum(-1)
