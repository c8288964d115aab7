"""What a trained module says about rows: probabilities, or values."""

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ripieno.errors import RecipeError
from ripieno.recipes.feeding import Features, as_tensor, pieces
from ripieno.recipes.streams import Stream
from ripieno.recipes.targets import Coding

__all__ = ["PIECE", "check_logits", "predict", "predict_probabilities", "predict_scores"]

PIECE = 256
"""Rows that are predicted at a time: their activations stay in the cache of a core."""


def predict_probabilities(
    module: nn.Module, x: NDArray[np.floating] | Features, *, batch_size: int = PIECE
) -> NDArray[np.float32]:
    """Return the class probabilities of rows, float32, shape ``(rows, classes)``.

    Args:
        module: Returns logits ``(batch, classes)``; it is run in evaluation mode and without
            gradients, and is left in the mode it was in.
        x: Preprocessed features, shape ``(rows, *features)``.
        batch_size: Rows at a time.

    Raises:
        RecipeError: The module returns something else than logits.
    """
    probabilities: NDArray[np.float32] = predict(module, x, Coding(), batch_size=batch_size)
    return probabilities


def predict(
    module: nn.Module,
    x: NDArray[np.floating] | Features,
    coding: Coding,
    *,
    batch_size: int = PIECE,
) -> NDArray[Any]:
    """Return the predictions of rows, shape ``(rows, outputs)``.

    Args:
        module: See :func:`predict_probabilities`.
        x: Preprocessed features, shape ``(rows, *features)``.
        coding: What the outputs of the module mean.
        batch_size: Rows at a time.

    Returns:
        Probabilities of classes or labels, float32, or values in the target's own units,
        float64.

    Raises:
        RecipeError: The module returns something else than rows of outputs.
    """
    rows = x if isinstance(x, Tensor | Stream) else as_tensor(x)
    return coding.predictions(predict_scores(module, rows, coding, batch_size=batch_size))


def predict_scores(
    module: nn.Module,
    x: Features,
    coding: Coding,
    *,
    outputs: int | None = None,
    batch_size: int = PIECE,
    between: Callable[[], None] = lambda: None,
) -> NDArray[np.float64]:
    """Return scores, float64, shape ``(rows, outputs)``.

    They are made in float64 whatever the dtype of the module, so that a log loss made of
    log-probabilities does not saturate.

    Args:
        module: See :func:`predict_probabilities`.
        x: Features, shape ``(rows, *features)``.
        coding: What the outputs of the module mean.
        outputs: How many outputs there must be; None for any number.
        batch_size: Rows at a time.
        between: Called before every batch.
    """
    first = next(module.parameters(), None)
    training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            parts = []
            for batch in pieces(x, batch_size):
                between()
                found = module(batch if first is None else batch.to(first.device, first.dtype))
                check_logits(found, module, rows=len(batch), classes=outputs)
                parts.append(coding.scores(found))
            return torch.cat(parts).cpu().numpy()
    finally:
        module.train(training)


def check_logits(logits: object, module: nn.Module, *, rows: int, classes: int | None) -> None:
    """Refuse what is no matrix of outputs, one row an example.

    Raises:
        RecipeError: It is no tensor, or one of another shape than ``(rows, classes)``.
    """
    shape = tuple(logits.shape) if isinstance(logits, Tensor) else ()
    if len(shape) == 2 and shape[0] == rows and classes in {None, shape[1]}:
        return
    found = f"a tensor of shape {shape}" if isinstance(logits, Tensor) else type(logits).__name__
    raise RecipeError(
        f"the model returned {found}, and outputs of shape ({rows}, {classes or 'outputs'}) "
        "are needed.",
        where=f"{type(module).__name__}.forward",
        fix="return one row an example: a logit for each class or label, or a value for each "
        "column of the targets.",
    )
