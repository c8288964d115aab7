"""How a table, an archive or a folder is read: which columns are what, and how it is split."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from typing import Any

from ripieno.errors import DataError
from ripieno.recipes.tables import NumericTransform, check_transform

__all__ = ["Reading"]


@dataclass(frozen=True, slots=True)
class Reading:
    """What is said about data before they are read; every part of it may be left out.

    Args:
        target: The column to predict, or several: a list, or one text with commas.
        groups: A column; rows with equal values stay in one part. It is no feature.
        time: A column of numbers or dates; the latest rows are the validation and the test
            part. It is no feature.
        drop: A column that is not read, or several.
        categorical: A column that holds categories, whatever it looks like, or several.
        numeric: ``"quantile"`` makes numeric columns normal by their quantiles,
            ``"standardize"`` gives them mean 0 and deviation 1. Where absent, tables take
            ``quantile`` and arrays take ``standardize``.
        image_size: Height and width that image files are resized to.
        task: ``classification``, ``multilabel`` or ``regression``; None for what the targets say.
        scale_targets: Whether a regression is trained on standardised targets.

    Raises:
        DataError: One of them cannot be.
    """

    target: str | Sequence[str] | None = None
    groups: str | None = None
    time: str | None = None
    drop: str | Sequence[str] = ()
    categorical: str | Sequence[str] = ()
    numeric: NumericTransform | None = None
    image_size: int | tuple[int, int] | None = None
    task: str | None = None
    scale_targets: bool = True

    def __post_init__(self) -> None:
        for name in ("drop", "categorical"):
            names = getattr(self, name)
            # A single name is meant as one, not as its letters.
            object.__setattr__(self, name, (names,) if isinstance(names, str) else tuple(names))
        if self.target is not None and not isinstance(self.target, str):
            object.__setattr__(self, "target", tuple(self.target) or None)
        if self.numeric is not None:
            check_transform(self.numeric)
        if self.image_size is not None:
            object.__setattr__(self, "image_size", _size(self.image_size))

    @property
    def size(self) -> tuple[int, int] | None:
        """Height and width of images."""
        return None if self.image_size is None else _size(self.image_size)

    def refuse(self, *names: str, where: str, because: str) -> None:
        """Refuse what is said but has no meaning for the data.

        Raises:
            DataError: One of the named parts is given.
        """
        for name in names:
            value = getattr(self, name)
            if value:
                raise DataError(
                    f"{name} = {value!r} is given, but {because}.",
                    where=where,
                    fix=f"leave {name} out.",
                )

    def to_dict(self) -> dict[str, Any]:
        """Return what is said as JSON-able values."""
        empty = type(self)()
        return {n: v for n, v in asdict(self).items() if v != getattr(empty, n)}

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> "Reading":
        """Read what :meth:`to_dict` returned, from JSON or not."""
        known = {field.name for field in fields(cls)}
        read: dict[str, Any] = {n: v for n, v in values.items() if n in known}
        read |= {n: tuple(v) for n, v in read.items() if isinstance(v, list)}
        return cls(**read)


def _size(size: Any) -> tuple[int, int]:
    pair = (size, size) if isinstance(size, int) else tuple(size)
    if len(pair) == 2 and all(type(side) is int and side > 0 for side in pair):
        return pair[0], pair[1]
    raise DataError(
        f"image_size = {size!r} is no height and width.",
        where="image_size=…",
        fix="give one whole number, or two: image_size=(32, 48).",
    )
