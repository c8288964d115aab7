"""How answers are combined."""

from ripieno.ensembles.ambiguity import (
    Decomposition,
    ambiguity,
    decompose,
    deep_ensemble_equivalent,
)
from ripieno.ensembles.calibration import (
    ReliabilityCurve,
    classwise_calibration_error,
    expected_calibration_error,
    reliability_curve,
)
from ripieno.ensembles.calibrators import (
    CALIBRATORS,
    CalibrationName,
    Isotonic,
    Temperature,
    Vector,
    calibrate,
    calibrated,
)
from ripieno.ensembles.conformal import (
    ConformalIntervals,
    ConformalSets,
    conformal_quantile,
    fit_intervals,
    fit_sets,
)
from ripieno.ensembles.diversity import (
    KappaError,
    correctness_disagreement,
    correlation,
    disagreement,
    double_fault,
    kappa,
    kappa_error,
    q_statistic,
)
from ripieno.ensembles.ensemble import Ensemble
from ripieno.ensembles.gain import Gain, gain_interval
from ripieno.ensembles.metrics import accuracy, brier, confusion_matrix, log_loss
from ripieno.ensembles.predictions import Predictions
from ripieno.ensembles.selection import greedy_selection
from ripieno.ensembles.set_diversity import (
    interrater_agreement,
    kohavi_wolpert,
    mutual_information,
    vote_entropy,
)

__all__ = [
    "CALIBRATORS",
    "CalibrationName",
    "ConformalIntervals",
    "ConformalSets",
    "Decomposition",
    "Ensemble",
    "Gain",
    "Isotonic",
    "KappaError",
    "Predictions",
    "ReliabilityCurve",
    "Temperature",
    "Vector",
    "accuracy",
    "ambiguity",
    "brier",
    "calibrate",
    "calibrated",
    "classwise_calibration_error",
    "conformal_quantile",
    "confusion_matrix",
    "correctness_disagreement",
    "correlation",
    "decompose",
    "deep_ensemble_equivalent",
    "disagreement",
    "double_fault",
    "expected_calibration_error",
    "fit_intervals",
    "fit_sets",
    "gain_interval",
    "greedy_selection",
    "interrater_agreement",
    "kappa",
    "kappa_error",
    "kohavi_wolpert",
    "log_loss",
    "mutual_information",
    "q_statistic",
    "reliability_curve",
    "vote_entropy",
]
