"""Which of a study's trials are the good ones."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ripieno.errors import StudyError
from ripieno.records import Goal, Limit, Trial, front
from ripieno.reports import trainings
from ripieno.study.folder import Folder
from ripieno.study.results import BestTrial, EnsembleResult, FrontTrial, Results

if TYPE_CHECKING:
    import pandas as pd

    from ripieno.study.study import Study

__all__ = ["best_of", "found_of", "front_of", "stored_results", "table_of"]


def best_of(trials: Sequence[Trial], goal: Goal) -> Trial:
    """Return the best trial that keeps all limits; of several metrics the first one decides.

    Raises:
        StudyError: No trial has given a value, or none keeps the limits.
    """
    rated = ((trial, goal.merit(trial)) for trial in trials)
    found = [(trial, merit) for trial, merit in rated if merit is not None]
    if not found:
        errors = [trial for trial in trials if trial.error]
        first = f"trial {errors[0].id}: {errors[0].error}" if errors else "no trial finished"
        raise StudyError(
            "the study has no best trial yet: no trial has given a value.",
            where=first,
            fix="mend the first error, or run the study for longer.",
        )
    keeping = [(trial, merit) for trial, merit in found if merit.violation == 0.0]
    if not keeping:
        raise _none_keeps(goal.limits, len(found))
    return min(keeping, key=lambda pair: pair[1].order)[0]


def front_of(trials: Sequence[Trial], goal: Goal) -> tuple[Trial, ...]:
    """Return the trials that keep all limits and that no other one dominates.

    They come in the sequence of the first metric, its best one first.
    """
    by_number = {trial.id: trial for trial in trials}
    return tuple(by_number[number] for number in front(goal.merits(trials)))


def table_of(trials: Sequence[Trial]) -> "pd.DataFrame":
    """Return one row a trial: number, status, epochs, parent, config, last metrics."""
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for trial in trials:
        row: dict[str, Any] = {"trial": trial.id, "status": trial.status.value}
        row |= {"epochs": trial.epochs, "parent": trial.parent}
        row |= {f"config_{name}": value for name, value in trial.config.items()}
        row |= dict(trial.metrics) | {"seconds": trial.seconds}
        rows.append(row)
    return pd.DataFrame(rows)


def _none_keeps(limits: Sequence[Limit], count: int) -> StudyError:
    return StudyError(
        f"the study has no best trial: none of {count} trials keeps the limits.",
        where=", ".join(map(str, limits)),
        fix="loosen a limit in a new study, or run this one for longer.",
    )


def found_of(
    study: "Study", *, seconds: float, best: BestTrial | None, ensemble: EnsembleResult | None
) -> Results:
    """Return the numbers of a study beside what was measured on the test part.

    Args:
        study: The study.
        seconds: Wall time of its search.
        best: Its best trial.
        ensemble: Its ensemble.
    """
    trials, settings = study.trials, study.settings
    on_front = front_of(trials, settings.goal) if settings.further else ()
    return Results(
        trials=len(trials),
        epochs=sum(len(trial.history) for trial in trials),
        seconds=round(seconds, 3),
        best=best,
        ensemble=ensemble,
        out=str(study.folder.path) if study.folder else None,
        finished=study.finished,
        folds=settings.folds,
        seeds=settings.seeds,
        training=list(trainings(trials)),
        searcher=settings.searcher_in_words,
        front=[FrontTrial(t.id, dict(t.config), dict(t.metrics)) for t in on_front],
        refined=list(study.refined),
    )


def stored_results(folder: Folder | None, trials: Sequence[Trial]) -> Results | None:
    """Return the results in the folder, if they are of the search's present state."""
    if folder is None or not folder.results.is_file():
        return None
    results = Results.read(folder.results)
    now = (len(trials), sum(len(trial.history) for trial in trials))
    return results if (results.trials, results.epochs) == now else None
