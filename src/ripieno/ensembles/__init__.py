"""How ensembles are made, and how answers are combined."""

from ripieno.ensembles.ambiguity import (
    Decomposition,
    ambiguity,
    decompose,
    deep_ensemble_equivalent,
)
from ripieno.ensembles.boosted_rules import AdditiveRule, WeightedMedianRule
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
from ripieno.ensembles.card import EnsembleCard
from ripieno.ensembles.checks import SelectionMetric, selection_metric
from ripieno.ensembles.combination import Combination, Combiner, fit_combiner
from ripieno.ensembles.combiners import (
    COMBINERS,
    RULES,
    CombinerName,
    GeometricVote,
    GreedySelection,
    HardVote,
    MedianVote,
    SoftVote,
    WeightedVote,
    make_combiner,
    methods_of,
)
from ripieno.ensembles.conformal import (
    ConformalIntervals,
    ConformalSets,
    conformal_quantile,
    fit_intervals,
    fit_sets,
)
from ripieno.ensembles.contribution import Contribution
from ripieno.ensembles.distilling import distill
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
from ripieno.ensembles.exporting import export
from ripieno.ensembles.gain import Gain, gain_interval
from ripieno.ensembles.grouped_rule import GroupedRule
from ripieno.ensembles.limits import Costs, Limits
from ripieno.ensembles.local_rule import DynamicSelection, LocalRule
from ripieno.ensembles.makers import (
    AdaBoost,
    Adversarial,
    Bagging,
    DeepEnsemble,
    Ema,
    FastGeometric,
    Fusion,
    GradientBoosting,
    HyperDeep,
    Maker,
    NegativeCorrelation,
    Snapshot,
    SoftGradientBoosting,
    Soup,
    Swa,
)
from ripieno.ensembles.metrics import accuracy, brier, confusion_matrix, log_loss
from ripieno.ensembles.mixture import GaussianMixture, MixtureRule, mixture_moments
from ripieno.ensembles.nested import nested_answers, nested_gain
from ripieno.ensembles.predictions import Predictions
from ripieno.ensembles.rules import GeometricRule, HardRule, MedianRule, Rule, SoftRule
from ripieno.ensembles.selection import greedy_selection
from ripieno.ensembles.set_diversity import (
    interrater_agreement,
    kohavi_wolpert,
    mutual_information,
    vote_entropy,
)
from ripieno.ensembles.stacking import Blending, StackedRule, Stacking
from ripieno.ensembles.weighting import simplex_weights

__all__ = [
    "CALIBRATORS",
    "COMBINERS",
    "RULES",
    "AdaBoost",
    "AdditiveRule",
    "Adversarial",
    "Bagging",
    "Blending",
    "CalibrationName",
    "Combination",
    "Combiner",
    "CombinerName",
    "ConformalIntervals",
    "ConformalSets",
    "Contribution",
    "Costs",
    "Decomposition",
    "DeepEnsemble",
    "DynamicSelection",
    "Ema",
    "Ensemble",
    "EnsembleCard",
    "FastGeometric",
    "Fusion",
    "Gain",
    "GaussianMixture",
    "GeometricRule",
    "GeometricVote",
    "GradientBoosting",
    "GreedySelection",
    "GroupedRule",
    "HardRule",
    "HardVote",
    "HyperDeep",
    "Isotonic",
    "KappaError",
    "Limits",
    "LocalRule",
    "Maker",
    "MedianRule",
    "MedianVote",
    "MixtureRule",
    "NegativeCorrelation",
    "Predictions",
    "ReliabilityCurve",
    "Rule",
    "SelectionMetric",
    "Snapshot",
    "SoftGradientBoosting",
    "SoftRule",
    "SoftVote",
    "Soup",
    "StackedRule",
    "Stacking",
    "Swa",
    "Temperature",
    "Vector",
    "WeightedMedianRule",
    "WeightedVote",
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
    "distill",
    "double_fault",
    "expected_calibration_error",
    "export",
    "fit_combiner",
    "fit_intervals",
    "fit_sets",
    "gain_interval",
    "greedy_selection",
    "interrater_agreement",
    "kappa",
    "kappa_error",
    "kohavi_wolpert",
    "log_loss",
    "make_combiner",
    "methods_of",
    "mixture_moments",
    "mutual_information",
    "nested_answers",
    "nested_gain",
    "q_statistic",
    "reliability_curve",
    "selection_metric",
    "simplex_weights",
    "vote_entropy",
]
