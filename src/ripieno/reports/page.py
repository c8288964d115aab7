"""One self-contained HTML file about a study."""

import html
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

from jinja2 import Environment, PackageLoader, StrictUndefined
from plotly.offline import get_plotlyjs

from ripieno.errors import ReportError
from ripieno.records import is_tuned, tuned_name, tuned_spans
from ripieno.reports import figures
from ripieno.reports.figures import style
from ripieno.reports.summary import Answers, Selection, Summary, last_value, lost
from ripieno.reports.training import trainings
from ripieno.reports.words import config_words, findings

__all__ = ["write_page"]

_ROWS = 15
_TRAININGS = 12
_ABSENT = "\N{EN DASH}"


@dataclass(frozen=True, slots=True)
class _Panel:
    """A figure on the page, or the reason why there is none."""

    key: str
    title: str
    caption: str
    figure: str | None
    height: int = 0
    min_width: int = 0


@dataclass(frozen=True, slots=True)
class _Section:
    title: str
    panels: list[_Panel]


def write_page(summary: Summary, path: str | os.PathLike[str]) -> Path:
    """Write one HTML file that needs nothing else: no network, no other file.

    The file is written under another name first and then renamed, so that a page that is
    open or being copied is never half of one.

    Args:
        summary: What the page shows; what it lacks is left out.
        path: The file; its folder is made if need be.

    Returns:
        The file.

    Raises:
        ReportError: The file cannot be written.
    """
    target = Path(path)
    if target.is_dir():
        raise ReportError(
            f"the page cannot be written: {str(path)!r} is a folder.",
            where=str(target.absolute()),
            fix="give the name of a file, such as report.html.",
        )
    half = target.with_name(f".{target.name}.{uuid4().hex}.tmp")
    text = _render(summary)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        half.write_text(text, encoding="utf-8")
        half.replace(target)
    except OSError as error:
        raise ReportError(
            f"the page cannot be written: {error.strerror or error}.",
            where=str(target),
            fix="give the name of a file in a folder that can be written.",
        ) from error
    finally:
        if half.is_file():
            half.unlink()
    return target


def _render(summary: Summary) -> str:
    environment = Environment(
        loader=PackageLoader("ripieno.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("page.html").render(
        summary=summary,
        tiles=_tiles(summary),
        findings=findings(summary),
        sections=[section for section in _sections(summary) if section.panels],
        table=_table(summary),
        refined=_refined(summary),
        training=_training(summary),
        facts=_facts(summary),
        plotly=get_plotlyjs(),
    )


def _sections(summary: Summary) -> list[_Section]:
    # What breaks a limit is shown beside the front, and is the best of nothing.
    trials, objective, goal = summary.kept, summary.objective, summary.goal
    search: dict[str, Callable[[], Any]] = {
        "best-so-far": lambda: figures.best_so_far(trials, objective, seconds=summary.seconds),
        "parallel-coordinates": lambda: figures.parallel_coordinates(
            trials, objective, summary.space
        ),
    }
    if goal is not None:
        for place in range(1, len(goal.objectives)):
            key = "front" if place == 1 else f"front-{place}"
            search[key] = partial(figures.front, summary.trials, goal, across=place)
    if summary.has_epochs:
        search["learning-curves"] = lambda: figures.learning_curves(trials, objective)
    measured = summary.fit_metric
    if measured and any({"train_loss", measured} <= set(trial.metrics) for trial in trials):
        search["fit"] = lambda: figures.fit(trials, objective, validation=measured)
    tested, best = summary.range_test, summary.best
    if tested is not None:
        current = best.config.get("lr") if best is not None else None
        search["learning-rate-range"] = lambda: figures.learning_rate_range(
            tested, current=current if isinstance(current, float) else None
        )
    graphs = _graphs(summary)
    if graphs:
        search["architecture"] = lambda: figures.architecture(graphs)
    return [
        _Section("The search", [_panel(key, draw) for key, draw in search.items()]),
        _Section("The ensemble", _ensemble_panels(summary)),
        _Section("The answers", _answer_panels(summary.answers)),
    ]


def _graphs(summary: Summary) -> dict[str, dict[tuple[int, int], str]]:
    """Return the graphs of the best trial's architecture, where architectures were searched."""
    if summary.best is None or "network" not in summary.best.config:
        return {}
    # Imported here: torch comes with it, which other pages never need.
    from ripieno.nas import graphs_of

    return graphs_of(summary.best.config)


def _ensemble_panels(summary: Summary) -> list[_Panel]:
    ensemble, best = summary.ensemble, summary.best
    if ensemble is None:
        return []
    chosen = {trial.id: config_words(trial.config) for trial in summary.trials}
    panels = [
        _panel(
            "ensemble-weights",
            lambda: figures.ensemble_weights(
                ensemble, best=None if best is None else best.id, configs=chosen
            ),
        )
    ]
    single = summary.single_scores
    if any((single.validation, single.test)):
        panels.append(
            _panel("gain", lambda: figures.gain(single, ensemble.scores, members=ensemble.members))
        )
    return panels + _member_panels(ensemble, summary.answers)


def _member_panels(ensemble: Selection, answers: Answers | None) -> list[_Panel]:
    """Return what is shown of an ensemble's members beside each other."""
    if answers is None or answers.votes is None or len(answers.votes) < 2:
        return []
    drawn: dict[str, Callable[[Selection, Answers], Any]] = {"gain-by-size": figures.gain_by_size}
    if answers.task == "classification":
        drawn |= {"diversity": figures.diversity, "kappa-error": figures.kappa_error}
    if answers.task != "multilabel":
        drawn["ambiguity"] = figures.ambiguity
    return [_panel(key, partial(draw, ensemble, answers)) for key, draw in drawn.items()]


def _answer_panels(answers: Answers | None) -> list[_Panel]:
    if answers is None:
        return []
    models = {"best single model": answers.single}
    if answers.ensemble is not None:
        models["ensemble"] = answers.ensemble
    last = list(models.values())[-1]
    targets, names = answers.targets, answers.names
    if answers.task == "regression":
        return [
            _panel("predicted", lambda: figures.predicted(models, targets, names)),
            _panel("residuals", lambda: figures.residuals(models, targets, names)),
        ]
    if answers.task == "multilabel":
        return [_panel("labels", lambda: figures.labels(models, targets, names))]
    panels = [_panel("reliability", lambda: figures.reliability(models, targets))]
    before, after = answers.ensemble, answers.calibrated
    if before is not None and after is not None:
        panels.append(_panel("calibration", lambda: figures.calibration(before, after, targets)))
    return [*panels, _panel("confusion", lambda: figures.confusion(last, targets, names))]


def _panel(key: str, draw: Callable[[], Any]) -> _Panel:
    """Draw a figure; its title and caption become text of the page, where lines may break."""
    try:
        figure = draw()
    except ReportError as error:
        return _Panel(key, key.replace("-", " ").capitalize(), f"Not drawn: {error.problem}", None)
    title, caption = figure.layout.title.text, figure.layout.title.subtitle.text
    figure.layout.title = None
    # Plotly makes room for a legend by itself.
    figure.layout.margin.t = 16
    meta = figure.layout.meta or {}
    return _Panel(
        key,
        # What Plotly reads with entities in it, the page's template escapes itself.
        html.unescape(title),
        html.unescape(caption),
        # `<` could end the script element that the JSON stands in; Plotly's own encoder
        # escapes it too, but does not promise to.
        figure.to_json().replace("<", "\\u003c"),
        height=int(figure.layout.height),
        min_width=int(meta.get("min_width", 0)),
    )


def _tiles(summary: Summary) -> list[tuple[str, str, str]]:
    """Return the numbers at the head of the page: name, value, remark."""
    objective, best = summary.objective, summary.best
    metric = style.words(objective.metric)
    tiles = []
    if best is not None:
        value = style.number(last_value(best, objective))
        beside = style.beside(best, objective.metric)
        tiles.append((f"best {metric}", value, f"trial {best.id}{beside and ','}{beside}"))
    for name, scores in (("best trial", summary.single), ("ensemble", summary.ensemble_scores)):
        usual = [key for key in ("accuracy", "log_loss") if key in scores.test]
        for key in usual or list(scores.test)[:2]:
            measured = scores.test[key]
            shown = f"{measured:.2%}" if key == "accuracy" else style.number(measured)
            tiles.append((f"test {style.words(key)}", shown, name))
    gone = len(lost(summary.trials))
    tiles.append(
        ("trials", f"{len(summary.trials):,}", f"{gone:,} diverged or failed" if gone else "")
    )
    if summary.has_epochs:
        tiles.append(("epochs trained", f"{summary.epochs:,}", ""))
    if summary.seconds is not None:
        tiles.append(("time", _duration(summary.seconds), ""))
    return tiles


def _table(summary: Summary) -> dict[str, Any]:
    """Return the best trials as text: heads, rows, and how many there are in all."""
    best_first = summary.best_first
    shown = best_first[:_ROWS]
    named = summary.goal.metrics if summary.goal is not None else (summary.objective.metric,)
    reported = [name for trial in shown for name in trial.metrics if name != "learning_rate"]
    reported = [name for name in reported if not is_tuned(name)]
    spans = [{tuned_name(k): v for k, v in tuned_spans(t.metrics).items()} for t in shown]
    tuned = dict.fromkeys(name for each in spans for name in each)
    most = max(5, len(named) + len(tuned)) - len(tuned)
    metrics = list(dict.fromkeys([*named, *reported]))[1:most]
    names = [name for name in summary.space if any(name in t.config for t in shown)]
    measured = (summary.objective.metric, *metrics)
    columns: list[tuple[str, Sequence[object]]] = [
        ("trial", [str(trial.id) for trial in shown]),
        *((name, [trial.metrics.get(name, _ABSENT) for trial in shown]) for name in measured),
        *((name, [each.get(name, _ABSENT) for each in spans]) for name in tuned),
        ("epochs", [trial.epochs for trial in shown]),
        ("seconds", [trial.seconds for trial in shown]),
        *((name, [trial.config.get(name, _ABSENT) for trial in shown]) for name in names),
    ]
    if not summary.has_epochs:
        del columns[1 + len(measured) + len(tuned)]
    cells = [[style.number(value) for value in values] for _, values in columns]
    return {
        "heads": [style.words(head) for head, _ in columns],
        "rows": list(zip(*cells, strict=True)),
        "of": len(best_first),
        "selected": set(summary.ensemble.trials) if summary.ensemble else set(),
    }


def _refined(summary: Summary) -> dict[str, Any]:
    """Return what came of refining trials as text: the metric, and a row for each."""
    rows = [
        (
            str(one.trial),
            str(one.origin),
            *(style.number(_ABSENT if v is None else v) for v in (one.before, one.after, one.gain)),
            ", ".join(
                f"{name} {style.number(was)} → {style.number(became)}"
                for name, (was, became) in one.changed.items()
            ),
        )
        for one in summary.refined
    ]
    return {"metric": style.words(summary.objective.metric), "rows": rows}


def _training(summary: Summary) -> dict[str, Any]:
    """Return how the trials were trained as text: rows, and how many are not shown."""
    found = trainings(summary.trials)
    rows = [
        (
            one.tier or _ABSENT,
            f"{one.fewest_rows}"
            if one.fewest_rows == one.most_rows
            else f"{one.fewest_rows} to {one.most_rows}",
            f"{one.trials:,}",
            _duration(one.seconds),
            one.reason or _ABSENT,
        )
        for one in found[:_TRAININGS]
    ]
    return {"rows": rows, "hidden": found[_TRAININGS:]}


def _facts(summary: Summary) -> dict[str, str]:
    direction = f"{summary.objective.direction} {style.words(summary.objective.metric)}"
    goal = summary.goal
    others = () if goal is None else goal.objectives[1:]
    further = [f"{each.direction} {style.words(each.metric)}" for each in others]
    facts = {
        "objective": ", ".join([direction, *further]),
        "limits": ", ".join(map(str, goal.limits)) if goal and goal.limits else None,
        "scheduler": summary.scheduler,
        "searcher": summary.searcher,
        "seed": None if summary.seed is None else str(summary.seed),
        "ended": summary.stopped,
        **summary.data,
        **summary.environment,
    }
    return {name: value for name, value in facts.items() if value is not None}


def _duration(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.1f} s" if seconds >= 10 else f"{style.number(float(seconds))} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"
