"""The command tree."""

from typing import Annotated

import typer

from ripieno.cli import (
    archive,
    doctor,
    ensemble,
    nas,
    predict,
    report,
    resume,
    show,
    studies,
    tune,
)

__all__ = ["app", "main"]

app = typer.Typer(
    name="ripieno",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _version(value: bool | None) -> None:  # noqa: FBT001 - Typer calls it so
    if value:
        from importlib.metadata import version

        typer.echo(f"ripieno {version('ripieno')}")
        raise typer.Exit


@app.callback()
def _root(
    version: Annotated[
        bool | None,
        typer.Option("--version", callback=_version, is_eager=True, help="Print the version."),
    ] = None,
) -> None:
    """Tune PyTorch models and turn the search into an ensemble.

    Begin with [bold]ripieno tune digits[/bold]: real handwritten digits, a few minutes at
    most, and a folder with a report, an ensemble and everything that was trained.
    """


app.command("tune")(tune.tune)
app.command("nas")(nas.nas)
app.command("resume")(resume.resume)
app.command("show")(show.show)
app.command("report")(report.report)
app.command("ensemble")(ensemble.ensemble)
app.command("predict")(predict.predict)
app.command("doctor")(doctor.doctor)
app.command("ls")(studies.ls)
app.command("rm")(studies.rm)
app.command("gc")(studies.gc)
app.command("export")(archive.export)
app.command("import")(archive.import_)


def main() -> None:
    """Run the command."""
    app()
