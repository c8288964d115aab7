"""A stack of small networks that are trained side by side, each in batches of its own."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

__all__ = ["Perceptrons"]

_EPOCHS, _STEPS = 75, 300
"""At most so many of either: what a fit costs has a bound, however many rows there are."""
_BATCH = 32
_LR = 0.01
_BETAS = (0.9, 0.99)

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Perceptrons:
    """Multilayer perceptrons of one shape, which answer as one.

    Args:
        weights: Of each layer, shape ``(members, inputs, outputs)``.
        biases: Of each layer, shape ``(members, 1, outputs)``.
    """

    weights: Sequence[Tensor]
    biases: Sequence[Tensor]

    @classmethod
    def fit(
        cls,
        x: Array,
        y: Array,
        *,
        members: int,
        seed: int,
        sizes: Sequence[int] = (20, 20, 20),
    ) -> "Perceptrons":
        """Return networks that have learnt ``y`` from ``x``, by the mean absolute error.

        Args:
            x: Shape ``(rows, features)``.
            y: Shape ``(rows,)``.
            members: How many; each begins with weights and takes rows in a sequence of its own.
            seed: Of the weights and the sequences.
            sizes: Units of the hidden layers, which end with ReLUs.
        """
        generator = torch.Generator().manual_seed(seed)
        inputs, targets = torch.from_numpy(x), torch.from_numpy(y)
        stack = cls.untrained(members, (x.shape[1], *sizes, 1), generator)
        parameters = [p.requires_grad_() for p in (*stack.weights, *stack.biases)]
        # The loop over parameters costs more than what it computes: they are moved in one call.
        optimizer = torch.optim.Adam(parameters, _LR, betas=_BETAS, fused=True)
        with torch.enable_grad():
            for _ in range(min(_EPOCHS, max(1, _STEPS * _BATCH // len(x)))):
                order = torch.rand(members, len(x), generator=generator).argsort(1)
                for rows in torch.split(order, _BATCH, dim=1):
                    # Summed over the members: none sees the loss of another one.
                    loss = (stack.answer(inputs[rows]) - targets[rows]).abs().mean(1).sum()
                    optimizer.zero_grad()
                    torch.autograd.backward(loss)
                    optimizer.step()
        return stack

    @classmethod
    def untrained(
        cls, members: int, sizes: Sequence[int], generator: torch.Generator
    ) -> "Perceptrons":
        """Return networks with Glorot's weights and without biases.

        Args:
            members: How many.
            sizes: Of all layers, from features to outputs.
            generator: Of the weights.
        """
        pairs = list(pairwise(sizes))
        drawn = [
            torch.rand(members, *pair, generator=generator, dtype=torch.float64) for pair in pairs
        ]
        weights = [
            (2.0 * each - 1.0) * (6.0 / sum(pair)) ** 0.5
            for each, pair in zip(drawn, pairs, strict=True)
        ]
        return cls(weights, [each.new_zeros(members, 1, each.shape[2]) for each in weights])

    def answer(self, x: Tensor) -> Tensor:
        """Return the output of each member for rows of its own.

        Args:
            x: Shape ``(members, rows, features)``.

        Returns:
            Shape ``(members, rows)``.
        """
        last = len(self.weights) - 1
        for layer, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            x = torch.baddbmm(bias, x, weight)
            x = x if layer == last else x.relu()
        return x[..., 0]

    def predict(self, x: Array) -> Array:
        """Return the output of each member for the same rows.

        Args:
            x: Shape ``(rows, features)``.

        Returns:
            Shape ``(members, rows)``.
        """
        with torch.no_grad():
            rows = torch.from_numpy(x).expand(len(self.weights[0]), -1, -1)
            found: Array = self.answer(rows).numpy()
        return found
