"""``ripieno show``: what a study has found so far."""

from pathlib import Path
from typing import Annotated

import typer

from ripieno.cli.errors import said_plainly

__all__ = ["show"]


def show(
    folder: Annotated[
        Path, typer.Argument(metavar="DIR", help="The study's folder.", show_default=False)
    ],
    trials: Annotated[int, typer.Option(min=0, help="How many of the best trials.")] = 10,
    trial: Annotated[
        int | None,
        typer.Option(
            min=0, help="Show this trial alone, and how it was trained.", show_default=False
        ),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print the results as one JSON object.")
    ] = False,
) -> None:
    """Show a study's results and its best trials; the search itself is not touched."""
    from ripieno.cli.details import print_training, print_trial
    from ripieno.cli.output import print_results, print_trials
    from ripieno.study import open as open_study

    with said_plainly(), open_study(folder, read_only=True) as study:
        if trial is not None:
            print_trial(study, trial, as_json=as_json)
            return
        results = study.results()
        print_results(results, as_json=as_json, metrics=study.settings.goal.names)
        if not as_json and trials:
            print_trials(study, trials)
            print_training(results.training)
