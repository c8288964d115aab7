"""Hyperparameters by gradient: one function, and tuning while training."""

from ripieno.hypergradient.bilevel import Bilevel
from ripieno.hypergradient.call import METHODS, hypergradient
from ripieno.hypergradient.forward import Forward
from ripieno.hypergradient.implicit import Implicit
from ripieno.hypergradient.knob_tuner import KnobTuner
from ripieno.hypergradient.online import OnlineLearningRate
from ripieno.hypergradient.problem import Method
from ripieno.hypergradient.strengths import TUNABLES
from ripieno.hypergradient.tunables import Bounded, Free, Positive, Tunable
from ripieno.hypergradient.tuning import Tuned, Tuning, tune_online
from ripieno.hypergradient.unrolled import Unrolled
from ripieno.recipes import RateRule

__all__ = [
    "METHODS",
    "TUNABLES",
    "Bilevel",
    "Bounded",
    "Forward",
    "Free",
    "Implicit",
    "KnobTuner",
    "Method",
    "OnlineLearningRate",
    "Positive",
    "RateRule",
    "Tunable",
    "Tuned",
    "Tuning",
    "Unrolled",
    "hypergradient",
    "tune_online",
]
