"""How trials were trained, and why: the notes of their runners, gathered.

A runner's note reads ``8 rows; traced: it is the fastest (traced 1.20 ms, loop 9.00 ms a
step)``, or ``one model after another: …`` without rows. What follows it (``; on cuda (…)``) is
part of the reason, and so is any other text, but for what it ends with where early stopping
ended the trial.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from ripieno.records import Trial

__all__ = ["Training", "trained", "trainings"]

_ROWS = re.compile(r"(\d{1,9}) rows?\b[^;:]*; ")
_TIMED = re.compile(r" \([^()]* a step\)(?=$|; on )")
_EARLY = re.compile(r"(?:^|; )stopped early: no better [^;]{1,80} for \d+ epochs$")
_NUMBER = re.compile(r"\d+(?:\.\d+)?")
_LONGEST_TIER = 40


@dataclass(frozen=True, slots=True)
class Training:
    """Trials that were trained in one way, for one reason.

    Args:
        tier: The tier of the population engine, or ``one model after another``; None where
            the runner said nothing that reads like one.
        reason: Why, in one line of printable characters; None where nothing was said. Of
            reasons that differ in numbers alone, that of the trial that took longest.
        fewest_rows: Rows of the smallest stack; 1 for models that were trained alone.
        most_rows: Rows of the largest stack.
        trials: How many trials.
        seconds: Their wall time together.
    """

    tier: str | None
    reason: str | None
    fewest_rows: int = 1
    most_rows: int = 1
    trials: int = 1
    seconds: float = 0.0


def trained(trial: Trial) -> Training:
    """Read how a trial was trained off the note that the runner of its last order left."""
    if trial.notes is None:
        return Training(None, None, seconds=trial.seconds)
    text = _EARLY.sub("", _one_line(trial.notes))
    found = _ROWS.match(text)
    rows = int(found[1]) if found else 1
    tier, mark, reason = text[found.end() if found else 0 :].partition(": ")
    if not mark or len(tier) > _LONGEST_TIER:
        return Training(None, text or None, rows, rows, seconds=trial.seconds)
    reason = _TIMED.sub("", reason)
    return Training(tier, reason or None, rows, rows, seconds=trial.seconds)


def trainings(trials: Iterable[Trial]) -> tuple[Training, ...]:
    """Gather trials that were trained in one way for one reason, the longest time first.

    Trials that have not finished an order are left out. Where no runner said anything, as
    for a search over a function, nothing is returned.
    """
    begun = [trial for trial in trials if trial.notes is not None or trial.history]
    if all(trial.notes is None for trial in begun):
        return ()
    groups: dict[tuple[str | None, str], list[Training]] = {}
    for one in map(trained, begun):
        groups.setdefault((one.tier, _NUMBER.sub("0", one.reason or "")), []).append(one)
    gathered = [_together(group) for group in groups.values()]
    return tuple(sorted(gathered, key=lambda training: -training.seconds))


def _together(group: list[Training]) -> Training:
    longest = max(group, key=lambda training: training.seconds)
    return Training(
        longest.tier,
        longest.reason,
        fewest_rows=min(training.fewest_rows for training in group),
        most_rows=max(training.most_rows for training in group),
        trials=len(group),
        seconds=round(sum(training.seconds for training in group), 3),
    )


def _one_line(text: str) -> str:
    """Return the text without line breaks and without what would steer a terminal."""
    words = " ".join(text.split())
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in words)
