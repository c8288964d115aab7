"""What ``ripieno show`` prints of one trial, and of how the trials were trained."""

import json
from collections.abc import Sequence

from rich.table import Table

from ripieno.cli.output import console, finite
from ripieno.errors import StudyError
from ripieno.records import Trial
from ripieno.reports import Training, trained
from ripieno.study import Study

__all__ = ["print_training", "print_trial"]

_WAYS = 10


def print_trial(study: Study, number: int, *, as_json: bool) -> None:
    """Print everything that is recorded of one trial, but for its earlier epochs.

    Raises:
        StudyError: The study has no such trial.
    """
    trial = next((trial for trial in study.trials if trial.id == number), None)
    if trial is None:
        count = len(study.trials)
        raise StudyError(
            f"there is no trial {number}.",
            where=repr(study),
            fix=f"name one of 0 to {count - 1}." if count else "run the study first.",
        )
    facts = _facts(trial, study.origin(trial))
    if as_json:
        print(json.dumps(finite(facts)))  # noqa: T201 - our output
        return
    table = Table.grid("", "", padding=(0, 2))
    for name, value in facts.items():
        if isinstance(value, dict):
            shown = "\n".join(f"{key} = {_word(item)}" for key, item in value.items())
        else:
            shown = _word(value)
        table.add_row(name, shown or "-")
    console().print(table)


def print_training(found: Sequence[Training]) -> None:
    """Print how the trials were trained, the longest time first; nothing where none said so."""
    if not found:
        return
    heads = ("trained as", "rows", "trials", "seconds", "because")
    table = Table(*heads, box=None)
    for one in found[:_WAYS]:
        rows = {str(one.fewest_rows): None, str(one.most_rows): None}
        table.add_row(
            one.tier or "-", " to ".join(rows), str(one.trials), f"{one.seconds:.1f}",
            one.reason or "-",
        )  # fmt: skip
    out = console()
    out.print()
    out.print(table)
    if len(found) > _WAYS:
        out.print(f"and {len(found) - _WAYS} more that took less time")


def _facts(trial: Trial, origin: int | None) -> dict[str, object]:
    found = trained(trial)
    return {
        "trial": trial.id,
        "status": trial.status.value,
        "epochs": trial.epochs,
        "parent": trial.parent,
        "refined_from": origin,
        "seconds": round(trial.seconds, 3),
        "config": dict(trial.config),
        "metrics": dict(trial.metrics),
        "tier": found.tier,
        "rows": None if trial.notes is None else found.most_rows,
        "notes": trial.notes,
        "error": trial.error,
    }


def _word(value: object) -> str:
    if value is None:
        return "-"
    text = f"{value:.6g}" if isinstance(value, float) else str(value)
    # A library's own words may hold what steers a terminal.
    lines = text.splitlines()
    return "\n".join(
        "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in line)
        for line in lines
    )
