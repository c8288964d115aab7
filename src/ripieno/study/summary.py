"""From a study to the records that its page is made of."""

import platform
from collections.abc import Sized
from importlib.metadata import version
from types import MappingProxyType
from typing import TYPE_CHECKING

from ripieno.reports import Answers, Scores, Selection, Summary
from ripieno.study.diagnosing import diagnosed
from ripieno.study.evaluation import Evaluation
from ripieno.study.jobs import TuneJob
from ripieno.study.results import Results

if TYPE_CHECKING:
    from ripieno.study.study import Study

__all__ = ["summarize"]

_OUTPUTS = MappingProxyType(
    {"classification": "classes", "multilabel": "labels", "regression": "columns to predict"}
)


def summarize(study: "Study", results: Results, evaluation: Evaluation | None) -> Summary:
    """Return everything that a page about the study shows."""
    settings = study.settings
    return Summary(
        title=_title(study),
        objective=settings.objective,
        trials=study.trials,
        space=study.space,
        scheduler=settings.scheduler,
        searcher=settings.searcher_in_words,
        seed=settings.seed,
        seconds=results.seconds,
        stopped=None if results.finished else "the search is not finished",
        single=Scores(results.best.validation, results.best.test) if results.best else Scores(),
        ensemble=_selection(results, evaluation),
        answers=_answers(evaluation),
        **diagnosed(study),
        fit_metric=_fit_metric(study),
        goal=None if settings.goal.is_plain else settings.goal,
        refined=study.refined,
        data=_data(study),
        environment={
            "Ripieno": version("ripieno"),
            "torch": version("torch"),
            "Python": platform.python_version(),
            "machine": platform.machine(),
        },
    )


def _title(study: "Study") -> str:
    settings = study.settings
    if isinstance(study.job, TuneJob):
        return f"{study.job.recipe.name} on {study.job.data.name}"
    if settings.data is not None and settings.data.source is not None:
        return f"{settings.recipe} on {settings.data.source}"
    return "Search"


def _selection(results: Results, evaluation: Evaluation | None) -> Selection | None:
    found = results.ensemble
    if found is None:
        return None
    members: tuple[Scores, ...] = ()
    if evaluation is not None and evaluation.result.members == found.members:
        tests = evaluation.member_test or ({},) * len(found.members)
        validations = (trial.metrics for trial in evaluation.chosen.members)
        members = tuple(map(Scores, validations, tests))
    return Selection(
        trials=tuple(found.members),
        weights=tuple(found.weights),
        scores=Scores(found.validation, found.test),
        members=members,
        by=found.selected_by,
    )


def _answers(evaluation: Evaluation | None) -> Answers | None:
    if evaluation is None or evaluation.best_predictions is None:
        return None
    data = evaluation.chosen.job.data
    test = data.test
    assert test is not None  # noqa: S101 - else there were no test probabilities
    return Answers(
        targets=test.y.reshape(len(test), -1) if data.coding.is_regression else test.y,
        single=evaluation.best_predictions,
        ensemble=evaluation.predictions,
        classes=tuple(map(str, data.classes)),
        task=data.task,
        votes=evaluation.votes,
        calibrated=evaluation.calibrated,
    )


def _fit_metric(study: "Study") -> str | None:
    """Return the metric that is the training loss on validation rows, if there is one."""
    if not isinstance(study.job, TuneJob):
        return "log_loss"
    is_log_loss = study.job.recipe.loss in {"cross_entropy", "binary_cross_entropy"}
    return "log_loss" if is_log_loss and "loss" not in study.space else None


def _replicas(study: "Study") -> dict[str, str]:
    """Say what a trial's models are, where it has several."""
    counts = {"folds": study.settings.folds, "seeds of a trial": study.settings.seeds}
    return {name: str(count) for name, count in counts.items() if count > 1}


def _data(study: "Study") -> dict[str, str]:
    if not isinstance(study.job, TuneJob):
        return {}
    data = study.job.data
    rows: dict[str, Sized | None]
    rows = {"training rows": data.train, "validation rows": data.validation, "test rows": data.test}
    if data.folds is not None:
        rows = {"search rows": data.targets, "test rows": data.test}
    return {
        "data": data.name,
        **{name: f"{len(part):,}" for name, part in rows.items() if part is not None},
        **_replicas(study),
        "features": " by ".join(map(str, data.shape)),
        _OUTPUTS[data.task]: str(data.outputs),
    }
