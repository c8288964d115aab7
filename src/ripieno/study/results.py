"""What came out of a study, in numbers that can be printed, stored and scripted."""

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from ripieno.errors import StudyError
from ripieno.records import Refined, check_fields
from ripieno.reports import Training

__all__ = ["BestTrial", "EnsembleResult", "FrontTrial", "Results"]


@dataclass(frozen=True, slots=True)
class BestTrial:
    """The best trial by the study's objective.

    Args:
        trial: Its number.
        config: Its hyperparameters.
        validation: Metrics on the validation part (of a search: what the function reported).
        test: Metrics on the test part; empty where there is none.
    """

    trial: int
    config: dict[str, Any]
    validation: dict[str, float]
    test: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FrontTrial:
    """A trial that no other one beats in one metric without being beaten in another.

    Args:
        trial: Its number.
        config: Its hyperparameters.
        validation: Metrics on the validation part (of a search: what the function reported).
    """

    trial: int
    config: dict[str, Any]
    validation: dict[str, float]


@dataclass(frozen=True, slots=True)
class EnsembleResult:
    """The ensemble that was selected on the validation part.

    Args:
        members: Numbers of its trials.
        weights: One weight a member, adding up to 1.
        validation: Metrics on the part it was selected on: optimistic.
        test: Metrics on the test part; empty where there is none.
        gain: By how much the test log loss is lower than the best trial's, with a bootstrap
            interval: ``{"log_loss": …, "low": …, "high": …}``; of a regression the RMSE,
            ``"rmse"``; empty without a test part.
        selected_by: The metric that it was selected by: the study's own where a selection can
            improve it, else the task's first; None in records of an earlier Ripieno.
        nested_gain: The same on the validation part, estimated in nested folds: selected on
            four fifths, compared on the fifth, five times; empty where there are too few rows.
    """

    members: list[int]
    weights: list[float]
    validation: dict[str, float]
    test: dict[str, float] = field(default_factory=dict)
    gain: dict[str, float] = field(default_factory=dict)
    selected_by: str | None = None
    nested_gain: dict[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Results:
    """What came out of a study.

    Args:
        trials: Number of trials that were started.
        epochs: Epochs trained over all trials.
        seconds: Wall time of the search over all its sessions.
        best: The best trial; None where no trial has finished.
        ensemble: The ensemble; None for a search over a function.
        out: The study's folder; None for one that lives in memory.
        finished: Whether the search did all it was asked to.
        folds: Folds that a trial is validated on; 1 for a single split.
        seeds: Models of a trial on each of them. With more than one model a trial's validation
            metrics are means, ``<metric>_spread`` is their standard deviation over the models,
            and its test metrics are those of the models' mean probabilities.
        training: How the trials were trained, and why; empty where no runner said so.
        searcher: The searcher's name, with the reason where the study chose it; None in
            results that were stored before they said it.
        front: The trials that nothing dominates, the best by the first metric first; empty
            for a search after one metric.
        refined: The trials that came of ``Study.refine``, and what each gained.
    """

    trials: int
    epochs: int
    seconds: float
    best: BestTrial | None
    ensemble: EnsembleResult | None
    out: str | None
    finished: bool
    folds: int = 1
    seeds: int = 1
    training: list[Training] = field(default_factory=list)
    searcher: str | None = None
    front: list[FrontTrial] = field(default_factory=list)
    refined: list[Refined] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Return the results as JSON-able values."""
        return asdict(self)

    @classmethod
    def read(cls, path: Path) -> "Results":
        """Read results that were stored as JSON.

        Raises:
            StudyError: The file cannot be read.
        """
        try:
            values = json.loads(path.read_text())
            best, ensemble = values["best"], values["ensemble"]
            parts = {
                "best": BestTrial(**best) if best else None,
                "ensemble": EnsembleResult(**ensemble) if ensemble else None,
                "training": [Training(**one) for one in values.get("training", ())],
                "front": [FrontTrial(**one) for one in values.get("front", ())],
                "refined": [Refined(**one) for one in values.get("refined", ())],
            }
            read = cls(**{**values, **parts})
            check_fields(read)
        except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
            raise StudyError(
                f"the stored results cannot be read: {error}.",
                where=str(path),
                fix=f"delete the file; `ripieno resume {path.parent}` measures again.",
            ) from error
        return read
