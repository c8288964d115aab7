"""The rows of data that the members of a stack read: all the same, or each of its own fold."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ripieno.recipes import (
    Coding,
    Data,
    Device,
    Stream,
    TaskName,
    as_features,
    feed,
    first_rows,
    in_memory,
    pieces,
    tuning_rows,
)

__all__ = ["Inputs"]

_PIECE = 256


class Inputs:
    """The training and validation parts of data, of every fold where there are folds.

    Args:
        data: What models are trained on and measured on.
        dtype: Floating-point type of the features.
        device: Where batches are wanted.
    """

    def __init__(self, data: Data, dtype: torch.dtype, device: Device | None = None) -> None:
        self._dtype = dtype
        self._place = torch.device("cpu") if device is None else device.found
        self._train = [
            (as_features(p.train.x, dtype, device), self._encoded(p.train.y, p.coding))
            for p in data.parts
        ]
        self._validation = [as_features(part.validation.x, dtype, device) for part in data.parts]
        self._codings = [part.coding for part in data.parts]
        self.streamed = data.streamed
        """Whether batches are read when their turn comes, once for all members."""
        self.targets = [part.validation.y for part in data.parts]
        self.shared = len(self._train) == 1
        """Whether all members read the same rows."""

    def _encoded(self, y: NDArray[Any], coding: Coding) -> Tensor:
        return coding.encode(y, self._dtype).to(self._place)

    def replace(self, train: Sequence[Tensor], validation: Sequence[Tensor]) -> None:
        """Take other features of the same rows.

        Args:
            train: Of each fold's training part.
            validation: Of each fold's validation part.
        """
        targets = [y for _, y in self._train]
        self._train = [(x.to(self._dtype), y) for x, y in zip(train, targets, strict=True)]
        self._validation = [x.to(self._dtype) for x in validation]

    @property
    def task(self) -> TaskName:
        """What is predicted."""
        return self._codings[0].task

    @property
    def example(self) -> Tensor:
        """Two training rows, which a lazy module learns its shapes from."""
        return first_rows(self._train[0][0], 2, self._dtype).cpu()

    def rows(self, fold: int) -> int:
        """Return the number of training rows of a fold."""
        return len(self._train[fold][1])

    def members(self, folds: Sequence[int]) -> dict[int, Tensor]:
        """Return which members read each fold, int64, for :meth:`batch`.

        Args:
            folds: Each member's fold.
        """
        return {
            fold: torch.tensor(
                [i for i, own in enumerate(folds) if own == fold], device=self._place
            )
            for fold in sorted(set(folds))
        }

    def batches(
        self,
        order: Tensor,
        plan: Sequence[Tensor],
        *,
        readers: Mapping[int, Tensor],
        key: int,
    ) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the features and targets of each batch; see :meth:`batch`.

        Args:
            order: Each member's training rows in the order of its epoch, int64, ``(members,
                rows)``; those of a stream have one order.
            plan: Places in that order that each batch takes.
            readers: Which members read each fold.
            key: What random transforms of a stream depend on.

        Yields:
            As :meth:`batch`; of a stream the features are ``(batch, *features)``, for all.
        """
        x, y = self._train[0]
        if not isinstance(x, Stream):
            yield from (self.batch(order[:, columns], readers) for columns in plan)
            return
        first = order[0].cpu()
        rows = [first[columns.cpu()] for columns in plan]
        fed = feed(x, rows, dtype=self._dtype, key=key, device=self._place)
        for columns, batch in zip(plan, fed, strict=True):
            yield batch, y[order[:, columns]]

    def batch(self, rows: Tensor, members: Mapping[int, Tensor]) -> tuple[Tensor, Tensor]:
        """Return the features and targets of one batch of every member.

        Args:
            rows: Numbers of training rows, int64, shape ``(members, batch)``.
            members: Which members read each fold.

        Returns:
            Shapes ``(members, batch, *features)`` and ``(members, batch)``; or of labels and
            values ``(members, batch, columns)``.
        """
        x, y = self._rows(0)
        if self.shared:
            return _taken(x, rows), y[rows]
        # One gather a fold: joined in one array, the folds' rows would be held twice.
        batch_x, batch_y = (
            t.new_empty(*rows.shape, *t.shape[1:], device=rows.device) for t in (x, y)
        )
        for fold, own in members.items():
            x, y = self._rows(fold)
            batch_x[own], batch_y[own] = _taken(x, rows[own]), y[rows[own]]
        return batch_x, batch_y

    def validation(self, folds: Sequence[int]) -> Iterator[Tensor]:
        """Yield the validation rows in batches.

        Args:
            folds: Each member's fold.

        Yields:
            Shapes ``(batch, *features)`` if ``shared``, else ``(members, batch, *features)``:
            each member's own. A fold that is shorter than the longest one is filled up with
            its last row, which :meth:`measured` drops.
        """
        if self.shared:
            parts = pieces(self._validation[0], _PIECE)
            yield from (part.to(self._place, self._dtype) for part in parts)
            return
        held = [x for x in self._validation if isinstance(x, Tensor)]
        longest = max(map(len, held))
        for begin in range(0, longest, _PIECE):
            rows = torch.arange(begin, min(begin + _PIECE, longest))
            own = [x[rows.clamp(max=len(x) - 1).to(x.device)].to(self._place) for x in held]
            yield torch.stack([own[fold] for fold in folds])

    def drawn(self, keys: Tensor, folds: Sequence[int]) -> tuple[Tensor, Tensor]:
        """Return some validation rows for each member: features and targets as it is trained on.

        Args:
            keys: What each member's draw depends on, int64, ``(members,)``.
            folds: Each member's fold.

        Raises:
            RecipeError: The validation part is a stream.
        """
        found = []
        least = min(map(len, self.targets))
        for key, fold in zip(keys, folds, strict=True):
            x, (y, coding) = self._validation[fold], (self.targets[fold], self._codings[fold])
            rows = tuning_rows(key, len(y), least=least)
            x = in_memory(x)
            taken = x[rows.to(x.device)].to(self._place, self._dtype)
            found.append((taken, self._encoded(y[rows.numpy()], coding)))
        return torch.stack([x for x, _ in found]), torch.stack([y for _, y in found])

    def _rows(self, fold: int) -> tuple[Tensor, Tensor]:
        x, y = self._train[fold]
        assert isinstance(x, Tensor)  # noqa: S101 - what is streamed goes by `batches`
        return x, y

    def scores(self, outputs: Tensor, folds: Sequence[int]) -> Tensor:
        """Return scores, float64, out of the members' outputs, ``(members, batch, outputs)``.

        Args:
            outputs: What the members return.
            folds: Each member's fold, in whose units a regression was trained.
        """
        if self.shared or self.task != "regression":
            return self._codings[0].scores(outputs)
        own = zip(folds, outputs, strict=True)
        return torch.stack([self._codings[fold].scores(out) for fold, out in own])

    def predictions(self, scores: NDArray[np.float64]) -> NDArray[Any]:
        """Return what is stored of scores; the same for every fold."""
        return self._codings[0].predictions(scores)

    def measured(
        self, scores: NDArray[np.float64], fold: int
    ) -> tuple[NDArray[np.float64], NDArray[Any]]:
        """Return what a member says of its validation rows, and their targets.

        Args:
            scores: Its scores on the batches of :meth:`validation`, ``(rows, outputs)``.
            fold: Its fold.
        """
        targets = self.targets[fold]
        return scores[: len(targets)], targets


def _taken(x: Tensor, rows: Tensor) -> Tensor:
    """Return some rows where their numbers lie, which may be elsewhere than all rows."""
    # Which is several times as fast as indexing.
    taken = x.index_select(0, rows.to(x.device).flatten()).view(*rows.shape, *x.shape[1:])
    return taken if x.device == rows.device else taken.to(rows.device, non_blocking=True)
