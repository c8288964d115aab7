"""What is wrong with a training, as a sentence with its evidence and what to do."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from types import MappingProxyType
from typing import Any, Literal, Self

from ripieno.errors import DataError

__all__ = ["KINDS", "Evidence", "Finding", "Severity", "number"]

Severity = Literal["warning", "advice"]
"""``"warning"`` is an alarm: the training is broken. ``"advice"`` can be lived with."""

Evidence = Mapping[str, float | int | str]
"""What was measured, by name."""

KINDS: Mapping[str, str] = MappingProxyType(
    {
        "leakage": "rows of the training part stand in the validation or test part too",
        "unscaled_inputs": "the features that the network reads are far from unit scale",
        "constant_features": "columns have one value in all training rows",
        "class_imbalance": "a class has far fewer rows than the others, or hardly any row a label",
        "too_little_data": "there are too few training rows, of a class or at all",
        "wrong_loss": "the loss does not fit what the model returns",
        "learning_rate_too_high": "a much lower learning rate trains far better",
        "dead_relus": "units give zero for every row, so that nothing reaches their weights",
        "saturated_activations": "sigmoids or tanhs sit at their ends, where they have no slope",
        "exploding_gradients": "a layer's gradient is far larger than its weights",
        "vanishing_gradients": "a layer's gradient is a tiny share of another layer's",
        "cannot_fit_one_batch": "the network does not learn even one batch by heart",
        "learning_rate_too_low": "a much higher learning rate trains far better",
        "strong_dropout": "the same network without dropout is far better",
        "labels_without_signal": "the training rows are learnt, and the others only guessed",
        "learns_nothing": "the trained model is no better than always giving the same answer",
        "overfitting": "the validation loss rises while the training loss falls",
        "underfitting": "even the training rows are not fitted",
        "edge_of_range": "the best values of a hyperparameter lie at an end of its range",
    }
)
"""Every kind of finding, and what it says."""


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong, or could be better.

    Args:
        kind: A name out of :data:`KINDS`.
        severity: ``"warning"`` for an alarm, ``"advice"`` for what can be lived with.
        sentence: What is wrong, with the numbers that show it.
        evidence: Those numbers by name.
        advice: What to do.

    Raises:
        DataError: There is no finding of this kind.
    """

    kind: str
    severity: Severity
    sentence: str
    evidence: Evidence = field(default_factory=dict)
    advice: str = ""

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise DataError(
                f"there is no finding of the kind {self.kind!r}.",
                where="Finding",
                fix=f"use one of {', '.join(KINDS)}.",
            )

    def to_dict(self) -> dict[str, Any]:
        """Return the finding as what JSON can hold."""
        return asdict(self) | {"evidence": dict(self.evidence)}

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` returned."""
        return cls(**tree)


def number(value: float) -> str:
    """Write a number with three significant digits, as a sentence holds it."""
    return f"{value:,}" if isinstance(value, int) else f"{value:.3g}"
