"""One function a plot; each returns a Plotly figure with a finding as its title."""

from ripieno.reports.figures.answers import calibration, confusion, reliability
from ripieno.reports.figures.architecture import architecture
from ripieno.reports.figures.ensemble import ensemble_weights, gain
from ripieno.reports.figures.fit import fit
from ripieno.reports.figures.front import front
from ripieno.reports.figures.hyperparameters import parallel_coordinates
from ripieno.reports.figures.labels import labels
from ripieno.reports.figures.learning_rate import learning_rate_range
from ripieno.reports.figures.members import ambiguity, diversity, gain_by_size, kappa_error
from ripieno.reports.figures.progress import best_so_far, learning_curves
from ripieno.reports.figures.values import predicted, residuals

__all__ = [
    "ambiguity",
    "architecture",
    "best_so_far",
    "calibration",
    "confusion",
    "diversity",
    "ensemble_weights",
    "fit",
    "front",
    "gain",
    "gain_by_size",
    "kappa_error",
    "labels",
    "learning_curves",
    "learning_rate_range",
    "parallel_coordinates",
    "predicted",
    "reliability",
    "residuals",
]
