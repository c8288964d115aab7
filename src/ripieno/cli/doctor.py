"""``ripieno doctor``: what is wrong with a training."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ripieno.cli.data_options import (
    Categorical,
    ClassWeights,
    DataWords,
    Drop,
    Fixed,
    Groups,
    ImageSize,
    Numeric,
    RawTargets,
    Target,
    TaskChoice,
    Time,
)
from ripieno.cli.errors import said_plainly

if TYPE_CHECKING:
    from ripieno.diagnostics import Diagnosis

__all__ = ["doctor"]


def doctor(
    source: Annotated[
        str,
        typer.Argument(
            metavar="DATA|STUDY",
            help="Data as for [bold]ripieno tune[/bold], or a study's folder: then its best "
            "trial is examined, and its report is written anew.",
            show_default=False,
        ),
    ],
    recipe: Annotated[
        str | None,
        typer.Option(
            help="For data: cnn, mlp, resnet, or FILE.py:NAME. Images take cnn, tables take mlp.",
            show_default=False,
        ),
    ] = None,
    target: Target = None,
    groups: Groups = None,
    time: Time = None,
    drop: Drop = None,
    categorical: Categorical = None,
    numeric: Numeric = None,
    image_size: ImageSize = None,
    task: TaskChoice = None,
    raw_targets: RawTargets = False,
    fixed: Fixed = None,
    class_weights: ClassWeights = None,
    seed: Annotated[int, typer.Option(min=0, help="For data: of everything that is random.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="An HTML file for the picture of the learning-rate range test.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the diagnosis as one JSON object.")
    ] = False,
) -> None:
    """Examine a training, and say what is wrong with it and what to do.

    It looks for duplicate rows across the split, unscaled inputs, shuffled labels, a loss that
    does not fit, dead and saturated units, vanishing and exploding gradients, and a learning
    rate or dropout that is far off. Each finding comes with the numbers that show it. Of data
    the recipe's default config is examined; [bold]--set lr=0.3[/bold] changes it.
    """
    from ripieno.reports import write_range_test
    from ripieno.study import diagnose_data
    from ripieno.study import open as open_study

    words = DataWords(
        target=target,
        groups=groups,
        time=time,
        drop=drop,
        categorical=categorical,
        numeric=numeric,
        image_size=image_size,
        task=task,
        raw_targets=raw_targets,
        fixed=fixed,
        class_weights=class_weights,
    )
    with said_plainly():
        if Path(source, "study.db").is_file():
            _refuse_options({"--recipe": recipe, **words.said})
            with open_study(Path(source)) as study:
                found = study.diagnose()
                study.report()
        else:
            found = diagnose_data(source, recipe, seed=seed, **words.keywords())
        if out is not None and found.range_test is not None:
            write_range_test(found.range_test, out, current=(found.measured or {}).get("lr"))
        _print(found, as_json=as_json)


def _refuse_options(said: Mapping[str, object]) -> None:
    from ripieno.errors import StudyError

    for name, value in said.items():
        if value is not None:
            shown = value[0] if isinstance(value, list) and len(value) == 1 else value
            raise StudyError(
                f"{name} {shown!r} is given beside a study, which has its own.",
                where="ripieno doctor STUDY",
                fix=f"leave {name} out, or name the data instead of the study.",
            )


def _print(found: "Diagnosis", *, as_json: bool) -> None:
    from ripieno.cli.output import console, finite

    if as_json:
        print(json.dumps(finite(found.to_dict())))  # noqa: T201 - our output
        return
    out = console()
    for finding in found.findings:
        out.print(f"{finding.severity} ({finding.kind}): {finding.sentence}")
        out.print(f"  do: {finding.advice}")
    if not found.alarms:
        out.print("Nothing alarming was found.")
    if found.range_test is not None and found.range_test.suggestion is not None:
        lr = (found.measured or {}).get("lr")
        beside = "" if lr is None else f" (the training has {lr:.3g})"
        out.print(f"suggested learning rate: {found.range_test.suggestion:.3g}{beside}")
