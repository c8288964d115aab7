"""How ensembles are trained: every maker is plain numbers and one method."""

from ripieno.ensembles.makers.adaboost import AdaBoost
from ripieno.ensembles.makers.adversarial import Adversarial
from ripieno.ensembles.makers.assembling import Member, assemble
from ripieno.ensembles.makers.averaging import average, refresh_statistics
from ripieno.ensembles.makers.bagging import Bagging, OutOfBag
from ripieno.ensembles.makers.boosting_rounds import r2, samme, samme_r
from ripieno.ensembles.makers.deep_ensemble import DeepEnsemble
from ripieno.ensembles.makers.ema import Ema
from ripieno.ensembles.makers.fast_geometric import FastGeometric
from ripieno.ensembles.makers.gradient_boosting import GradientBoosting, SoftGradientBoosting
from ripieno.ensembles.makers.hyper_deep import HyperDeep, distinct_greedy
from ripieno.ensembles.makers.maker import Maker
from ripieno.ensembles.makers.negative_correlation import (
    Fusion,
    NegativeCorrelation,
    correlated_loss,
)
from ripieno.ensembles.makers.residuals import best_constant, gradients
from ripieno.ensembles.makers.snapshot import Snapshot
from ripieno.ensembles.makers.soup import Kitchen, Soup
from ripieno.ensembles.makers.subspaces import in_subspaces
from ripieno.ensembles.makers.swa import Swa

__all__ = [
    "AdaBoost",
    "Adversarial",
    "Bagging",
    "DeepEnsemble",
    "Ema",
    "FastGeometric",
    "Fusion",
    "GradientBoosting",
    "HyperDeep",
    "Kitchen",
    "Maker",
    "Member",
    "NegativeCorrelation",
    "OutOfBag",
    "Snapshot",
    "SoftGradientBoosting",
    "Soup",
    "Swa",
    "assemble",
    "average",
    "best_constant",
    "correlated_loss",
    "distinct_greedy",
    "gradients",
    "in_subspaces",
    "r2",
    "refresh_statistics",
    "samme",
    "samme_r",
]
