"""From what a user passes as model and data to a recipe and data that can be trained."""

import difflib
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ripieno import recipes
from ripieno.errors import StudyError
from ripieno.recipes import Data, Recipe
from ripieno.space import Space
from ripieno.study.settings import DataReference
from ripieno.study.user_code import is_reference, load_object

__all__ = ["Asked", "ModelInput", "read_data", "read_recipe"]

ModelInput = str | Recipe | Callable[..., Any]
"""A built-in recipe by name, ``"FILE.py:NAME"``, a recipe, or a factory ``model(config)``."""

DataInput = str | Path | Data | Sequence[Any]
"""``"digits"``, a file, ``"FILE.py:NAME"``, data, or arrays ``(x, y)`` with or without test."""

_BUILT_IN: dict[str, Callable[[Data], Recipe]] = {
    "cnn": recipes.cnn,
    "mlp": recipes.mlp,
    "resnet": recipes.resnet,
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What the user says of the targets.

    Args:
        task: The task; None for what the targets say.
        scale_targets: Whether a regression is trained on standardised targets.
    """

    task: str | None = None
    scale_targets: bool = True


def read_data(
    data: DataInput,
    *,
    target: str | None,
    seed: int,
    folds: int | None,
    asked: Asked,
) -> tuple[Data, DataReference]:
    """Return data that are split and scaled, and where they came from.

    Raises:
        DataError: The data cannot be read or trained on.
        StudyError: A user's file does not give data, or data of other folds are given.
    """
    if isinstance(data, Data):
        read, source = data, None
        _check_folds(data, folds, where="data=")
        _check_task(data, asked)
    elif not isinstance(data, str | Path):
        read, source = _from_arrays(data, asked, seed=seed, folds=folds, where="data="), None
    elif is_reference(str(data)):
        read, source = _from_file(str(data), asked, seed=seed, folds=folds)
    else:
        read = recipes.load(
            data,
            target=target,
            folds=_count(folds),
            seed=seed,
            task=asked.task,
            scale_targets=asked.scale_targets,
        )
        source = "digits" if str(data) == "digits" else str(Path(data).resolve())
    told = (asked.task, asked.scale_targets)
    return read, DataReference(source, target, read.fingerprint, *told)


def _from_file(reference: str, asked: Asked, *, seed: int, folds: int | None) -> tuple[Data, str]:
    made = load_object(reference)
    made = made() if callable(made) else made
    path, _, name = reference.rpartition(":")
    if isinstance(made, Data):
        _check_folds(made, folds, where=reference)
        _check_task(made, asked)
        read = made
    else:
        read = _from_arrays(made, asked, seed=seed, folds=folds, where=reference)
    return read, f"{Path(path).resolve()}:{name}"


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


def _check_task(data: Data, asked: Asked) -> None:
    """Refuse data that were read for another task than is asked for."""
    if asked.task in {None, data.task} and asked.scale_targets:
        return
    raise StudyError(
        f"task = {asked.task!r} and scale_targets = {asked.scale_targets} are asked for, and "
        f"the data are read already, for {data.task}.",
        where=f"data {data.name!r}",
        fix="say it where they are read: Data.from_arrays(x, y, task=…, scale_targets=…).",
    )


def _from_arrays(data: object, asked: Asked, *, seed: int, folds: int | None, where: str) -> Data:
    if not isinstance(data, Sequence) or len(data) not in {2, 4}:
        raise StudyError(
            f"a {type(data).__name__} is not data.",
            where=where,
            fix="give (x, y) or (x, y, x_test, y_test), a rp.Data, 'digits' or a file.",
        )
    x, y, *test = data
    x_test, y_test = test or (None, None)
    return Data.from_arrays(
        x,
        y,
        x_test=x_test,
        y_test=y_test,
        folds=_count(folds),
        seed=seed,
        task=asked.task,
        scale_targets=asked.scale_targets,
    )


def read_recipe(
    model: ModelInput | None,
    data: Data,
    *,
    space: Space | None,
    epochs: int | None,
    epoch_rows: int | None,
) -> tuple[Recipe, Space, str]:
    """Return a recipe, the space that is searched for it, and the recipe's reference.

    Without a model, images take ``cnn`` and everything else takes ``mlp``. Where ``epochs`` or
    ``epoch_rows`` are None, the recipe or the size of the data chooses them. The space is left
    without the configs that the recipe cannot build.

    Raises:
        RecipeError: The recipe does not know a hyperparameter of the space, or the space
            augments what is no image.
        StudyError: The model is unknown, or has no space.
    """
    if model is None:
        model = "cnn" if data.train.x.ndim == 4 else "mlp"
    recipe, reference = _make_recipe(model, data)
    sizing = recipes.Sizing.of(len(data.train))
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
    searched = recipes.restricted(searched, recipe.model, shape=data.shape)
    return replace(recipe, space=searched), searched, reference


def _make_recipe(model: ModelInput, data: Data) -> tuple[Recipe, str]:
    if isinstance(model, Recipe):
        return model, "custom"
    if isinstance(model, str):
        return _named_recipe(model, data)
    if callable(model):
        epochs = recipes.Sizing.of(len(data.train)).epochs
        name = getattr(model, "__name__", "custom")
        return Recipe(model=model, epochs=epochs, name=name), "custom"
    raise StudyError(
        f"a {type(model).__name__} is no model.",
        where="tune(model=…)",
        fix="pass a function model(config) that returns an nn.Module, a rp.Recipe, "
        f"{', '.join(map(repr, _BUILT_IN))} or 'FILE.py:NAME'.",
    )


def _named_recipe(name: str, data: Data) -> tuple[Recipe, str]:
    if name in _BUILT_IN:
        return _BUILT_IN[name](data), name
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
