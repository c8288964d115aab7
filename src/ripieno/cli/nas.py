"""``ripieno nas``: from images to an architecture, trained and explained."""

import json
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ripieno.cli.data_options import ImageSize
from ripieno.cli.devices_option import Device, Devices
from ripieno.cli.errors import said_plainly
from ripieno.cli.executor_option import Address, Executor, printing_aside
from ripieno.cli.storage_option import Artifacts, Disk, OrderMinutes, Storage

if TYPE_CHECKING:
    from ripieno.nas import SearchEpoch

__all__ = ["nas"]


class SpaceName(StrEnum):
    """The spaces of architectures that the command knows by name."""

    CELL = "cell"
    DARTS = "darts"
    MACRO = "macro"


class MethodName(StrEnum):
    """The ways of searching that the command knows by name."""

    DARTS = "darts"
    DARTS2 = "darts2"
    GDAS = "gdas"
    PC_DARTS = "pc_darts"
    DRNAS = "drnas"
    ENAS = "enas"
    RANDOM = "random"
    EVOLUTION = "evolution"
    LOCALSEARCH = "localsearch"
    REINFORCE = "reinforce"
    BANANAS = "bananas"
    TREEPARZEN = "treeparzen"


def nas(
    data: Annotated[
        str,
        typer.Argument(
            help="Images: [bold]digits[/bold], a .npz file, a folder with a sub-folder a class, "
            "or FILE.py:NAME.",
            show_default=False,
        ),
    ],
    space: Annotated[
        SpaceName,
        typer.Option(
            help="What networks there are. [bold]cell[/bold]: the cells of NAS-Bench-201; "
            "[bold]darts[/bold]: those of DARTS, which are larger; [bold]macro[/bold]: depth, "
            "width, kernels and shortcuts, not by gradient.",
        ),
    ] = SpaceName.CELL,
    method: Annotated[
        MethodName,
        typer.Option(
            help="[bold]darts[/bold] (with the regulariser of beta-DARTS), [bold]darts2[/bold] "
            "(second order), [bold]gdas[/bold], [bold]pc_darts[/bold], [bold]drnas[/bold]: by "
            "gradient, in one supernet; [bold]enas[/bold]: a controller, in one supernet; the "
            "others train many networks.",
        ),
    ] = MethodName.DARTS,
    search_epochs: Annotated[
        int, typer.Option(min=1, help="Epochs of the supernet, for methods with one.")
    ] = 50,
    restarts: Annotated[
        int,
        typer.Option(
            min=1,
            help="Supernets, each from another beginning, small ones at once; by gradient "
            "alone. What each has found is trained.",
        ),
    ] = 1,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Configurations to train \\[with a supernet what was found, from scratch].",
            show_default=False,
        ),
    ] = None,
    epochs: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Epochs a trial at most [27; 81 below 1,000 training rows, or beyond 20,000 "
            "with 15 minutes].",
            show_default=False,
        ),
    ] = None,
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.01,
            help="Wall time of the trials at most, without that of the supernet.",
            show_default=False,
        ),
    ] = None,
    metric: Annotated[
        str | None,
        typer.Option(help="What trials are compared by \\[log_loss].", show_default=False),
    ] = None,
    image_size: ImageSize = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes \\[every usable core].", show_default=False),
    ] = None,
    devices: Devices = 1,
    device: Device = None,
    executor: Executor = None,
    address: Address = None,
    storage: Storage = None,
    artifacts: Artifacts = None,
    disk: Disk = None,
    order_minutes: OrderMinutes = None,
    seed: Annotated[int, typer.Option(min=0, help="Of everything that is random.")] = 0,
    out: Annotated[
        Path | None,
        typer.Option(
            help="The study's folder \\[a new one under ripieno-studies].", show_default=False
        ),
    ] = None,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Replace the study that --out holds.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the results as one JSON object.")
    ] = False,
) -> None:
    """Search the architecture of a network for images, and train what was found.

    For example [bold]ripieno nas digits[/bold], or
    [bold]ripieno nas images.npz --space darts --method gdas[/bold]. The report draws the
    architecture; architecture.json in the study's folder holds how the search went.
    """
    from ripieno.cli.output import print_end
    from ripieno.recipes import image_size as read_size
    from ripieno.study import find_architecture, starting_folder

    with said_plainly():
        folder = starting_folder(data, out)
    with said_plainly(folder):
        study = printing_aside(executor)(find_architecture)(
            data,
            space.value,
            method.value,
            search_epochs=search_epochs,
            restarts=restarts,
            trials=trials,
            image_size=None if image_size is None else read_size(image_size),
            seed=seed,
            report=_Teller(search_epochs),
            epochs=epochs,
            minutes=minutes,
            metric=metric,
            workers=workers,
            devices=devices,
            device=device or "auto",
            executor=executor,
            address=address,
            storage=storage,
            artifacts=artifacts,
            disk=disk,
            order_minutes=order_minutes,
            out=folder,
            overwrite=overwrite,
        )
        with study:
            _say_why_stopped(folder / "architecture.json")
            print_end(study, as_json=as_json)


class _Teller:
    """Says a line about every epoch of the supernet.

    Args:
        epochs: Of the whole search.
    """

    def __init__(self, epochs: int) -> None:
        self._epochs, self._done = epochs, 0

    def __call__(self, epoch: "SearchEpoch") -> None:
        """Say what there is to see after an epoch."""
        self._done += 1
        sharp = "" if epoch.eigenvalue is None else f", eigenvalue {epoch.eigenvalue:.3g}"
        typer.echo(
            f"supernet, epoch {self._done} of {self._epochs}: "
            f"training loss {epoch.train_loss:.3f}, held-out loss {epoch.loss:.3f}, "
            f"{epoch.skips} shortcuts, {epoch.idle} edges that learn nothing{sharp}",
            err=True,
        )


def _say_why_stopped(told: Path) -> None:
    """Say why the guard stopped the search of a supernet, where it did."""
    reason = json.loads(told.read_text())["stopped"] if told.is_file() else None
    if reason is not None:
        typer.echo(f"supernet: stopped, as {reason}; an earlier architecture was taken", err=True)
