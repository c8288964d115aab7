"""Several processes that train one model together: data parallelism by ``torch.distributed``.

Every process, a *rank*, holds the whole model and reads the whole batch, as one process does,
and the model sees a share of the batch's rows in each. What is added up over a batch is added
up over all shares: losses, their weights, gradients (``DistributedDataParallel``), and the
statistics of batch norms (:mod:`ripieno.recipes.batch_norm`). So each rank takes the step that
one process would take, up to rounding, and all decide alike, since they decide by the same
numbers.

Source: Li et al., "PyTorch Distributed: Experiences on accelerating data parallel training",
VLDB 2020.
"""

import os
import socket
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ripieno.recipes.feeding import Features
from ripieno.recipes.knobs import Knobs
from ripieno.recipes.losses import reduce
from ripieno.recipes.regularizers import penalty
from ripieno.recipes.streams import Stream

__all__ = ["Forward", "Ranks", "Share"]

Forward = Callable[[Tensor], tuple[Tensor, Tensor | None]]
"""Maps inputs to the model's outputs, and to what is added to their loss, or None."""


@dataclass(frozen=True, slots=True)
class Share:
    """The rows of a batch that one rank's model sees.

    Args:
        begin: First of them.
        end: The row behind the last of them.
        rows: Rows of the whole batch.
    """

    begin: int
    end: int
    rows: int

    @property
    def is_whole(self) -> bool:
        """Whether these are all rows."""
        return self.end - self.begin == self.rows

    def of(self, batch: Tensor) -> Tensor:
        """Return these rows of something that has one row for each of the batch's."""
        return batch if self.is_whole else batch[self.begin : self.end]

    def within(self, rows: int) -> "Share | None":
        """Return the share of a larger tensor, some rows of which belong to each of these.

        Args:
            rows: Rows that the tensor has for this share.

        Returns:
            None where the rows are no multiple of the share's: they are none of the batch.
        """
        each, rest = divmod(rows, self.end - self.begin)
        return None if rest else Share(self.begin * each, self.end * each, self.rows * each)


@dataclass(frozen=True, slots=True)
class Ranks:
    """The processes that train one model together, seen from one of them; one by default.

    Args:
        rank: Number of this process.
        size: Number of all processes.
        meeting: Path of a file, which must not exist before, by which they find each other.
        patience_seconds: How long one waits for another before it gives up.
    """

    rank: int = 0
    size: int = 1
    meeting: str = ""
    patience_seconds: float = 600.0

    def join(self, device: torch.device) -> None:
        """Wait for the other processes, once in the life of this one.

        Args:
            device: Where the model is.
        """
        if self.size == 1 or torch.distributed.is_initialized():
            return
        if device.type == "cuda":
            torch.cuda.set_device(device)  # where NCCL allocates what it needs
        # Left alone they would take an address that any on the network can connect to.
        loopback = next(name for _, name in socket.if_nameindex() if name.startswith("lo"))
        os.environ["GLOO_SOCKET_IFNAME"] = os.environ["NCCL_SOCKET_IFNAME"] = loopback
        torch.distributed.init_process_group(
            self._backend(device),
            store=torch.distributed.FileStore(self.meeting, self.size),  # type: ignore[attr-defined]
            rank=self.rank,
            world_size=self.size,
            timeout=timedelta(seconds=self.patience_seconds),
        )

    def _backend(self, device: torch.device) -> str:
        """Return who carries tensors of each device: NCCL where every rank has its own GPU."""
        if device.type == "cuda" and torch.cuda.device_count() >= self.size:
            return "cpu:gloo,cuda:nccl"
        return "gloo"

    def share(self, rows: int) -> Share:
        """Return this rank's share of a batch; all of one that has fewer rows than ranks."""
        if rows < self.size:
            return Share(0, rows, rows)
        return Share(rows * self.rank // self.size, rows * (self.rank + 1) // self.size, rows)

    def forward(self, module: nn.Module, knobs: Knobs) -> Forward:
        """Return what calls a model, so that its gradient becomes the mean over all ranks."""
        whole = _WithPenalty(module, knobs)
        if self.size == 1:
            return whole
        # With it a model may leave parameters out, as it may in one process; and the order in
        # which gradients are added up does not change after the first step.
        return nn.parallel.DistributedDataParallel(whole, find_unused_parameters=True)

    def objective(
        self, losses: Tensor, weights: Tensor, share: Share
    ) -> tuple[Tensor, float, float]:
        """Return what this rank's gradient is taken of.

        The mean of the ranks' gradients of it is the gradient of the whole batch's loss.

        Args:
            losses: Of this rank's examples, ``(share,)``.
            weights: Of the same.
            share: Which they are.

        Returns:
            The objective, and the sums of losses and of weights over the whole batch.
        """
        if self.size == 1:
            return reduce(losses, weights), losses.sum().item(), weights.sum().item()
        sums = torch.stack([losses.detach().sum(), weights.detach().sum()]).double()
        torch.distributed.all_reduce(sums)
        if share.is_whole:  # every rank has counted the same rows
            sums = sums / self.size
        loss_sum, weight_sum = sums.tolist()
        ranks = 1 if share.is_whole else self.size
        return losses.sum() * (ranks / weight_sum), loss_sum, weight_sum

    def is_stop_asked(self, stop: Callable[[], bool]) -> bool:
        """Say whether any rank was asked to stop; all ranks get the same answer."""
        if self.size == 1:
            return stop()
        asked = torch.tensor(float(stop()))
        torch.distributed.all_reduce(asked)
        return bool(asked > 0)

    def settle(self, module: nn.Module) -> None:
        """Give every rank the buffers of the first one, whose state is the one that is kept."""
        if self.size > 1:
            for buffer in module.buffers():
                torch.distributed.broadcast(buffer, 0)

    def scores(
        self,
        x: Features,
        predict: Callable[[Features], NDArray[np.float64]],
        *,
        outputs: int,
        piece: int,
    ) -> NDArray[np.float64]:
        """Return the scores of all rows, each made by one of the ranks.

        Args:
            x: All rows.
            predict: Returns the scores of some of them.
            outputs: Columns of the scores.
            piece: Rows that are predicted at a time, and are not to be torn apart.
        """
        if self.size == 1:
            return predict(x)
        pieces = -(-len(x) // piece)
        begin, end = (pieces * rank // self.size * piece for rank in (self.rank, self.rank + 1))
        found = torch.zeros(len(x), outputs, dtype=torch.float64)
        if begin < min(end, len(x)):
            found[begin:end] = torch.from_numpy(predict(_rows(x, begin, end)))
        torch.distributed.all_reduce(found)
        return found.numpy()


class _WithPenalty(nn.Module):
    """A model together with the penalty on its weights.

    ``DistributedDataParallel`` waits for the parameters that it finds in what it returns.
    """

    def __init__(self, module: nn.Module, knobs: Knobs) -> None:
        super().__init__()
        self._module = module
        self._knobs = knobs

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor | None]:
        return self._module(x), penalty(self._module, self._knobs)


def _rows(x: Features, begin: int, end: int) -> Features:
    if isinstance(x, Stream):
        return Stream(x.raw[np.arange(begin, min(end, len(x)))], x.preprocess)
    return x[begin:end]
