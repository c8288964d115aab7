"""What a study was started with: written once into its ledger, read on resume."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any, Literal

from ripieno.errors import StudyError
from ripieno.executors import check_devices
from ripieno.recipes import check_device
from ripieno.records import Direction, Goal, Limit, Objective, Target, check_fields
from ripieno.space import Space

__all__ = ["VERSION", "DataReference", "FurtherMetric", "Settings"]

VERSION = 1


@dataclass(frozen=True, slots=True)
class DataReference:
    """Where a study's data came from, and how to tell that they are still the same.

    Args:
        source: ``digits``, an absolute path or ``FILE.py:NAME``; None for arrays in memory.
        target: Name of the target column of a table, or several names.
        fingerprint: Of the validation part.
        reading: What else was said about the data, by name; see ``Reading``.
    """

    source: str | None
    target: str | Sequence[str] | None
    fingerprint: str
    reading: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class FurtherMetric:
    """A metric that a search is after beside its first one; see :class:`Settings`."""

    metric: str
    direction: Direction
    metric_source: str | None = None


@dataclass(frozen=True, slots=True)
class Settings:
    """Everything that decides which trials a study trains, and how.

    Args:
        kind: Of a model (``tune``) or of any Python function (``search``).
        metric: Name of the objective's metric.
        direction: Whether less or more of it is better.
        searcher: Name of the searcher; ``custom`` for the user's own object.
        scheduler: Name of the scheduler; ``custom`` for the user's own object.
        epochs: Epochs that a trial is trained for at most.
        epoch_rows: Rows of an epoch; None for the whole training part.
        trials: Trials at most; None for no limit.
        minutes: Wall time at most, over all sessions; None for no limit.
        target: Value of the metric at which the study is done; None for no target.
        tier: How stacks of models are trained; None where no recipe is trained.
        seed: Of the split, the searcher and every trial.
        space: The space as JSON.
        recipe: ``cnn``, ``mlp``, ``resnet``, ``FILE.py:NAME``, or ``custom`` for a Python object.
        data: Where the data came from; None for a search over a function.
        metric_source: ``FILE.py:NAME`` of the metric, ``custom`` for a Python object; None
            for one that is known by its name.
        folds: Folds of the data, on each of which one model of a trial is validated; 1 for a
            single split.
        ensemble: How the trials are combined at the end; ``none`` for the best one alone.
        judged_by: What a scheduler compares trials by: their ``metric``, or what they add to
            the ``ensemble`` so far.
        seeds: How many times a trial is trained on each fold, each with another seed.
        searcher_reason: Why this searcher, where the study chose it; else None.
        further: The metrics that the search is after beside the first one.
        limits: What a trial has to keep.
        disk_bytes: What states and predictions may take at most; None for no limit.
        order_minutes: After how long of silence an order hangs; None never.
        devices: Processes that train each trial together.
        device: Where models are trained, as the user named it.
    """

    kind: Literal["tune", "search"]
    metric: str
    direction: Direction
    searcher: str
    scheduler: str
    epochs: int
    epoch_rows: int | None
    trials: int | None
    minutes: float | None
    target: float | None
    tier: str | None
    seed: int
    space: str
    recipe: str | None = None
    data: DataReference | None = None
    metric_source: str | None = None
    folds: int = 1
    seeds: int = 1
    searcher_reason: str | None = None
    further: tuple[FurtherMetric, ...] = ()
    limits: tuple[Limit, ...] = ()
    ensemble: str = "greedy"
    judged_by: str = "metric"
    disk_bytes: int | None = None
    order_minutes: float | None = None
    devices: int = 1
    device: str = "cpu"
    version: int = VERSION

    @property
    def objective(self) -> Objective:
        """The first metric and its direction."""
        return Objective(self.metric, self.direction)

    @property
    def goal(self) -> Goal:
        """All metrics with their directions, and the limits."""
        further = (Objective(each.metric, each.direction) for each in self.further)
        return Goal((self.objective, *further), self.limits)

    @property
    def sources(self) -> tuple[str | None, ...]:
        """Where each metric of the goal is found again, as ``metric_source`` says."""
        return (self.metric_source, *(each.metric_source for each in self.further))

    @property
    def ending(self) -> Target | None:
        """What ends a trial in the middle of an order, and the search with it, or None.

        Where a trial has limits to keep, a good value alone is no reason to end it.
        """
        if self.target is None or self.limits:
            return None
        return Target(self.objective, self.target)

    @property
    def searcher_in_words(self) -> str:
        """The searcher's name, with the reason where the study chose it."""
        because = "" if self.searcher_reason is None else f" ({self.searcher_reason})"
        return f"{self.searcher}{because}"

    def on(self, devices: int | None, device: str | None, *, executor: str | None) -> "Settings":
        """Return the settings with other devices for a trial; None keeps what they say.

        Args:
            devices: How many.
            device: Where models are trained.
            executor: The name of the executor, if it has one.

        Raises:
            WorkerError: The number is none.
            RecipeError: The device cannot be used.
        """
        count = self.devices if devices is None else check_devices(devices)
        name = self.device if device is None else device
        if self.kind == "tune":
            check_device(name, devices=count, executor=executor)
        return replace(self, devices=count, device=name)

    def to_dict(self) -> dict[str, Any]:
        """Return the settings as JSON-able values."""
        return json.loads(json.dumps(asdict(self)))  # type: ignore[no-any-return]

    @classmethod
    def from_dict(cls, values: Mapping[str, Any], *, where: str) -> "Settings":
        """Read what :meth:`to_dict` returned.

        Raises:
            StudyError: The values are of another version of Ripieno, or of something else.
        """
        known = {f.name for f in fields(cls)}
        # What a study of before knew nothing of is as it was then.
        needed = known - {
            "folds", "seeds", "metric_source", "searcher_reason", "further", "limits", "ensemble",
            "judged_by", "disk_bytes", "order_minutes", "devices", "device",
        }  # fmt: skip
        if values.get("version") != VERSION or not needed <= set(values) <= known:
            raise StudyError(
                f"the study has version {values.get('version')!r}, "
                f"and this Ripieno reads version {VERSION}.",
                where=where,
                fix="open it with the Ripieno that wrote it, or start a new study.",
            )
        data = values["data"]
        try:
            parts = {
                "data": DataReference(**data) if data else None,
                "further": tuple(FurtherMetric(**each) for each in values.get("further", ())),
                "limits": tuple(Limit(**each) for each in values.get("limits", ())),
            }
            read = cls(**{**values, **parts})
            check_fields(read)
            _check_kind(read)
        except (TypeError, ValueError) as error:
            raise StudyError(
                f"the study's settings cannot be read: {error}.",
                where=where,
                fix="restore the study's folder from a copy, or start a new study.",
            ) from error
        return read

    def read_space(self) -> Space:
        """Return the space; functions in its constraints are lost (see ``Space.where``)."""
        return Space.from_json(self.space)


def _check_kind(settings: Settings) -> None:
    """Refuse a study of a model without one."""
    if settings.kind == "tune" and (settings.data is None or settings.recipe is None):
        raise ValueError("a tuned study has a recipe and data")
    check_device(settings.device, executor="elsewhere")
