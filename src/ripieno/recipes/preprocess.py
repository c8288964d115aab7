"""Raw features to what a network reads, with statistics of the training part only."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ripieno.errors import DataError
from ripieno.recipes import files, frames, images
from ripieno.recipes.encoding import TableEncoder
from ripieno.recipes.streams import DatasetRows
from ripieno.recipes.tables import Table
from ripieno.records import check_fields

__all__ = ["Preprocess", "Raw"]

_VERSION = 1
_CHUNK = 4096
_COLOR_CHANNELS = frozenset({1, 3, 4})

Raw = NDArray[np.generic] | Table | DatasetRows
"""Raw rows: an array, the columns of a table, or rows of a dataset."""


@dataclass(frozen=True, slots=True)
class Preprocess:
    """Layout and standardisation, fitted on the training part.

    Args:
        layout: ``"table"`` for ``(rows, features)``, ``"columns"`` for a table whose columns
            are encoded one by one, ``"gray"`` for images ``(rows, height, width)``,
            ``"channels_last"`` or ``"channels_first"`` for images with channels, ``"array"``
            for anything else.
        shape: Shape of one raw row.
        mean: What is subtracted: one number a column, a channel, or one for all; empty for
            ``"columns"``.
        scale: What the rest is divided by; 1 where the training part is constant.
        columns: Names of a table's feature columns in order; None for arrays.
        target: Name of its target column; None for arrays.
        table: How the columns are encoded, for ``"columns"``; else None.
        image_size: Height and width that image files were resized to; None if they were not.
    """

    layout: str
    shape: tuple[int, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    columns: tuple[str, ...] | None = None
    target: str | None = None
    table: TableEncoder | None = None
    image_size: tuple[int, int] | None = None

    @classmethod
    def fit(
        cls,
        raw: Raw,
        *,
        target: str | None = None,
        image_size: tuple[int, int] | None = None,
        standardize: bool = True,
    ) -> Self:
        """Learn layout, means and scales, or the encoding of columns, from raw training rows.

        Args:
            raw: Shape ``(rows, *features)``, finite numbers; or a table.
            target: Name of the target column beside them.
            image_size: Height and width that image files were resized to.
            standardize: Whether an array gets mean 0 and deviation 1, or stays as it is.
        """
        if isinstance(raw, DatasetRows):
            raw = raw.read(sample=True)
        if isinstance(raw, Table):
            return cls(
                layout="columns",
                shape=(len(raw.names),),
                mean=(),
                scale=(),
                columns=raw.names,
                target=target,
                table=TableEncoder.fit(raw, like=raw.layout),
            )
        layout = _layout(raw.shape)
        mean, scale = _statistics(raw, layout) if standardize else (np.zeros(1), np.ones(1))
        return cls(
            layout=layout,
            shape=tuple(raw.shape[1:]),
            mean=tuple(mean.tolist()),
            scale=tuple(scale.tolist()),
            target=target,
            image_size=image_size,
        )

    @property
    def numbers(self) -> int:
        """How many of the first features of a row are scaled numbers; 0 but for tables."""
        if self.table is not None:
            return self.table.numbers
        return self.shape[0] if self.layout == "table" else 0

    @property
    def cardinalities(self) -> tuple[int, ...]:
        """Numbers that each embedded column can hold; those are the last features of a row."""
        return self.table.cardinalities if self.table else ()

    @property
    def features(self) -> tuple[str, ...] | None:
        """Names of the features after encoding; None where they have none."""
        return self.table.features if self.table else self.columns

    def apply(self, raw: ArrayLike | Table) -> NDArray[np.float32]:
        """Return standardised rows: float32, images as ``(rows, channels, height, width)``.

        Args:
            raw: Shape ``(rows, *features)`` with the features of the training data; for a
                table also a pandas DataFrame with its columns, in any order. Left unchanged.

        Raises:
            DataError: The features have another shape, other columns, or are not numbers.
        """
        where = "Preprocess.apply"
        if self.table is not None:
            return self.table.apply(self._table(self.table, raw, where))
        raw = np.asarray(raw)
        files.check_numbers(raw, names=None, where=where)
        if tuple(raw.shape[1:]) != self.shape:
            raise DataError(
                f"rows of shape {tuple(raw.shape[1:])} do not fit: "
                f"the training rows had shape {self.shape}.",
                where=where,
                fix=f"give an array of shape {('rows', *self.shape)}.".replace("'", ""),
            )
        axis = None if len(self.mean) == 1 else _statistics_axis(self.layout, raw.ndim)
        broadcast = [1] * raw.ndim
        if axis is not None:
            broadcast[axis] = -1
        mean = np.array(self.mean).reshape(broadcast)
        scale = np.array(self.scale).reshape(broadcast)
        result = np.empty(raw.shape, dtype=np.float32)
        # In pieces: float64 in between, without a float64 copy of all the data.
        for start in range(0, len(raw), _CHUNK):
            piece = slice(start, start + _CHUNK)
            result[piece] = (raw[piece].astype(np.float64) - mean) / scale
        match self.layout:
            case "gray":
                return result[:, None]
            case "channels_last":
                return np.ascontiguousarray(np.moveaxis(result, -1, 1))
        return result

    def read(self, path: str | Path) -> NDArray[np.generic] | Table:
        """Read raw rows from a new file, to be passed to :meth:`apply`.

        A ``.csv`` or ``.parquet`` needs the feature columns by name, in any order; other
        columns, the target among them, are not read. A ``.npz`` needs an array ``x``, ``X``
        or ``x_test``. A folder is searched for images, with all folders below it; a single
        image is a folder of one.

        Raises:
            DataError: The file cannot be read or lacks what is needed.
        """
        path = Path(path)
        if images.holds_images(path):
            return self._images(path)
        match files.suffix(path):
            case ".npz":
                arrays = files.read_npz(path)
                if self.table is not None and {"X", "names"} <= set(arrays):
                    frame = frames.frame_of(arrays, path)
                    return frames.table_of(frame, self.table.kinds, where=str(path))
                return arrays[files.first_key(arrays, ("x", "X", "x_test"), path)]
            case _ if self.table is None:
                raise DataError(
                    f"{path.name!r} is a table, and the model was trained on arrays.",
                    where=str(path),
                    fix="give a .npz file with an array `x`.",
                )
        kinds = self.table.kinds
        texts = [name for name, categorical in kinds.items() if categorical]
        frame = frames.read_frame(path, texts=texts)
        return frames.table_of(frame, kinds, where=str(path))

    def row_names(self, path: str | Path) -> list[str] | None:
        """Return the name of each row that :meth:`read` reads: an image's file, else None."""
        path = Path(path)
        if not images.holds_images(path):
            return None
        root = path if path.is_dir() else path.parent
        return [file.relative_to(root).as_posix() for file in images.find_images(path)]

    def _images(self, path: Path) -> NDArray[np.uint8]:
        if self.layout not in {"gray", "channels_last"}:
            raise DataError(
                f"{path.name!r} holds images, and the model was not trained on images.",
                where=str(path),
                fix="give rows as the model was trained on.",
            )
        channels = 1 if self.layout == "gray" else 3
        found = images.find_images(path)
        pixels = images.read_images(found, size=self.image_size, root=path, channels=channels)
        if pixels.shape[1:] != self.shape:
            raise DataError(
                f"the images are of size {pixels.shape[1]} x {pixels.shape[2]}, and the model "
                f"was trained on {self.shape[0]} x {self.shape[1]}.",
                where=str(path),
                fix=f"resize them to {self.shape[0]} x {self.shape[1]}.",
            )
        return pixels

    @staticmethod
    def _table(encoder: TableEncoder, raw: ArrayLike | Table, where: str) -> Table:
        if isinstance(raw, Table):
            return raw if raw.names == encoder.names else encoder.select(raw)
        if hasattr(raw, "columns") and hasattr(raw, "iloc"):
            return frames.table_of(raw, encoder.kinds, where=where)
        return encoder.table(np.asarray(raw))

    def to_json(self) -> str:
        """Return it as versioned JSON; every number is kept exactly."""
        return json.dumps({"version": _VERSION, **asdict(self)})

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what :meth:`to_json` wrote.

        Raises:
            DataError: The text is something else or of an unknown version.
        """
        try:
            tree = json.loads(text)
            if tree.pop("version") != _VERSION:
                raise ValueError("unknown version")  # noqa: TRY301 - told like any other
            if tree.get("table") is not None:
                tree["table"] = TableEncoder.from_tree(tree["table"])
            read = cls(**_with_tuples(tree))
            check_fields(read)
        except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
            raise DataError(
                f"the text is no stored preprocessing: {error}.",
                where="Preprocess.from_json",
                fix="pass what `to_json()` returned, or update Ripieno.",
            ) from error
        return read


def _with_tuples(tree: Mapping[str, Any]) -> dict[str, Any]:
    return {name: tuple(v) if isinstance(v, list) else v for name, v in tree.items()}


def _layout(shape: tuple[int, ...]) -> str:
    if len(shape) == 2:
        return "table"
    if len(shape) == 3:
        return "gray"
    if len(shape) != 4:
        return "array"
    # Where both ends could count channels, square images decide.
    last = shape[3] in _COLOR_CHANNELS
    first = shape[1] in _COLOR_CHANNELS and shape[1] != shape[2]
    return "channels_last" if last and not first else "channels_first"


def _statistics_axis(layout: str, axes: int) -> int | None:
    """The axis along which means and scales differ; None where there is one of each."""
    match layout:
        case "table" | "channels_first":
            return 1
        case "channels_last":
            return axes - 1
    return None


def _statistics(
    raw: NDArray[np.generic], layout: str
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Means and standard deviations in float64, in two passes over pieces of the data."""
    kept = _statistics_axis(layout, raw.ndim)
    axes = tuple(axis for axis in range(raw.ndim) if axis != kept)
    pieces = [raw[start : start + _CHUNK] for start in range(0, len(raw), _CHUNK)]
    count = raw.size / (1 if kept is None else raw.shape[kept])
    mean = sum(piece.sum(axes, dtype=np.float64, keepdims=True) for piece in pieces) / count
    squares = sum(
        np.square(piece - mean, dtype=np.float64).sum(axes, keepdims=True) for piece in pieces
    )
    # Exactly constant, not nearly: the rounding of the mean must not become a scale.
    low = np.min([piece.min(axes) for piece in pieces], axis=0)
    high = np.max([piece.max(axes) for piece in pieces], axis=0)
    scale = np.sqrt(squares / count).reshape(-1)
    # Squares of tiny numbers are zero too.
    return mean.reshape(-1), np.where((low == high) | (scale == 0), 1.0, scale)
