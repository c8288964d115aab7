"""Rows of a torch ``Dataset`` that stay where they are, and are read batch by batch.

What a batch holds is a function of the key of the epoch and of its rows alone: torch's own
generator is seeded before each batch is read, so that random transforms of the dataset give
the same numbers in this process and in any loader process, and after a restart.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from ripieno.errors import DataError
from ripieno.recipes.draws import fold

if TYPE_CHECKING:
    from ripieno.recipes.preprocess import Preprocess

__all__ = ["DatasetRows", "Stream", "open_dataset"]

_SAMPLE = 10_000
"""Training rows that means and deviations of a streamed dataset are taken from at most."""
_READ = 1024  # rows that are read at once where all are wanted


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class DatasetRows:
    """Some rows of a dataset, raw, in order.

    Args:
        dataset: A map-style dataset whose items are ``(features, …)`` or features alone.
        rows: Numbers of the items, int64.
        workers: Processes that read ahead; 0 reads in this one.
    """

    dataset: Dataset[Any]
    rows: NDArray[np.int64]
    workers: int = 0

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, rows: NDArray[np.integer]) -> "DatasetRows":
        """Return some of the rows; nothing is read."""
        return replace(self, rows=self.rows[rows])

    @property
    def bytes(self) -> int:
        """Size of the features as float32; the first row is read for it."""
        return len(self) * 4 * self[np.arange(1)].read().size

    def read(self, *, sample: bool = False) -> NDArray[np.generic]:
        """Read all rows, or an even sample of at most 10,000.

        Raises:
            DataError: A row cannot be read, or has another shape.
        """
        rows = self.rows
        if sample and len(rows) > _SAMPLE:
            rows = rows[np.linspace(0, len(rows) - 1, _SAMPLE).astype(np.int64)]
        chunks = np.array_split(rows, max(1, -(-len(rows) // _READ)))
        with torch.random.fork_rng(devices=[]):
            parts = _load(self.dataset, chunks, key=0, workers=self.workers)
            return np.concatenate([_stacked(items, rows) for items, rows in parts])

    def through(self, preprocess: "Preprocess") -> "Stream":
        """Return the rows as they come out of a preprocessing; nothing is read."""
        return Stream(self, preprocess)


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Stream:
    """Preprocessed rows of a dataset, in the place of an array ``(rows, *features)``.

    Args:
        raw: The rows.
        preprocess: What they go through when they are read.
    """

    raw: DatasetRows
    preprocess: "Preprocess"

    def __len__(self) -> int:
        return len(self.raw)

    def __repr__(self) -> str:
        return f"Stream({len(self)} rows of shape {self.shape[1:]})"

    @property
    def shape(self) -> tuple[int, ...]:
        """As of the array it stands for."""
        shape = self.preprocess.shape
        match self.preprocess.layout:
            case "gray":
                shape = (1, *shape)
            case "channels_last":
                shape = (shape[2], *shape[:2])
        return (len(self), *shape)

    @property
    def ndim(self) -> int:
        """As of the array it stands for."""
        return len(self.shape)

    @property
    def dtype(self) -> np.dtype[np.float32]:
        """As of the array it stands for."""
        return np.dtype(np.float32)

    def __getitem__(self, index: slice | NDArray[np.integer]) -> NDArray[np.float32]:
        """Read some rows now."""
        rows = np.arange(len(self))[index]
        with torch.random.fork_rng(devices=[]):
            return next(self.batches([rows], key=0, workers=0))

    def batches(
        self,
        chunks: Sequence[NDArray[np.integer] | Tensor],
        *,
        key: int,
        workers: int | None = None,
    ) -> Iterator[NDArray[np.float32]]:
        """Read batches one after the other through a ``DataLoader``.

        Args:
            chunks: Rows of each batch.
            key: What random transforms depend on, besides the rows.
            workers: Processes that read ahead; None takes the dataset's.

        Raises:
            DataError: A row cannot be read, has another shape, or is not finite.
        """
        numbers = [self.raw.rows[np.asarray(chunk)] for chunk in chunks]
        ahead = self.raw.workers if workers is None else workers
        for items, rows in _load(self.raw.dataset, numbers, key=key, workers=ahead):
            yield self.preprocess.apply(_stacked(items, rows))


def open_dataset(
    dataset: Dataset[Any], *, targets: Any = None, workers: int = 0
) -> tuple[DatasetRows, NDArray[np.generic]]:
    """Return the rows and the targets of a dataset.

    Targets that the dataset does not tell (``targets`` or ``labels``, as torchvision's do)
    are read from its items, all of which are read for it once.

    Raises:
        DataError: The dataset has no length, is empty, or its items are no pairs.
    """
    if not hasattr(dataset, "__len__"):
        raise DataError(
            f"{type(dataset).__name__} has no length, and rows are drawn by their numbers.",
            where="Data.from_dataset",
            fix="give a map-style dataset, with __len__ and __getitem__.",
        )
    rows = DatasetRows(dataset, np.arange(len(dataset)), workers)
    if not len(rows):
        raise DataError(
            "the dataset is empty.",
            where=f"Data.from_dataset({type(dataset).__name__})",
            fix="give a dataset with items.",
        )
    told = _told(dataset) if targets is None else np.asarray(targets)
    return rows, _read_targets(rows) if told is None else told


def _told(dataset: Dataset[Any]) -> NDArray[np.generic] | None:
    for name in ("targets", "labels"):
        if hasattr(dataset, name) and len(getattr(dataset, name)) == len(dataset):  # type: ignore[arg-type]
            return np.asarray(getattr(dataset, name))
    if isinstance(dataset, torch.utils.data.Subset):
        told = _told(dataset.dataset)
        return None if told is None else told[np.asarray(dataset.indices)]
    if isinstance(dataset, torch.utils.data.TensorDataset) and len(dataset.tensors) == 2:
        return dataset.tensors[1].numpy()
    return None


def _read_targets(rows: DatasetRows) -> NDArray[np.generic]:
    chunks = np.array_split(rows.rows, max(1, -(-len(rows) // _READ)))
    found: list[Any] = []
    with torch.random.fork_rng(devices=[]):
        for items, numbers in _load(rows.dataset, chunks, key=0, workers=rows.workers):
            for item, number in zip(items, numbers, strict=True):
                if not isinstance(item, tuple | list) or len(item) != 2:
                    raise DataError(
                        f"item {number} of the dataset is a {type(item).__name__}, not a pair.",
                        where=f"{type(rows.dataset).__name__}[{number}]",
                        fix="return (features, label), or pass the labels: targets=….",
                    )
                found.append(item[1])
    return np.asarray([y.numpy() if isinstance(y, Tensor) else y for y in found])


@dataclass(frozen=True, slots=True, eq=False)
class _Keyed(Dataset[Any]):
    """A dataset whose batches are read under a seed of their own."""

    dataset: Dataset[Any]
    key: int

    def __getitems__(self, rows: list[int]) -> tuple[list[Any], list[int]]:
        torch.default_generator.manual_seed(fold(self.key, *rows[:1], len(rows)))
        if hasattr(self.dataset, "__getitems__"):
            return list(self.dataset.__getitems__(rows)), rows
        return [_item(self.dataset, row) for row in rows], rows


def _item(dataset: Dataset[Any], row: int) -> Any:
    try:
        return dataset[row]
    except Exception as error:  # the user's own code may raise anything
        raise DataError(
            f"item {row} of the dataset cannot be read: {type(error).__name__}: {error}.",
            where=f"{type(dataset).__name__}[{row}]",
            fix="mend the dataset: every number below its length must give an item.",
        ) from error


def _load(
    dataset: Dataset[Any], chunks: Sequence[NDArray[np.integer]], *, key: int, workers: int
) -> Iterator[tuple[list[Any], list[int]]]:
    """Return the items of each chunk, read ahead by workers if there are any."""
    yield from DataLoader(
        _Keyed(dataset, key),
        batch_sampler=[chunk.tolist() for chunk in chunks],
        num_workers=workers,
        collate_fn=_unchanged,
        # Else the loader would draw its seed from torch's own generator.
        generator=torch.Generator().manual_seed(0),
    )


def _unchanged(batch: Any) -> Any:
    return batch


def _stacked(items: list[Any], rows: list[int]) -> NDArray[np.generic]:
    parts = [np.asarray(i[0] if isinstance(i, tuple | list) else i) for i in items]
    odd = [i for i, part in enumerate(parts) if part.shape != parts[0].shape]
    if odd:
        raise DataError(
            f"item {rows[0]} of the dataset has the shape {parts[0].shape}, and item "
            f"{rows[odd[0]]} has {parts[odd[0]].shape}.",
            where="the rows of the dataset",
            fix="give all items one shape, for example by a resize in the dataset.",
        )
    return np.stack(parts)
