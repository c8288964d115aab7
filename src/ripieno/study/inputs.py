"""From what a user passes as model and data to a recipe and data that can be trained."""

import difflib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from torch.utils.data import Dataset

from ripieno import recipes
from ripieno.errors import StudyError
from ripieno.nas import limited_again, nas
from ripieno.recipes import Data, Reading, Recipe
from ripieno.space import Space, Value
from ripieno.study.fixing import fix_values
from ripieno.study.settings import DataReference
from ripieno.study.user_code import is_reference, load_object

__all__ = ["ModelInput", "find_recipe", "read_data", "read_recipe", "refuse_said_twice"]

ModelInput = str | Recipe | Callable[..., Any]
"""A built-in recipe by name, ``"FILE.py:NAME"``, a recipe, or a factory ``model(config)``."""

DataInput = Any
"""``"digits"``, a file or folder, ``"FILE.py:NAME"``, data, a pandas DataFrame, a torch
``Dataset``, or arrays ``(x, y)`` with or without test."""

_BUILT_IN: dict[str, Callable[[Data], Recipe]] = {
    "cnn": recipes.cnn,
    "mlp": recipes.mlp,
    "nas": nas,
    "resnet": recipes.resnet,
}


def read_data(
    data: DataInput, reading: Reading, *, seed: int, folds: int | None = None
) -> tuple[Data, DataReference]:
    """Return data that are split and scaled, and where they came from.

    Raises:
        DataError: The data cannot be read or trained on.
        StudyError: A user's file does not give data, or data of other folds are given.
    """
    if not isinstance(data, str | Path):
        read = _from_object(data, reading, seed=seed, folds=folds, where="data=")
        return read, _reference(None, reading, read)
    source = str(data)
    if is_reference(source):
        made = load_object(source)
        made = made() if callable(made) else made
        path, _, name = source.rpartition(":")
        read = _from_object(made, reading, seed=seed, folds=folds, where=source)
        return read, _reference(f"{Path(path).resolve()}:{name}", reading, read)
    read = recipes.read(source, reading, folds=_count(folds), seed=seed)
    if source != "digits":
        source = str(Path(source).resolve())
    return read, _reference(source, reading, read)


def _reference(source: str | None, reading: Reading, read: Data) -> DataReference:
    said = {name: value for name, value in reading.to_dict().items() if name != "target"}
    return DataReference(source, reading.target, read.fingerprint, said)


def refuse_said_twice(data: DataInput, reading: Reading) -> None:
    """Refuse to be told how to read data that are read already.

    Raises:
        DataError: Something is said.
    """
    if isinstance(data, Data):
        reading.refuse(
            "target", "groups", "time", "drop", "categorical", "numeric", "image_size",
            where="data=", because="the data are read already",
        )  # fmt: skip


def _count(folds: int | None) -> int:
    return 1 if folds is None else folds


def _check_folds(data: Data, folds: int | None, *, where: str) -> None:
    """Refuse data that were divided otherwise than is asked for."""
    if folds is not None and folds != len(data.parts):
        raise StudyError(
            f"folds = {folds} is asked for, and the data are divided into {len(data.parts)}.",
            where=where,
            fix=f"make the data with folds={folds} (Data.from_arrays(…, folds={folds})), or ask "
            f"for the {len(data.parts)} that they have.",
        )


def _check_task(data: Data, reading: Reading) -> None:
    """Refuse data that were read for another task than is asked for."""
    if reading.task in {None, data.task} and reading.scale_targets:
        return
    raise StudyError(
        f"task = {reading.task!r} and scale_targets = {reading.scale_targets} are asked for, and "
        f"the data are read already, for {data.task}.",
        where=f"data {data.name!r}",
        fix="say it where they are read: Data.from_arrays(x, y, task=…, scale_targets=…).",
    )


def _from_object(
    data: object, reading: Reading, *, seed: int, folds: int | None, where: str
) -> Data:
    if isinstance(data, Data):
        _check_folds(data, folds, where=where)
        _check_task(data, reading)
        return data
    count = _count(folds)
    if hasattr(data, "columns") and hasattr(data, "iloc"):
        return recipes.from_frame(data, reading, folds=count, seed=seed, name="table", where=where)
    reading.refuse(
        "groups", "time", "drop", "categorical", "image_size",
        where=where,
        because="arrays have no columns by name (rp.Data.from_arrays takes arrays of them)",
    )  # fmt: skip
    told: dict[str, Any] = {"task": reading.task, "scale_targets": reading.scale_targets}
    if isinstance(data, Dataset):
        return Data.from_dataset(data, folds=count, seed=seed, **told)
    if not isinstance(data, Sequence) or len(data) not in {2, 4}:
        raise StudyError(
            f"a {type(data).__name__} is not data.",
            where=where,
            fix="give (x, y) or (x, y, x_test, y_test), a rp.Data, a DataFrame, a torch "
            "Dataset, 'digits', a file or a folder of images.",
        )
    x, y, *test = data
    x_test, y_test = test or (None, None)
    return Data.from_arrays(
        x,
        y,
        x_test=x_test,
        y_test=y_test,
        numeric=reading.numeric or "standardize",
        folds=count,
        seed=seed,
        **told,
    )


def read_recipe(
    model: ModelInput | None,
    data: Data,
    *,
    space: Space | None,
    epochs: int | None,
    epoch_rows: int | None,
    minutes: float | None = None,
    fixed: Mapping[str, Value] | None = None,
) -> tuple[Recipe, Space, str]:
    """Return a recipe, the space that is searched for it, and the recipe's reference.

    Without a model, images take ``cnn`` and everything else takes ``mlp``. Where ``epochs`` or
    ``epoch_rows`` are None, the recipe or the size of the data chooses them, with an eye on
    the ``minutes`` of the whole search. The space is left
    without the configs that the recipe cannot build, and with constants for what is fixed.

    Raises:
        RecipeError: The recipe does not know a hyperparameter of the space, or the space
            augments what is no image.
        StudyError: The model is unknown, or has no space.
    """
    if model is None:
        model = "cnn" if len(data.shape) == 3 else "mlp"
    sizing = recipes.Sizing.of(len(data.train), minutes=minutes)
    recipe, reference = _make_recipe(model, data, sizing)
    recipe = replace(
        recipe,
        epochs=recipe.epochs if epochs is None else epochs,
        epoch_rows=(recipe.epoch_rows or sizing.epoch_rows) if epoch_rows is None else epoch_rows,
    )
    searched = recipe.space if space is None else space
    if searched is None:
        raise StudyError(
            "there is no space to search.",
            where=f"tune(model={reference})",
            fix=f"pass a rp.Space, or a recipe that has one ({', '.join(map(repr, _BUILT_IN))}).",
        )
    if not searched:
        raise StudyError(
            "the space is empty.",
            where="Space()",
            fix="add a hyperparameter: Space(lr=rp.Float(1e-4, 1.0, log=True)).",
        )
    if reference == "nas":  # of a study that is opened again
        searched = limited_again(searched, recipe.model, data.shape)
    if fixed:
        searched = fix_values(searched, fixed, recipe=recipe, data=data)
    searched = recipes.restricted(searched, recipe.model, shape=data.shape)
    return replace(recipe, space=searched), searched, reference


def find_recipe(model: ModelInput | None, data: Data) -> Recipe:
    """Return the recipe that a model names, whether or not it has a space.

    Raises:
        StudyError: The model is unknown.
    """
    if model is None:
        model = "cnn" if data.train.x.ndim == 4 else "mlp"
    return _make_recipe(model, data, recipes.Sizing.of(len(data.train)))[0]


def _make_recipe(model: ModelInput, data: Data, sizing: recipes.Sizing) -> tuple[Recipe, str]:
    if isinstance(model, Recipe):
        return model, "custom"
    if isinstance(model, str):
        return _named_recipe(model, data, sizing)
    if callable(model):
        name = getattr(model, "__name__", "custom")
        return Recipe(model=model, epochs=sizing.epochs, name=name), "custom"
    raise StudyError(
        f"a {type(model).__name__} is no model.",
        where="tune(model=…)",
        fix="pass a function model(config) that returns an nn.Module, a rp.Recipe, "
        f"{', '.join(map(repr, _BUILT_IN))} or 'FILE.py:NAME'.",
    )


def _named_recipe(name: str, data: Data, sizing: recipes.Sizing) -> tuple[Recipe, str]:
    if name in _BUILT_IN:
        return replace(_BUILT_IN[name](data), epochs=sizing.epochs), name
    if not is_reference(name):
        close = difflib.get_close_matches(name, _BUILT_IN, n=1)
        raise StudyError(
            f"there is no recipe {name!r}.",
            where=f"recipes: {', '.join(_BUILT_IN)}",
            fix=f"did you mean {close[0]!r}?" if close else "name one of these or FILE.py:NAME.",
        )
    made = load_object(name)
    if not isinstance(made, Recipe) and callable(made):
        made = made(data)
    if not isinstance(made, Recipe):
        raise StudyError(
            f"{name!r} gives a {type(made).__name__}, not a recipe.",
            where=name,
            fix="let NAME be a rp.Recipe, or a function of the data that returns one: "
            "def recipe(data): return rp.Recipe(model=…, space=…).",
        )
    path, _, attribute = name.rpartition(":")
    return made, f"{Path(path).resolve()}:{attribute}"
