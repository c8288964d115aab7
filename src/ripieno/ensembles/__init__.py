"""How answers are combined."""

from ripieno.ensembles.calibration import (
    ReliabilityCurve,
    expected_calibration_error,
    reliability_curve,
)
from ripieno.ensembles.checks import SelectionMetric, selection_metric
from ripieno.ensembles.diversity import ambiguity, disagreement, q_statistic
from ripieno.ensembles.ensemble import Ensemble
from ripieno.ensembles.gain import Gain, gain_interval
from ripieno.ensembles.metrics import accuracy, brier, confusion_matrix, log_loss
from ripieno.ensembles.predictions import Predictions
from ripieno.ensembles.selection import greedy_selection

__all__ = [
    "Ensemble",
    "Gain",
    "Predictions",
    "ReliabilityCurve",
    "SelectionMetric",
    "accuracy",
    "ambiguity",
    "brier",
    "confusion_matrix",
    "disagreement",
    "expected_calibration_error",
    "gain_interval",
    "greedy_selection",
    "log_loss",
    "q_statistic",
    "reliability_curve",
    "selection_metric",
]
