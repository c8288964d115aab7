"""``ripieno resume``: go on with a study."""

from pathlib import Path
from typing import Annotated

import typer

from ripieno.cli.devices_option import Device
from ripieno.cli.errors import said_plainly
from ripieno.cli.executor_option import Address, Executor, printing_aside
from ripieno.cli.storage_option import Artifacts, Disk, Storage

__all__ = ["resume"]


def resume(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The study's folder.", show_default=False)
    ],
    minutes: Annotated[
        float | None,
        typer.Option(
            min=0.01, help="Wall time for this session \\[the study's budget].", show_default=False
        ),
    ] = None,
    trials: Annotated[
        int | None,
        typer.Option(
            min=1,
            help="Configurations at most in all, from now on \\[as before].",
            show_default=False,
        ),
    ] = None,
    space: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="Search another space from now on, as Space.to_json() writes it.",
            show_default=False,
        ),
    ] = None,
    enqueue: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE.json",
            help="Configurations to try next: a JSON object, or a list of them.",
            show_default=False,
        ),
    ] = None,
    refine: Annotated[
        int | None,
        typer.Option(
            min=1,
            metavar="BEST",
            help="Tune so many of the best configurations by gradient, and try what they become.",
            show_default=False,
        ),
    ] = None,
    workers: Annotated[
        int | None,
        typer.Option(min=1, help="Processes \\[every usable core].", show_default=False),
    ] = None,
    devices: Annotated[
        int | None,
        typer.Option(min=1, help="Devices per trial \\[as before].", show_default=False),
    ] = None,
    device: Device = None,
    executor: Executor = None,
    address: Address = None,
    storage: Storage = None,
    artifacts: Artifacts = None,
    disk: Disk = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the results as one JSON object.")
    ] = False,
) -> None:
    """Go on with a study where it stopped, killed or interrupted.

    The trials are those that an uninterrupted search would have trained. A study that has
    done all it was asked to is given more with [bold]--trials[/bold].
    """
    from ripieno.cli.inputs import read_configs, read_space
    from ripieno.cli.output import print_end
    from ripieno.study import open as open_study

    with said_plainly(folder), open_study(folder, storage=storage, artifacts=artifacts) as study:
        if space is not None:
            study.change_space(read_space(space))
        if enqueue is not None:
            study.enqueue(*read_configs(enqueue))
        if refine is not None:
            study.refine(refine)
        with printing_aside(executor):
            study.run(
                minutes=minutes,
                trials=trials,
                workers=workers,
                devices=devices,
                device=device,
                executor=executor,
                address=address,
                disk=disk,
            )
        print_end(study, as_json=as_json)
