"""The option that says how many processes train a trial together."""

from typing import Annotated

import typer

__all__ = ["Devices"]

Devices = Annotated[
    int,
    typer.Option(
        min=1,
        help="Devices per trial: so many processes train each model together, on shares of every "
        "batch. There are then so many times fewer workers.",
    ),
]
