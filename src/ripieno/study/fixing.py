"""Hyperparameters that the user fixes: ``fixed={"lr": 0.01}``, ``--set lr=0.01``."""

import difflib
from collections.abc import Mapping, Sequence

from ripieno.errors import StudyError
from ripieno.recipes import KNOBS, LOSS_OPTIONS, CheckedFactory, Data, Recipe, find_loss, loss_name
from ripieno.recipes import complete as complete_recipe
from ripieno.space import Categorical, Constant, Space, Value

__all__ = ["fix_values", "read_values", "weigh_classes"]

_WORDS: Mapping[str, Value] = {"true": True, "false": False, "none": None}
_WEIGHTS: Mapping[str, str] = {"classification": "class_weights", "multilabel": "pos_weight"}
_CHOICES: Mapping[str, Value] = {"balanced": "balanced", "none": None}


def read_values(texts: Sequence[str]) -> dict[str, Value]:
    """Read ``NAME=VALUE`` texts: true, false, none, whole numbers, numbers, else words.

    Raises:
        StudyError: A text has another form, or a name comes twice with different values.
    """
    values: dict[str, Value] = {}
    for text in texts:
        name, separator, said = (part.strip() for part in text.partition("="))
        if not separator or not name.isidentifier() or not said:
            raise StudyError(
                f"{text!r} fixes no hyperparameter.",
                where=f"--set {text}",
                fix="write NAME=VALUE: --set lr=0.01 --set optimizer=adamw.",
            )
        value = _value(said)
        if name in values and values[name] != value:
            raise StudyError(
                f"{name!r} is fixed twice, to {values[name]!r} and to {value!r}.",
                where=f"--set {text}",
                fix="give each hyperparameter one value, or search it.",
            )
        values[name] = value
    return values


def weigh_classes(chosen: str | None, values: Mapping[str, Value], data: Data) -> dict[str, Value]:
    """Return the fixed values with the weights of classes, or of labels, that are asked for.

    Args:
        chosen: ``"balanced"``, ``"none"``, or None where nothing is said.
        values: What is fixed beside it; left unchanged.
        data: Whose task decides which hyperparameter it is.

    Raises:
        StudyError: There is no such weighing, or the task has no classes.
    """
    if chosen is None:
        return dict(values)
    if chosen not in _CHOICES:
        raise StudyError(
            f"class_weights = {chosen!r} is no way of weighing classes.",
            where="class_weights=… (--class-weights)",
            fix="use 'balanced' or 'none'; rp.Recipe(class_weights={…}) takes a weight for each.",
        )
    if data.task not in _WEIGHTS:
        raise StudyError(
            f"class_weights = {chosen!r} is asked for, and there are no classes to weigh.",
            where=f"{data.name} is a {data.task} task",
            fix="leave it out, or say task='classification' if the targets are classes.",
        )
    return {**values, _WEIGHTS[data.task]: _CHOICES[chosen]}


def fix_values(space: Space, values: Mapping[str, Value], *, recipe: Recipe, data: Data) -> Space:
    """Return the space with constants for hyperparameters that the user fixes.

    Args:
        space: What is searched; left unchanged.
        values: One value a name: knobs of training, hyperparameters of a built-in recipe, or
            those of the space.
        recipe: How models are trained.
        data: On what.

    Raises:
        RecipeError: A built-in recipe knows no such name, or a value is not allowed.
        StudyError: Nothing reads a name.
        SpaceError: No config is left.
    """
    for name, value in values.items():
        if name not in space and name not in KNOBS:
            _refuse_unknown(name, value, space=space, recipe=recipe)
    fixed = space.fix(values)
    _refuse_unread(values, fixed, recipe=recipe, data=data)
    return fixed


def _value(text: str) -> Value:
    if text.lower() in _WORDS:
        return _WORDS[text.lower()]
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def _refuse_unknown(name: str, value: Value, *, space: Space, recipe: Recipe) -> None:
    factory: object = recipe.model
    if isinstance(factory, CheckedFactory):
        factory.check_names({name: value})
        return
    close = difflib.get_close_matches(name, (*space, *KNOBS), n=1)
    raise StudyError(
        f"{name!r} is neither a knob of training nor a hyperparameter of the space.",
        where=f"fixed={{{name!r}: {value!r}}} (--set {name}={value}); space: {', '.join(space)}",
        fix=f"did you mean {close[0]!r}?"
        if close
        else "add it to the space if your model reads it; the knobs are in docs/knobs.md.",
    )


def _refuse_unread(
    values: Mapping[str, Value], space: Space, *, recipe: Recipe, data: Data
) -> None:
    """Refuse an option of losses that no loss of the search reads."""
    own = complete_recipe(recipe, data).loss
    assert own is not None  # noqa: S101 - what completing gives it
    losses = [own]
    match space.get("loss"):
        case Categorical(choices=choices):
            losses = [own if choice is None else str(choice) for choice in choices]
        case Constant(value=str(value)):
            losses = [value]
    read = {option for loss in losses for option in find_loss(loss).options}
    for name in LOSS_OPTIONS & values.keys():
        if name not in read and values[name] != KNOBS[name].default:
            raise StudyError(
                f"{name} = {values[name]!r} is fixed, and no loss of this search reads it.",
                where=f"losses: {', '.join(map(loss_name, losses))}; {data.name} is a "
                f"{data.task} task",
                fix="leave it out, or fix a loss that reads it (docs/tasks.md).",
            )
