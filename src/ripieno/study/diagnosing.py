"""The doctor at a study: its best trial is examined, and the findings are kept."""

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ripieno.diagnostics import Diagnosis, diagnose, find_edges, inspect
from ripieno.errors import StudyError
from ripieno.recipes import NumericTransform, Reading
from ripieno.records import check_fields
from ripieno.space import Space, Value
from ripieno.study.fixing import fix_values, weigh_classes
from ripieno.study.inputs import DataInput, ModelInput, find_recipe, read_data
from ripieno.study.jobs import TuneJob
from ripieno.study.refining import settled

if TYPE_CHECKING:
    from ripieno.study.study import Study

__all__ = ["diagnose_data", "diagnose_study", "diagnosed"]

_KEPT_BY_THE_PAGE = frozenset({"edge_of_range", "overfitting", "underfitting"})


def diagnose_data(
    data: DataInput,
    model: ModelInput | None = None,
    *,
    target_column: str | Sequence[str] | None = None,
    groups: str | None = None,
    time_column: str | None = None,
    drop: str | Sequence[str] = (),
    categorical: str | Sequence[str] = (),
    numeric: NumericTransform | None = None,
    image_size: int | tuple[int, int] | None = None,
    task: str | None = None,
    scale_targets: bool = True,
    fixed: Mapping[str, Value] | None = None,
    class_weights: str | None = None,
    seed: int = 0,
    progress: bool = True,
) -> Diagnosis:
    """Examine the training of a model's default config, without a study.

    Args:
        data: As for :func:`~ripieno.study.tune`, as are the arguments up to ``class_weights``.
        model: As for :func:`~ripieno.study.tune`; it needs no space.
        target_column: The columns to predict, for a table.
        groups: A column; rows with equal values stay in one part.
        time_column: A column; the latest rows are the validation and test part.
        drop: Columns that are not read.
        categorical: Columns that hold categories.
        numeric: How numeric columns are scaled.
        image_size: Height and width that a folder's images are resized to.
        task: What is predicted.
        scale_targets: Whether a regression is trained on standardised targets.
        fixed: Values of the config that differ from its defaults.
        class_weights: How classes are weighed.
        seed: Of the split and everything that is drawn.
        progress: Say on standard error what is being looked at.

    Raises:
        DataError, RecipeError, SpaceError, StudyError: What was passed cannot be used.
    """
    reading = Reading(
        target=target_column,
        groups=groups,
        time=time_column,
        drop=drop,
        categorical=categorical,
        numeric=numeric,
        image_size=image_size,
        task=task,
        scale_targets=scale_targets,
    )
    read, _ = read_data(data, reading, seed=seed)
    recipe = find_recipe(model, read)
    values = weigh_classes(class_weights, fixed or {}, read)
    space = fix_values(recipe.space or Space(), values, recipe=recipe, data=read)
    # The recipe looks at the values of its space.
    recipe = replace(recipe, space=space)
    return diagnose(recipe, read, space.default(), seed=seed, watch=_teller(show=progress))


def diagnose_study(study: "Study", *, progress: bool) -> Diagnosis:
    """Examine a study's best trial, and keep the findings in its folder.

    Raises:
        StudyError: The study has no model and data at hand, or no trial has a value.
    """
    job = study.job
    if not isinstance(job, TuneJob):
        raise StudyError(
            "there is no training to examine: the study has no model and data at hand.",
            where=repr(study),
            fix="pass what it trains: rp.open(path, model=…, data=…).",
        )
    best = study.best
    config = settled(best)
    found = diagnose(
        job.recipe, job.data, config, seed=study.settings.seed, watch=_teller(show=progress)
    )
    edges = find_edges(study.trials, study.settings.objective, study.space)
    measured = {"trial": float(best.id), **(found.measured or {})}
    diagnosis = Diagnosis((*found.findings, *edges), found.range_test, measured)
    if study.folder is not None:
        scratch = study.folder.diagnosis.with_suffix(".tmp")
        scratch.write_text(json.dumps(diagnosis.to_dict(), indent=2))
        scratch.replace(study.folder.diagnosis)
    return diagnosis


def diagnosed(study: "Study") -> dict[str, Any]:
    """Return what a page shows of a diagnosis: the one that is kept, or that of the data alone.

    What the page itself says of the trials is left out.
    """
    kept = _kept(study)
    if kept is not None:
        shown = tuple(f for f in kept.findings if f.kind not in _KEPT_BY_THE_PAGE)
        return {"diagnosis": shown, "range_test": kept.range_test}
    if isinstance(study.job, TuneJob):
        return {"diagnosis": inspect(study.job.data)}
    return {}


def _kept(study: "Study") -> Diagnosis | None:
    """Return the stored diagnosis, if it is of the trial that is the best one now."""
    if study.folder is None or not study.folder.diagnosis.is_file():
        return None
    try:
        kept = Diagnosis.from_dict(json.loads(study.folder.diagnosis.read_text()))
        check_fields(kept)
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StudyError(
            f"the stored diagnosis cannot be read: {error}.",
            where=str(study.folder.diagnosis),
            fix=f"delete the file; `ripieno doctor {study.folder.path}` examines again.",
        ) from error
    return kept if (kept.measured or {}).get("trial") == float(study.best.id) else None


def _teller(*, show: bool) -> Callable[[str], None] | None:
    if not show:
        return None
    return lambda part: print(f"looking at: {part}", file=sys.stderr, flush=True)  # noqa: T201 - progress
