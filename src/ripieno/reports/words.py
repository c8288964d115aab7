"""What a study has found, in sentences with numbers."""

import math
from dataclasses import dataclass
from typing import Literal

from ripieno.records import Config, Trial, TrialStatus, front
from ripieno.reports.comparing import compare
from ripieno.reports.figures import style
from ripieno.reports.summary import Answers, Summary, last_value, lost

__all__ = ["Finding", "config_words", "findings"]

_OVERFIT = 2.0
_IMPROVING = 0.05


@dataclass(frozen=True, slots=True)
class Finding:
    """A sentence out of the records.

    Args:
        kind: ``"result"`` tells what came out, ``"advice"`` what could be tried next, and
            ``"warning"`` what went wrong.
        text: The sentence, as plain text.
    """

    kind: Literal["result", "advice", "warning"]
    text: str


def findings(summary: Summary) -> tuple[Finding, ...]:
    """Return what the records say, the most important first."""
    found: list[Finding | None] = [_best(summary), _front(summary), *_gains(summary.answers)]
    found += [_broken(summary), _losses(summary)]
    found += [Finding(f.severity, f"{f.sentence} {f.advice}") for f in summary.diagnosis]
    best = summary.best
    if best is not None:
        found += [_fit(summary, best), _still_improving(summary, best)]
        found += _edges(summary)
    return tuple(finding for finding in found if finding is not None)


def config_words(config: Config) -> str:
    """Return a config as ``lr 0.01, optimizer sgd``."""
    return ", ".join(f"{name} {style.number(value)}" for name, value in config.items())


def _best(summary: Summary) -> Finding:
    best = summary.best
    if best is None and summary.broken:
        return Finding(
            "warning", f"None of {style.plural(len(summary.broken), 'trial')} keeps the limits."
        )
    if best is None:
        return Finding(
            "warning", f"None of {style.plural(len(summary.trials), 'trial')} has a value."
        )
    metric = summary.objective.metric
    value = style.number(last_value(best, summary.objective)) + style.beside(best, metric)
    place = f"the best of {len(summary.trials):,}" if len(summary.trials) > 1 else "the only one"
    length = f" after {style.plural(best.epochs, 'epoch')}" if summary.has_epochs else ""
    return Finding(
        "result",
        f"Trial {best.id} is {place}: {style.words(metric)} {value}{length}, "
        f"with {config_words(best.config)}.",
    )


def _front(summary: Summary) -> Finding | None:
    """Say between what there is to choose, where there are several metrics."""
    goal = summary.goal
    if goal is None or len(goal.objectives) < 2 or summary.best is None:
        return None
    numbers = set(front(goal.merits(summary.trials)))
    chosen = [trial for trial in summary.trials if trial.id in numbers]
    ranges = [
        f"{style.words(name)} {style.number(min(values))} to {style.number(max(values))}"
        for name in goal.names
        if (values := [trial.metrics[name] for trial in chosen])
    ]
    count = style.plural(len(chosen), "trial")
    return Finding("result", f"The front holds {count}: {', '.join(ranges)}.")


def _broken(summary: Summary) -> Finding | None:
    goal, gone = summary.goal, len(summary.broken)
    if goal is None or not gone or summary.best is None:
        return None
    limits = ", ".join(map(str, goal.limits))
    verb = "breaks" if gone == 1 else "break"
    text = f"{style.plural(gone, 'trial')} {verb} a limit ({limits}) and cannot be the best."
    return Finding("warning", text)


def _gains(answers: Answers | None) -> list[Finding]:
    """Compare the ensemble with the best single model on the rows held out."""
    if answers is None or answers.ensemble is None:
        return []
    # Imported here: the metrics come with torch, which a study without answers never needs.
    from ripieno.ensembles import gain_interval

    gain = gain_interval(answers.single, answers.ensemble, answers.targets, task=answers.task)
    interval = f"95 % interval of the gain {style.number(gain.low)} to {style.number(gain.high)}"
    seen = (
        "" if answers.part == "test" else f" These {answers.part} rows chose both, so it flatters."
    )
    lead = "Gain" if gain.is_clear and gain.value > 0 else "No gain"
    change = f"{style.number(abs(gain.value))} {'lower' if gain.value > 0 else 'higher'}"
    if not gain.is_clear:
        interval += ", which holds zero: it may be chance"
    first = (
        f"{lead}: the ensemble's {answers.part} {style.words(gain.metric)} is {change} than that "
        f"of the best single model ({interval}).{seen}"
    )
    if gain.low == gain.high == 0:
        first = "No gain: the ensemble answers every row as the best single model does."
    return [Finding("result", first), Finding("result", compare(answers))]


def _losses(summary: Summary) -> Finding | None:
    gone = lost(summary.trials)
    if not gone:
        return None
    counts = [
        f"{sum(trial.status is status for trial in gone)} {word}"
        for status, word in ((TrialStatus.DIVERGED, "diverged"), (TrialStatus.FAILED, "failed"))
        if any(trial.status is status for trial in gone)
    ]
    first = min(gone, key=lambda trial: (trial.status is not TrialStatus.FAILED, trial.id))
    reason = ((first.error or "").strip() or "no reason was recorded").splitlines()[0]
    reason = reason if len(reason) <= 200 else f"{reason[:200]}…"
    return Finding(
        "warning",
        f"Of {style.plural(len(summary.trials), 'trial')} {' and '.join(counts)}; "
        f"trial {first.id} with: {reason}",
    )


def _fit(summary: Summary, best: Trial) -> Finding | None:
    training = best.metrics.get("train_loss", math.nan)
    validation = best.metrics.get(summary.fit_metric or "", math.nan)
    if not (math.isfinite(training) and math.isfinite(validation)):
        return None
    numbers = (
        f"{style.number(training)} on training rows, {style.number(validation)} on validation rows"
    )
    if validation > _OVERFIT * max(training, 0.0) and validation - training > 0.01:
        return Finding(
            "advice",
            f"The best trial overfits: its loss is {numbers}. More regularization, more data or "
            "a smaller model may help.",
        )
    if validation <= 1.1 * training:
        return Finding(
            "advice",
            f"The best trial does not overfit: its loss is {numbers}. A larger model, less "
            "regularization or more epochs may help.",
        )
    return Finding("result", f"The best trial fits about right: its loss is {numbers}.")


def _still_improving(summary: Summary, best: Trial) -> Finding | None:
    """Notice a curve that has not levelled off: its last quarter gained over five percent."""
    objective = summary.objective
    values = [row.get(objective.metric, math.nan) for row in best.history]
    quarter = len(values) // 4
    if quarter < 1 or not all(math.isfinite(value) for value in values):
        return None
    before, last = values[-quarter - 1], values[-1]
    is_record = not any(objective.is_better(value, last) for value in values)
    if not is_record or abs(last - before) <= _IMPROVING * abs(before):
        return None
    return Finding(
        "advice",
        f"The best trial was still improving when it ended: {style.words(objective.metric)} "
        f"{style.number(before)} at epoch {best.epochs - quarter}, {style.number(last)} at epoch "
        f"{best.epochs}. More epochs may help.",
    )


def _edges(summary: Summary) -> list[Finding]:
    """Find hyperparameters whose good values crowd at an end of their range."""
    # Imported here: the other diagnostics come with torch, which a page alone never needs.
    from ripieno.diagnostics import find_edges

    found = find_edges(summary.trials, summary.objective, summary.space)
    return [Finding("advice", f"{edge.sentence} {edge.advice}") for edge in found]
