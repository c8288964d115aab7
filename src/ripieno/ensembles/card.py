"""What an ensemble and its members give on rows that nothing was chosen on."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ripieno.ensembles.ambiguity import Decomposition, decompose
from ripieno.ensembles.calibration import expected_calibration_error
from ripieno.ensembles.diversity import correctness_disagreement
from ripieno.ensembles.gain import Gain, gain_interval
from ripieno.recipes import Split, Table, measure

if TYPE_CHECKING:
    from ripieno.ensembles.ensemble import Ensemble

__all__ = ["EnsembleCard", "make_card"]


@dataclass(frozen=True, slots=True)
class EnsembleCard:
    """An ensemble's numbers. Printed, it says them.

    Args:
        rows: How many rows were measured on.
        members: Names of the members.
        weights: How much each counts.
        alone: Each member's metrics.
        together: The ensemble's metrics.
        single: Position of the member that the gain is measured against.
        gain: How much better the ensemble is than that member, with its interval.
        decomposition: The ensemble's loss, its members' and the difference, as an arithmetic
            mean; None for labels.
        disagreement: Mean share of rows that one of two members has right and the other wrong;
            None where there are no classes, or one member alone.
        calibration_error: The ensemble's, in 15 bins; None where there are no classes.
    """

    rows: int
    members: tuple[str, ...]
    weights: tuple[float, ...]
    alone: tuple[Mapping[str, float], ...]
    together: Mapping[str, float]
    single: int
    gain: Gain
    decomposition: Decomposition | None = None
    disagreement: float | None = None
    calibration_error: float | None = None

    def __str__(self) -> str:
        names = list(self.together)
        lines = [f"{len(self.members)} members on {self.rows:,} rows"]
        lines.append(f"{'':24} weight  " + "  ".join(f"{name:>10}" for name in names))
        shown = [*zip(self.members, self.weights, self.alone, strict=True)]
        for name, weight, own in [*shown, ("together", 1.0, self.together)]:
            values = "  ".join(f"{own[metric]:10.4f}" for metric in names)
            lines.append(f"{name[:24]:24} {weight:6.3f}  {values}")
        lines.append(self._gain())
        if self.decomposition is not None:
            found = self.decomposition
            lines.append(
                f"loss {found.ensemble:.4f} = members' mean {found.members:.4f} - ambiguity "
                f"{found.ambiguity:.4f}"
            )
        for name in ("disagreement", "calibration_error"):
            value = getattr(self, name)
            if value is not None:
                lines.append(f"{name.replace('_', ' ')} {value:.4f}")
        return "\n".join(lines)

    def _gain(self) -> str:
        gain, name = self.gain, self.members[self.single]
        span = f"{gain.confidence:.0%} interval {gain.low:.4f} to {gain.high:.4f}"
        metric = gain.metric.replace("_", " ")
        if not gain.is_clear or gain.value <= 0:
            return f"no gain over {name!r} in {metric}: {gain.value:.4f} ({span})"
        return f"gain over {name!r} in {metric}: {gain.value:.4f} ({span})"


def make_card(
    ensemble: "Ensemble", x: ArrayLike | Split | Table, y: ArrayLike | None, *, single: int | None
) -> EnsembleCard:
    """Measure an ensemble; see :meth:`Ensemble.report`."""
    predictions = ensemble.predictions(x, y)
    targets, task = predictions.targets, ensemble.task
    single = int(np.argmax(ensemble.weights)) if single is None else single
    answers = ensemble.answers(x)
    facts: dict[str, Any] = {}
    if task != "multilabel":
        facts["decomposition"] = decompose(predictions, ensemble.weights)
    if task == "classification":
        facts["calibration_error"] = expected_calibration_error(answers, targets)
        if predictions.members > 1:
            pairs = correctness_disagreement(predictions)
            facts["disagreement"] = float(pairs[np.triu_indices(len(pairs), 1)].mean())
    truth = targets[:, 0] if task == "regression" and targets.shape[1] == 1 else targets
    return EnsembleCard(
        rows=predictions.rows,
        members=predictions.ids,
        weights=ensemble.weights,
        alone=tuple(measure(p, truth, task=task) for p in predictions.probabilities),
        together=measure(answers, truth, task=task),
        single=single,
        gain=gain_interval(predictions.probabilities[single], answers, targets, task=task),
        **facts,
    )
