"""The options that say how data are read, the same for every command that reads them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from ripieno.space import Value

__all__ = [
    "Categorical",
    "ClassWeights",
    "ClassWeightsName",
    "DataWords",
    "Drop",
    "Fixed",
    "Groups",
    "ImageSize",
    "Numeric",
    "NumericName",
    "RawTargets",
    "Target",
    "TaskChoice",
    "TaskName",
    "Time",
]


class NumericName(StrEnum):
    """The ways of scaling numeric columns that the command knows by name."""

    QUANTILE = "quantile"
    STANDARDIZE = "standardize"


class TaskName(StrEnum):
    """The tasks, by name."""

    CLASSIFICATION = "classification"
    MULTILABEL = "multilabel"
    REGRESSION = "regression"


class ClassWeightsName(StrEnum):
    """The ways of weighing classes that the command knows by name."""

    BALANCED = "balanced"
    NONE = "none"


Target = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN",
        help="The column to predict, of a table. Several (repeated, or with commas) are labels "
        "of which a row may have several, or values.",
        show_default=False,
    ),
]
Groups = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="Rows with equal values of this column stay in one part.",
        show_default=False,
    ),
]
Time = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="The latest rows by this column are the validation and the test part.",
        show_default=False,
    ),
]
Drop = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN", help="A column that is not read; repeatable.", show_default=False
    ),
]
Categorical = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN",
        help="A column that holds categories, whatever it looks like; repeatable.",
        show_default=False,
    ),
]
Numeric = Annotated[
    NumericName | None,
    typer.Option(
        help="How numbers are scaled \\[tables quantile, arrays standardize].",
        show_default=False,
    ),
]
ImageSize = Annotated[
    str | None,
    typer.Option(
        metavar="SIZE",
        help="Resize a folder's images to 32, or HEIGHTxWIDTH.",
        show_default=False,
    ),
]
TaskChoice = Annotated[
    TaskName | None,
    typer.Option(
        help="What is predicted. Unless told: strings, booleans and whole numbers are "
        "classes; fractions are a regression; so are whole numbers written as floats "
        "(1.0, 2.0), if there are more than 20 different ones; columns of 0 and 1 are "
        "labels, of which a row may have several.",
        show_default=False,
    ),
]
RawTargets = Annotated[
    bool,
    typer.Option("--raw-targets", help="Train a regression on targets that are not scaled."),
]
Fixed = Annotated[
    list[str] | None,
    typer.Option(
        "--set",
        metavar="NAME=VALUE",
        help="A hyperparameter that has this value and is not searched: any knob of training or "
        "of the recipe, such as lr=0.01 or optimizer=adamw; repeatable.",
        show_default=False,
    ),
]
ClassWeights = Annotated[
    ClassWeightsName | None,
    typer.Option(
        "--class-weights",
        "--class-weight",
        help="Weigh classes (or labels) inversely to their size in the loss, or all alike.",
        show_default=False,
    ),
]


@dataclass(frozen=True, slots=True)
class DataWords:
    """What the options say, in the words of ``rp.tune``.

    Args:
        target: Names of target columns; none where nothing is said.
        groups: A column of groups.
        time: A column of times.
        drop: Columns that are not read.
        categorical: Columns of categories.
        numeric: How numbers are scaled.
        image_size: As it was written.
        task: What is predicted.
        raw_targets: Whether a regression is trained on targets that are not scaled.
        fixed: ``NAME=VALUE`` texts.
        class_weights: How classes are weighed.
    """

    target: Sequence[str] | None
    groups: str | None
    time: str | None
    drop: Sequence[str] | None
    categorical: Sequence[str] | None
    numeric: NumericName | None
    image_size: str | None
    task: TaskName | None
    raw_targets: bool
    fixed: Sequence[str] | None
    class_weights: ClassWeightsName | None

    @property
    def said(self) -> Mapping[str, object]:
        """What is said at all, by the name of its option."""
        names = {"fixed": "set"}
        return {
            "--" + names.get(name, name).replace("_", "-"): value
            for name in self.__slots__
            if (value := getattr(self, name))
        }

    def keywords(self) -> dict[str, Any]:
        """Return the keyword arguments of ``rp.tune``.

        Raises:
            DataError, StudyError: An image size or a fixed value cannot be read.
        """
        from ripieno.recipes import image_size as read_size
        from ripieno.study import read_values

        fixed: dict[str, Value] = read_values(self.fixed or ())
        return {
            "target_column": _one_or_several(self.target),
            "groups": self.groups,
            "time_column": self.time,
            "drop": self.drop or (),
            "categorical": self.categorical or (),
            "numeric": None if self.numeric is None else self.numeric.value,
            "image_size": None if self.image_size is None else read_size(self.image_size),
            "task": None if self.task is None else self.task.value,
            "scale_targets": not self.raw_targets,
            "fixed": fixed,
            "class_weights": None if self.class_weights is None else self.class_weights.value,
        }


def _one_or_several(names: Sequence[str] | None) -> str | Sequence[str] | None:
    return names[0] if names and len(names) == 1 else names or None
