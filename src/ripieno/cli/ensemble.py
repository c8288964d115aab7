"""``ripieno ensemble``: another ensemble of a study's trials."""

from enum import StrEnum
from pathlib import Path
from typing import Annotated

import typer

from ripieno.cli.errors import said_plainly
from ripieno.cli.tune import EnsembleName

__all__ = ["ensemble"]


class CalibrationName(StrEnum):
    """The calibrations that the command knows by name."""

    TEMPERATURE = "temperature"
    VECTOR = "vector"
    ISOTONIC = "isotonic"


def ensemble(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The study's folder.", show_default=False)
    ],
    method: Annotated[
        EnsembleName, typer.Option(help="How the trials are combined; see ripieno tune.")
    ] = EnsembleName.GREEDY,
    size: Annotated[
        int | None,
        typer.Option(min=1, help="Trials at most \\[the method's own choice].", show_default=False),
    ] = None,
    calibration: Annotated[
        CalibrationName | None,
        typer.Option(help="Make the probabilities mean what they say.", show_default=False),
    ] = None,
    out: Annotated[
        Path | None,
        typer.Option(help="Where to \\[ensemble-METHOD in DIR].", show_default=False),
    ] = None,
    export: Annotated[
        Path | None,
        typer.Option(help="Write it as one graph too: a .pt2 or .onnx file.", show_default=False),
    ] = None,
    test: Annotated[
        bool,
        typer.Option(
            "--test", help="Measure it on the test part too; each look makes it less of one."
        ),
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the numbers as one JSON object.")
    ] = False,
) -> None:
    """Combine the trials of a finished study in another way; nothing is trained.

    The gain on the validation part is estimated in nested folds, so that methods can be
    compared without a look at the test part.
    """
    from ripieno.cli.output import print_ensemble
    from ripieno.study import combine
    from ripieno.study import open as open_study

    with said_plainly(folder), open_study(folder) as study:
        result = combine(
            study,
            method.value,
            size=size,
            calibration=None if calibration is None else calibration.value,
            out=out,
            export=export,
            test=test,
        )
        print_ensemble(result, as_json=as_json)
