"""What the command prints: a short summary for people, or one JSON object for scripts."""

import json
import math
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from ripieno.records import (
    Metrics,
    Objective,
    Refined,
    Trial,
    is_tuned,
    ranked,
    spread_name,
    spread_of,
    tuned_spans,
)
from ripieno.reports import trained
from ripieno.study import BestTrial, Combined, EnsembleResult, Results, Study

__all__ = ["console", "finite", "print_end", "print_ensemble", "print_results", "print_trials"]

_OF_TRAINING = frozenset({"train_loss", "learning_rate"})
_MOST_METRICS = 4
_MOST_OF_FRONT = 20
_ROUNDING = 1e-12
"""Differences of two equal models, computed in two ways."""


def print_results(results: Results, *, as_json: bool, metrics: Sequence[str] = ()) -> None:
    """Print the results on standard output.

    Args:
        results: The results.
        as_json: Whether they are printed as one JSON object.
        metrics: What the search was after, by name, for the table of its front.
    """
    if as_json:
        print(json.dumps(finite(results.to_dict())))  # noqa: T201 - our output
        return
    out = console()
    state = "" if results.finished else " (the search is not finished)"
    out.print(f"{results.trials} trials, {results.epochs} epochs, {results.seconds:.1f} s{state}")
    if results.searcher is not None:
        out.print(f"searcher: {results.searcher}")
    if results.folds * results.seeds > 1:
        out.print(_models(results))
    if results.best is not None:
        out.print(_scores(results))
    if results.best is not None:
        out.print(_chosen(results.best))
    if results.front:
        out.print(f"the front: {len(results.front)} of {results.trials} trials")
        out.print(_front(results, metrics))
        if len(results.front) > _MOST_OF_FRONT:
            out.print(f"and {len(results.front) - _MOST_OF_FRONT} more, which --json has too")
    _say_refined(results.refined)
    if results.ensemble is not None:
        _say_gains(results.ensemble)
    if results.out is not None:
        there = [
            n for n in ("report.html", "ensemble", "study.db") if Path(results.out, n).exists()
        ]
        out.print(f"in {results.out}: {', '.join(there)}" if there else f"in {results.out}")


def print_end(study: Study, *, as_json: bool) -> None:
    """Measure a study that has run, leave its files, and print what was found.

    A process that worked for another one leaves that to it, and says what it has done.
    """
    if study.helped is None:
        print_results(study.finish(), as_json=as_json, metrics=study.settings.goal.names)
        return
    out = str(study.folder.path) if study.folder else None
    if as_json:
        print(json.dumps({"helped": study.helped, "out": out}))  # noqa: T201 - our output
        return
    console().print(
        f"{study.helped} orders carried out for the process that led; it writes the ensemble "
        f"and the report into {out}"
    )


def _say_gains(found: EnsembleResult) -> None:
    """Say what the ensemble was selected by, and what it gains."""
    out = console()
    if found.selected_by is not None:
        out.print(f"ensemble selected by validation {found.selected_by.replace('_', ' ')}")
    if found.gain:
        out.print(_gain(found.gain))
    elif found.nested_gain:
        out.print(f"in nested folds: {_gain(found.nested_gain, 'validation')}")


def print_ensemble(found: Combined, *, as_json: bool) -> None:
    """Print what an ensemble is made of and what it gives."""
    if as_json:
        print(json.dumps(finite(found.to_dict())))  # noqa: T201 - our output
        return
    out, result = console(), found.result
    pairs = zip(result.members, result.weights, strict=True)
    out.print(f"{found.method}: " + ", ".join(f"trial {m} {w:.1%}" for m, w in pairs))
    for part, numbers in (("validation", result.validation), ("test", result.test)):
        if numbers:
            told = ", ".join(f"{name} {_digits(value)}" for name, value in numbers.items())
            out.print(f"{part}: {told}")
    if result.nested_gain:
        out.print(f"in nested folds: {_gain(result.nested_gain, 'validation')}")
    if result.gain:
        out.print(_gain(result.gain))
    out.print("in " + ", ".join(found.paths))


def print_trials(study: Study, count: int) -> None:
    """Print the best trials as a table."""
    objectives, goal = study.settings.goal.objectives, study.settings.goal
    by_number = {trial.id: trial for trial in study.trials}
    places = ranked({trial.id: goal.merit(trial) for trial in study.trials})
    best_first = [by_number.pop(number) for number in places] + list(by_number.values())
    shown = best_first[:count]
    said = any(trial.notes is not None for trial in shown)
    heads = ("trained as",) if said else ()
    table = Table("trial", *goal.names, "epochs", "status", *heads, "config", box=None)
    for trial in shown:
        table.add_row(
            str(trial.id), *(_value(trial, each) for each in objectives), str(trial.epochs),
            trial.status.value, *((_trained(trial),) if said else ()), _config(trial.config),
        )  # fmt: skip
    console().print(table)


def _scores(results: Results) -> Table:
    """Return a line for the best trial and one for the ensemble, a column for each number."""
    best, found = results.best, results.ensemble
    assert best is not None  # noqa: S101 - asked by the caller
    hidden = {*_OF_TRAINING, *map(spread_name, best.validation)}
    # What was measured of an ensemble are the metrics; a function's own may have any name.
    told = list(best.validation) if found is None else list(found.validation) or list(best.test)
    told = [n for n in told if not is_tuned(n)]
    shown = [n for n in told if n in best.validation and n not in hidden]
    shown = shown[:_MOST_METRICS] or list(best.validation)
    parts = [("validation", name) for name in shown]
    parts += [("test", name) for name in shown if name in best.test]
    # A function's own metrics are of no part that we know.
    heads = [f"{part}\n{name}" if best.test or found else name for part, name in parts]
    table = Table("", *heads, box=None, pad_edge=False)
    lines = [(f"best trial ({best.trial})", {"validation": best.validation, "test": best.test})]
    if found is not None:
        numbers = {"validation": found.validation, "test": found.test}
        lines.append((f"ensemble of {len(found.members)}", numbers))
    for title, numbers in lines:
        table.add_row(title, *(_number(numbers[part], name) for part, name in parts))
    return table


def _front(results: Results, metrics: Sequence[str]) -> Table:
    """Return a line for each trial of the front, the best by the first metric first."""
    table = Table("trial", *metrics, "config", box=None, pad_edge=False)
    for one in results.front[:_MOST_OF_FRONT]:
        numbers = (_number(one.validation, name) for name in metrics)
        table.add_row(str(one.trial), *numbers, _config(one.config))
    return table


def _say_refined(refined: Sequence[Refined]) -> None:
    """Say which trials others were refined into, and what each gained; nothing of none."""
    if not refined:
        return
    better = sum((one.gain or 0.0) > 0 for one in refined)
    metric = refined[0].metric
    heads = ("trial", "from", f"{metric}\nbefore", f"{metric}\nafter", "better by", "changed")
    table = Table(*heads, box=None, pad_edge=False)
    for one in refined:
        numbers = (math.nan if v is None else v for v in (one.before, one.after, one.gain))
        changed = (f"{n} {_short(was)} → {_short(now)}" for n, (was, now) in one.changed.items())
        table.add_row(str(one.trial), str(one.origin), *map(_digits, numbers), ", ".join(changed))
    out = console()
    out.print(f"refined by gradient: {better} of {len(refined)} better than before")
    out.print(table)


def _models(results: Results) -> str:
    """Say what a trial is where it is several models."""
    counts = (("folds", results.folds), ("seeds", results.seeds))
    words = " x ".join(f"{count} {word}" for word, count in counts if count > 1)
    models = results.folds * results.seeds
    return f"{models} models a trial ({words}); ± is their standard deviation"


def _number(metrics: Metrics, name: str) -> str:
    value, spread = metrics.get(name, math.nan), spread_of(metrics, name)
    beside = "" if spread is None else f" ± {_digits(spread, value)}"
    return f"{_digits(value)}{beside}"


def _value(trial: Trial, objective: Objective) -> str:
    value = trial.value(objective)
    return "-" if math.isnan(value) else _number(trial.metrics, objective.metric)


def _digits(value: float, *beside: float) -> str:
    """Write four decimals; of very large or small numbers, and those beside them, five digits."""
    if math.isnan(value):
        return "-"
    largest = max(abs(number) for number in (value, *beside))
    return f"{value:.4f}" if largest == 0 or 1e-3 <= largest < 1e4 else f"{value:.5g}"


def _trained(trial: Trial) -> str:
    found = trained(trial)
    if found.tier is None:
        return "-"
    return found.tier if found.most_rows == 1 else f"{found.tier}, {found.most_rows} rows"


def _chosen(best: BestTrial) -> str:
    """Say which config is the best, and what of it has tuned itself."""
    tuned = tuned_spans(best.validation)
    became = f"\ntuned while it trained: {_config(tuned)}" if tuned else ""
    return f"best config: {_config(best.config)}{became}"


def _config(config: Mapping[str, Any]) -> str:
    return ", ".join(f"{name}={_short(value)}" for name, value in config.items())


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _gain(gain: Mapping[str, float], part: str = "test") -> str:
    low, high = gain["low"], gain["high"]
    metric = next(name for name in gain if name not in {"low", "high"})
    word = metric.replace("_", " ")
    if max(abs(low), abs(high)) < _ROUNDING:
        return f"the {part} {word} of the ensemble is that of the best trial"
    span = f"95 % interval {_digits(low, high)} to {_digits(high, low)}"
    if low <= 0 <= high:
        return f"no certain gain of the ensemble in {part} {word} ({span})"
    change = "lower" if gain[metric] > 0 else "higher"
    size = _digits(abs(gain[metric]), low, high)
    return f"{part} {word} of the ensemble is {size} {change} ({span})"


def console() -> Console:
    """Return standard output, where words of others stand as they are: ``[x]`` is no style."""
    return Console(file=sys.stdout, highlight=False, markup=False, emoji=False)


def finite(value: Any) -> Any:
    """Replace numbers that JSON does not know (NaN, infinities) by null."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {name: finite(item) for name, item in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [finite(item) for item in value]
    return value
