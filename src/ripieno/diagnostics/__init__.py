"""What is wrong with a training: findings in words, with their evidence and what to do."""

from ripieno.diagnostics.doctor import Diagnosis, diagnose, inspect
from ripieno.diagnostics.edges import find_edges
from ripieno.diagnostics.finding import KINDS, Finding, Severity
from ripieno.diagnostics.layers import Activation, Gradient, Layers, watch_layers
from ripieno.diagnostics.one_batch import OneBatch, overfit_one_batch
from ripieno.diagnostics.range_test import RangeTest, learning_rate_range, suggest

__all__ = [
    "KINDS",
    "Activation",
    "Diagnosis",
    "Finding",
    "Gradient",
    "Layers",
    "OneBatch",
    "RangeTest",
    "Severity",
    "diagnose",
    "find_edges",
    "inspect",
    "learning_rate_range",
    "overfit_one_batch",
    "suggest",
    "watch_layers",
]
