"""Modules that an ensemble holds besides its members, and how they are stored."""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.special import expit
from torch import Tensor, nn

from ripieno.ensembles.metrics import SMALLEST
from ripieno.recipes import TaskName

__all__ = ["Fitted", "answers_of", "scores_of"]

_LABEL_EDGE = float(np.finfo(np.float32).eps)
Floats = NDArray[np.floating[Any]]


class Fitted(nn.Module, ABC):
    """A module that is stored as its name, plain options and tensors: nothing is pickled.

    ``type(self)(**self.options(), **self.tensors())`` is the same module again.
    """

    name: ClassVar[str]

    @abstractmethod
    def options(self) -> dict[str, Any]:
        """Return the arguments that are JSON-able, by name."""

    def tensors(self) -> dict[str, Tensor]:
        """Return the arguments that are tensors, by name: its buffers."""
        return dict(self.named_buffers())


def scores_of(answers: Floats, task: TaskName) -> Tensor:
    """Return what members give to a rule, float64, of the same shape.

    Args:
        answers: Probabilities or values, shape ``(…, rows, outputs)``.
        task: The task.

    Returns:
        Log-probabilities of classes, log-odds of labels, or the values.
    """
    exact = np.array(answers, dtype=np.float64)
    if task == "classification":
        exact = np.log(np.maximum(exact, SMALLEST))
    elif task == "multilabel":
        exact = np.clip(exact, _LABEL_EDGE, 1 - _LABEL_EDGE)
        exact = np.log(exact) - np.log1p(-exact)
    return torch.from_numpy(exact)


def answers_of(scores: Tensor, task: TaskName) -> NDArray[np.float64]:
    """Return probabilities or values out of scores, float64; see :func:`scores_of`."""
    exact: NDArray[np.float64] = scores.detach().double().cpu().numpy()
    if task == "classification":
        exact = np.exp(exact)
    elif task == "multilabel":
        exact = expit(exact)
    return exact
