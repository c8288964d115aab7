"""The weights that all architectures of a supernet share, and how they are trained.

The rows of the training part are divided into two halves: the weights are trained on one, and
architectures are judged on the other.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from ripieno.errors import SearchError
from ripieno.nas.cells import Gates
from ripieno.nas.supernet import Supernet
from ripieno.recipes import Data, as_features, as_tensor, first_rows
from ripieno.space import Space

__all__ = ["Batch", "Settings", "SharedWeights"]

Batch = tuple[Tensor, Tensor]
"""Images and their classes."""


@dataclass(frozen=True, slots=True)
class Settings:
    """How the weights are trained: see ``search_supernet``."""

    epochs: int
    batch_size: int
    lr: float
    momentum: float
    weight_decay: float
    clip: float


class SharedWeights:
    """A supernet, its optimizer, and both halves of the rows; torch's generator draws them.

    Args:
        space: Of cells.
        data: Images and their classes.
        settings: How the weights are trained.
        share: One channel in so many goes through the operations.
    """

    def __init__(self, space: Space, data: Data, settings: Settings, *, share: int = 1) -> None:
        self.settings = settings
        self.net = Supernet(space, shape=data.shape, classes=data.outputs, share=share)
        dtype = torch.get_default_dtype()  # that of the supernet
        x = first_rows(as_features(data.train.x, dtype), len(data.train), dtype)
        y = as_tensor(data.train.y)
        order = torch.randperm(len(y))
        self._halves = [(x[rows], y[rows]) for rows in order.tensor_split(2)]
        self._optimizer = torch.optim.SGD(
            self.net.parameters(), settings.lr, settings.momentum,
            weight_decay=settings.weight_decay,
        )  # fmt: skip

    def rate(self, epoch: int) -> float:
        """Return the learning rate of an epoch."""
        cosine = (1.0 + math.cos(math.pi * epoch / self.settings.epochs)) / 2.0
        return self.settings.lr * (0.04 + 0.96 * cosine)

    def begin(self, epoch: int) -> float:
        """Begin an epoch, and return its learning rate."""
        lr = self.rate(epoch)
        self._optimizer.param_groups[0]["lr"] = lr
        self.net.train()
        return lr

    def batches(self) -> Iterator[tuple[Batch, Batch]]:
        """Yield a batch of either half; what is left over of either is dropped."""
        return zip(self._shuffled(0), self._shuffled(1), strict=False)

    def held(self) -> Iterator[Batch]:
        """Yield batches of the half that architectures are judged on, without an end."""
        while True:
            yield from self._shuffled(1)

    def held_loss(self, gates: Mapping[str, Gates]) -> float:
        """Return the loss on the whole half that architectures are judged on."""
        params, (x, y) = dict(self.net.named_parameters()), self._halves[1]
        total = 0.0
        with torch.no_grad():
            for rows in torch.split(torch.arange(len(y)), self.settings.batch_size):
                total += len(rows) * float(self.loss(params, gates, (x[rows], y[rows])))
        return total / len(y)

    def loss(
        self, params: Mapping[str, Tensor], gates: Mapping[str, Gates], batch: Batch
    ) -> Tensor:
        """Return the loss of a batch."""
        outputs: Tensor = functional_call(self.net, dict(params), (batch[0], gates))
        return F.cross_entropy(outputs, batch[1])

    def step(self, batch: Batch, gates: Mapping[str, Gates]) -> float:
        """Train the weights on a batch, and return its loss before.

        Raises:
            SearchError: The loss is not finite.
        """
        loss = F.cross_entropy(self.net(batch[0], gates), batch[1])
        value = float(loss.detach())
        if not math.isfinite(value):
            raise self.not_finite(value)
        self._optimizer.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self.net.parameters(), self.settings.clip)
        self._optimizer.step()
        return value

    def not_finite(self, loss: float) -> SearchError:
        """Return what there is to say of a loss that is not finite."""
        return SearchError(
            f"the loss of the supernet is {loss}.",
            where=f"search_supernet(lr={self.settings.lr})",
            fix="lower the learning rate, or scale the inputs.",
        )

    def _shuffled(self, half: int) -> Iterator[Batch]:
        x, y = self._halves[half]
        size = min(self.settings.batch_size, *(len(y) for _, y in self._halves))
        for rows in torch.split(torch.randperm(len(y)), size):
            if len(rows) == size:
                yield x[rows], y[rows]
