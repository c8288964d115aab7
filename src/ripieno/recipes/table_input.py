"""What stands before the dense layers of a network that reads tables.

Source: Gorishniy, Rubachev and Babenko, "On embeddings for numerical features in tabular deep
learning", NeurIPS 2022 (periodic embeddings); Guo and Berkhahn, "Entity embeddings of
categorical variables", arXiv:1604.06737.
"""

import math
from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

__all__ = ["FREQUENCY_SCALE", "PeriodicEmbedding", "TableInput", "embedding_width"]

FREQUENCY_SCALE = 1.0
"""Standard deviation of the initial frequencies, for numbers of deviation one."""

_FREQUENCIES = 16
_WIDTH = 8
_WIDEST = 32


class TableInput(nn.Module):
    """Embeds the first and the last features of a row, and passes on those between.

    Args:
        features: Features of a row.
        numbers: How many of the first are numbers that get a periodic embedding; 0 for none.
        cardinalities: For each of the last features, how many whole numbers it can hold; such
            a feature is looked up, and zero stands for nothing.
        frequency_scale: Standard deviation of the initial frequencies.

    Shape: ``(batch, features)`` to ``(batch, width)``, with the attribute ``width``.
    """

    def __init__(
        self,
        features: int,
        *,
        numbers: int = 0,
        cardinalities: Sequence[int] = (),
        frequency_scale: float = FREQUENCY_SCALE,
    ) -> None:
        super().__init__()
        self.numbers = numbers
        self.looked_up = len(cardinalities)
        self.periodic = PeriodicEmbedding(numbers, frequency_scale) if numbers else None
        self.tables = nn.ModuleList(map(_table, cardinalities))
        looked_up = sum(map(embedding_width, cardinalities))
        self.width = features - self.looked_up + numbers * _WIDTH + looked_up

    def forward(self, x: Tensor) -> Tensor:
        """Return the embedded features, the others first."""
        x = x.flatten(1)
        end = x.shape[1] - self.looked_up
        parts = [x[:, :end]]
        if self.periodic is not None:
            parts.append(self.periodic(x[:, : self.numbers]))
        parts += [table(x[:, end + i].long()) for i, table in enumerate(self.tables)]
        return torch.cat(parts, dim=1)


class PeriodicEmbedding(nn.Module):
    """Waves of learned frequencies for each number, mixed by a layer of its own.

    A dense network learns smooth functions first; with waves of its numbers it can also learn
    that a place five streets away is another one.

    Args:
        numbers: How many numbers a row has.
        frequency_scale: Standard deviation of the initial frequencies: how fine the
            differences are that it begins with.

    Shape: ``(batch, numbers)`` to ``(batch, numbers * 8)``.
    """

    def __init__(self, numbers: int, frequency_scale: float) -> None:
        super().__init__()
        self.frequencies = nn.Parameter(frequency_scale * torch.randn(numbers, _FREQUENCIES))
        bound = (2 * _FREQUENCIES) ** -0.5
        self.weight = nn.Parameter(
            torch.empty(numbers, 2 * _FREQUENCIES, _WIDTH).uniform_(-bound, bound)
        )
        self.bias = nn.Parameter(torch.empty(numbers, _WIDTH).uniform_(-bound, bound))

    def forward(self, x: Tensor) -> Tensor:
        """Return the embedding of each number, one behind the other."""
        angles = 2 * math.pi * self.frequencies * x.unsqueeze(-1)
        waves = torch.cat([angles.cos(), angles.sin()], dim=-1)  # (batch, numbers, 2 * waves)
        mixed = torch.einsum("bnw,nwd->bnd", waves, self.weight) + self.bias
        return F.relu(mixed).flatten(1)


def embedding_width(cardinality: int) -> int:
    """Return how many numbers stand for one of so many categories: 1.6 times its power .56."""
    return min(_WIDEST, math.ceil(1.6 * math.pow(cardinality, 0.56)))


def _table(cardinality: int) -> nn.Embedding:
    table = nn.Embedding(cardinality, embedding_width(cardinality), padding_idx=0)
    with torch.no_grad():
        # Rows of length one, as a category among zeros and ones is.
        table.weight.mul_(table.embedding_dim**-0.5)
    return table
