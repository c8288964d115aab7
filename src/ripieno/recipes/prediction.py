"""What a trained module says about rows: probabilities."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ripieno.errors import RecipeError
from ripieno.recipes.feeding import Features, as_tensor, pieces
from ripieno.recipes.streams import Stream

__all__ = ["as_tensor", "check_logits", "log_probabilities", "predict_probabilities"]

_BATCH = 256  # a batch's activations stay in the cache of a core


def predict_probabilities(
    module: nn.Module, x: NDArray[np.floating] | Features, *, batch_size: int = _BATCH
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
    rows = x if isinstance(x, Tensor | Stream) else as_tensor(x)
    return np.exp(log_probabilities(module, rows, batch_size=batch_size)).astype(np.float32)


def log_probabilities(
    module: nn.Module,
    x: Features,
    *,
    classes: int | None = None,
    batch_size: int = _BATCH,
    between: Callable[[], None] = lambda: None,
) -> NDArray[np.float64]:
    """Return the logarithms of the class probabilities, float64, shape ``(rows, classes)``.

    They are normalized in float64 whatever the dtype of the module, so that a log loss made
    of them does not saturate.

    Args:
        module: See :func:`predict_probabilities`.
        x: Features, shape ``(rows, *features)``.
        classes: How many logits there must be; None for any number.
        batch_size: Rows at a time.
        between: Called before every batch.
    """
    first = next(module.parameters(), None)
    dtype = None if first is None else first.dtype
    training = module.training
    module.eval()
    try:
        with torch.inference_mode():
            parts = []
            for batch in pieces(x, batch_size):
                between()
                logits = module(batch if dtype is None else batch.to(dtype))
                check_logits(logits, module, rows=len(batch), classes=classes)
                parts.append(torch.log_softmax(logits.double(), dim=1))
            return torch.cat(parts).numpy()
    finally:
        module.train(training)


def check_logits(logits: object, module: nn.Module, *, rows: int, classes: int | None) -> None:
    """Refuse what is no matrix of logits.

    Raises:
        RecipeError: It is no tensor, or one of another shape than ``(rows, classes)``.
    """
    shape = tuple(logits.shape) if isinstance(logits, Tensor) else ()
    if len(shape) == 2 and shape[0] == rows and classes in {None, shape[1]}:
        return
    found = f"a tensor of shape {shape}" if isinstance(logits, Tensor) else type(logits).__name__
    raise RecipeError(
        f"the model returned {found}, and logits of shape ({rows}, {classes or 'classes'}) "
        "are needed.",
        where=f"{type(module).__name__}.forward",
        fix="return one row of logits an example, one logit a class.",
    )
