"""The options that say on what, and on how many of them, a trial is trained."""

from typing import Annotated

import typer

__all__ = ["Device", "Devices", "count_gpus"]

Devices = Annotated[
    int,
    typer.Option(
        min=1,
        help="Devices per trial: so many processes train each model together, on shares of every "
        "batch. There are then so many times fewer workers.",
    ),
]

Device = Annotated[
    str | None,
    typer.Option(
        metavar="NAME",
        help="Where models are trained: [bold]cpu[/bold], [bold]cuda[/bold] (one GPU a worker), "
        "[bold]cuda:1[/bold] (that one), [bold]mps[/bold], or [bold]auto[/bold] for CUDA where "
        "torch finds it, else the CPU \\[auto; to go on, as before].",
        show_default=False,
    ),
]


def count_gpus(device: str | None) -> int:
    """Return how many GPUs there are for a device, 0 where models are trained on cores.

    Loading torch for it, while nothing else begins, is left to machines with a GPU's driver.
    """
    from ripieno.executors import has_driver

    if device == "cpu" or (device in {None, "auto"} and not has_driver()):
        return 0
    from ripieno.recipes import gpus_for

    return gpus_for(device or "auto")
