"""Raw features to what a network reads, with statistics of the training part only."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError
from ripieno.recipes import files

__all__ = ["Preprocess"]

_VERSION = 1
_CHUNK = 4096
_COLOR_CHANNELS = frozenset({1, 3, 4})


@dataclass(frozen=True, slots=True)
class Preprocess:
    """Layout and standardisation, fitted on the training part.

    Args:
        layout: ``"table"`` for ``(rows, features)``, ``"gray"`` for images ``(rows, height,
            width)``, ``"channels_last"`` or ``"channels_first"`` for images with channels,
            ``"array"`` for anything else.
        shape: Shape of one raw row.
        mean: What is subtracted: one number a column, a channel, or one for all.
        scale: What the rest is divided by; 1 where the training part is constant.
        columns: Names of a CSV file's feature columns in order; None for arrays.
        target: Name of its target column; None for arrays.
    """

    layout: str
    shape: tuple[int, ...]
    mean: tuple[float, ...]
    scale: tuple[float, ...]
    columns: tuple[str, ...] | None = None
    target: str | None = None

    @classmethod
    def fit(
        cls,
        raw: NDArray[np.generic],
        *,
        columns: tuple[str, ...] | None = None,
        target: str | None = None,
    ) -> Self:
        """Learn layout, means and scales from the raw training rows.

        Args:
            raw: Shape ``(rows, *features)``; finite numbers.
            columns: Names of the columns of a table that was read from CSV.
            target: Name of the target column beside them.
        """
        layout = _layout(raw.shape)
        mean, scale = _statistics(raw, layout)
        return cls(
            layout=layout,
            shape=tuple(raw.shape[1:]),
            mean=tuple(mean.tolist()),
            scale=tuple(scale.tolist()),
            columns=columns,
            target=target,
        )

    def apply(self, raw: NDArray[np.generic]) -> NDArray[np.float32]:
        """Return standardised rows: float32, images as ``(rows, channels, height, width)``.

        Args:
            raw: Shape ``(rows, *features)`` with the features of the training data; left
                unchanged.

        Raises:
            DataError: The features have another shape or are not finite numbers.
        """
        where = "Preprocess.apply"
        files.check_numbers(raw, names=self.columns, where=where)
        if tuple(raw.shape[1:]) != self.shape:
            raise DataError(
                f"rows of shape {tuple(raw.shape[1:])} do not fit: "
                f"the training rows had shape {self.shape}.",
                where=where,
                fix=f"give an array of shape {('rows', *self.shape)}.".replace("'", ""),
            )
        axis = _statistics_axis(self.layout, raw.ndim)
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

    def read(self, path: str | Path) -> NDArray[np.generic]:
        """Read raw rows from a new file, to be passed to :meth:`apply`.

        A ``.csv`` needs the feature columns by name, in any order; other columns, the target
        among them, are not read. A ``.npz`` needs an array ``x``, ``X`` or ``x_test``.

        Raises:
            DataError: The file cannot be read or lacks what is needed.
        """
        path = Path(path)
        match files.suffix(path):
            case ".npz":
                arrays = files.read_npz(path)
                return arrays[files.first_key(arrays, ("x", "X", "x_test"), path)]
            case _ if self.columns is None:
                raise DataError(
                    f"{path.name!r} is a table, and the model was trained on arrays.",
                    where=str(path),
                    fix="give a .npz file with an array `x`.",
                )
        return files.feature_matrix(files.read_csv(path), self.columns, where=str(path))

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
            return cls(**_with_tuples(tree))
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise DataError(
                f"the text is no stored preprocessing: {error}.",
                where="Preprocess.from_json",
                fix="pass what `to_json()` returned, or update Ripieno.",
            ) from error


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
    return mean.reshape(-1), np.where(low == high, 1.0, scale)
