"""Another ensemble of a study's trials, left in its folder."""

from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

from ripieno.ensembles import CalibrationName, CombinerName
from ripieno.errors import StudyError
from ripieno.study.evaluation import describe
from ripieno.study.results import EnsembleResult

if TYPE_CHECKING:
    from ripieno.study.study import Study

__all__ = ["Combined", "combine"]


@dataclass(frozen=True, slots=True)
class Combined:
    """An ensemble that was made of a study's trials.

    Args:
        method: How they are combined.
        result: Members, weights and numbers.
        paths: What was written.
    """

    method: str
    result: EnsembleResult
    paths: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-able values."""
        return asdict(self)


def combine(
    study: "Study",
    method: str,
    *,
    size: int | None = None,
    calibration: CalibrationName | None = None,
    out: Path | None = None,
    export: Path | None = None,
    test: bool = False,
) -> Combined:
    """Combine a study's trials and write the ensemble.

    Args:
        study: A study with its model and data at hand.
        method: Name of the method.
        size: Trials at most.
        calibration: How its probabilities are calibrated.
        out: The folder; ``ensemble-<method>`` in the study's where absent.
        export: A ``.pt2`` or ``.onnx`` file to be written too.
        test: Whether the test part is looked at.

    Raises:
        StudyError: There is no such method, no folder to write to, or nothing to combine.
        EnsembleError: The method does not suit the task, or the ensemble cannot be exported.
    """
    name = next((known for known in get_args(CombinerName) if known == method), None)
    if name is None:
        raise StudyError(
            f"{method!r} is no way to combine trials.",
            where="ripieno ensemble --method",
            fix=f"use one of {', '.join(get_args(CombinerName))}.",
        )
    if out is None:
        if study.folder is None:
            raise StudyError(
                "the study lives in memory and has no folder for an ensemble.",
                where="combine(study, …)",
                fix="name one: out=….",
            )
        out = study.folder.path / f"ensemble-{method}"
    chosen = study.choose(name, size=size, calibration=calibration)
    result = study.measure(chosen).result if test else describe(chosen)
    ensemble = chosen.build()
    ensemble.save(out)
    if export is not None:
        ensemble.export(export)
    return Combined(method, result, tuple(str(p) for p in (out, export) if p is not None))
