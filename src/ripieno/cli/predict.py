"""``ripieno predict``: a study's ensemble on new data."""

from pathlib import Path
from typing import Annotated

import typer

from ripieno.cli.errors import said_plainly

__all__ = ["predict"]


def predict(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The study's folder.", show_default=False)
    ],
    rows: Annotated[
        Path,
        typer.Argument(
            metavar="INPUT",
            help="A .csv or .parquet with the columns that the study was trained on, a .npz "
            "with x, an image or a folder of images.",
            show_default=False,
        ),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="A .csv or .npz file \\[standard output, as CSV].", show_default=False),
    ] = None,
) -> None:
    """Predict with a study's ensemble, one line for each row.

    A label and one probability a class; or for each of several labels 0 or 1 and a probability;
    or the predicted values.
    """
    from ripieno.study import predict_file

    with said_plainly():
        text = predict_file(folder, rows, out)
        typer.echo(text, nl=False)
