"""Findings about whole trainings, each by comparison with a training that differs in one thing."""

import math

import numpy as np

from ripieno.diagnostics.finding import Finding, number
from ripieno.diagnostics.range_test import RangeTest
from ripieno.diagnostics.trials import Run
from ripieno.diagnostics.yardstick import Yardstick

__all__ = [
    "dropout_strength",
    "fit",
    "is_far",
    "labels",
    "learning_rate",
    "nothing_learnt",
    "quality",
]

_ABOVE, _BELOW = 4.0, 20.0
_TWICE = 0.5
_MARGIN = 0.1  # of what a constant answer costs: differences below it are no broken training
_BY_HEART = 0.95
_CHANCE = 0.99
_UNFITTED = 0.8  # noisy targets leave much of it in good trainings too


def quality(run: Run) -> float:
    """Return the loss that trainings are compared by, infinite where one diverged.

    The best validation loss; the lowest training loss where none was measured.
    """
    if run.diverged:
        return math.inf
    if math.isfinite(run.best_validation):
        return run.best_validation
    return min((row["train_loss"] for row in run.history), default=math.inf)


def is_far(rate: float, tested: RangeTest) -> bool:
    """Say whether a learning rate is so far from the suggestion that a comparison is due."""
    s = tested.suggestion
    return s is not None and (rate > _ABOVE * s or rate < s / _BELOW)


def learning_rate(own: Run, other: Run, *, rate: float, suggestion: float) -> list[Finding]:
    """Blame the learning rate where the suggested one halves the loss.

    Args:
        own: The training with the config's learning rate.
        other: The same training with the suggested one.
        rate: The config's learning rate.
        suggestion: That of the range test.
    """
    mine, theirs = quality(own), quality(other)
    margin = _MARGIN * _untrained(other)
    if not (theirs < _TWICE * mine and mine - theirs > margin):
        return []
    high = rate > suggestion
    result = "diverged" if own.diverged else f"has a loss of {number(mine)}"
    return [
        Finding(
            "learning_rate_too_high" if high else "learning_rate_too_low",
            "warning",
            f"The learning rate {number(rate)} is too {'high' if high else 'low'}: the training "
            f"{result}, and the same with {number(suggestion)} has {number(theirs)} after "
            f"{len(other.history)} epochs.",
            {"lr": rate, "loss": mine, "suggestion": suggestion, "loss_with_suggestion": theirs},
            f"Set lr near {number(suggestion)}, where the range test falls fastest.",
        )
    ]


def dropout_strength(own: Run, undropped: Run, *, strongest: float) -> list[Finding]:
    """Blame dropout where the same training without it is far better on validation rows."""
    mine, theirs = quality(own), quality(undropped)
    if not (theirs < 0.6 * mine and mine - theirs > _MARGIN / 2 * _untrained(undropped)):
        return []
    return [
        Finding(
            "strong_dropout",
            "warning",
            f"Dropout is too strong (up to {number(strongest)}): the validation loss is "
            f"{number(mine)}, and {number(theirs)} without any dropout after "
            f"{len(own.history)} epochs.",
            {"dropout": strongest, "loss": mine, "loss_without": theirs},
            "Use a dropout of 0 to 0.5, or train for longer.",
        )
    ]


def labels(run: Run, stick: Yardstick) -> list[Finding]:
    """Find a network that learns its training rows and only guesses all others."""
    if run.diverged or not math.isfinite(run.train_loss):
        return []
    train, validation = _constants(stick)
    if not (run.train_loss < _BY_HEART * train and quality(run) >= _CHANCE * validation):
        return []
    evidence = {
        "train_loss": run.train_loss,
        "validation_loss": quality(run),
        "constant_loss": validation,
    }
    right = ""
    if stick.data.task == "classification":
        y = stick.data.validation.y
        commonest = float(np.bincount(y).max() / len(y))
        evidence |= {"accuracy": run.validation_accuracy, "commonest": commonest}
        right = (
            f", {run.validation_accuracy:.1%} right against {commonest:.1%} for the commonest class"
        )
    return [
        Finding(
            "labels_without_signal",
            "warning",
            f"The training rows are learnt (loss {number(run.train_loss)}, a constant answer has "
            f"{number(train)}), and validation rows are only guessed: loss at best "
            f"{number(quality(run))} against {number(validation)}{right}.",
            evidence,
            "Check that features and targets are in the same order (shuffled apart? joined by the "
            "wrong key?), and that the features know anything of the target.",
        )
    ]


def nothing_learnt(run: Run, stick: Yardstick) -> list[Finding]:
    """Find a training after which even the training rows are only guessed."""
    if run.diverged:
        sentence = f"The training diverged after {len(run.history)} epochs."
        return [
            Finding("learns_nothing", "warning", sentence, {"epochs": len(run.history)}, _LOWER)
        ]
    if not math.isfinite(run.train_loss):
        return []
    train, _ = _constants(stick)
    if run.train_loss < 0.97 * train:
        return []
    return [
        Finding(
            "learns_nothing",
            "warning",
            f"After {len(run.history)} epochs the loss of training rows is "
            f"{number(run.train_loss)}, and that of a constant answer {number(train)}.",
            {"train_loss": run.train_loss, "constant_loss": train},
            _LOWER,
        )
    ]


def fit(run: Run, stick: Yardstick) -> list[Finding]:
    """Find over- and underfitting from the curves of one training."""
    curve = run.curve
    if run.diverged or len(curve) < 2 or not math.isfinite(run.train_loss):
        return []
    train, validation = _constants(stick)
    best = int(np.argmin(curve))
    if curve[-1] > 1.25 * curve[best] and curve[-1] - curve[best] > _MARGIN / 2 * validation:
        return [
            Finding(
                "overfitting",
                "advice",
                f"The validation loss was lowest after epoch {best + 1} ({number(curve[best])}) "
                f"and rose to {number(curve[-1])} by epoch {len(curve)}, while the training loss "
                f"went down to {number(run.train_loss)}.",
                {"epoch": best + 1, "lowest": curve[best], "last": curve[-1]},
                "Stop at that epoch, or use more data, dropout, weight decay or a smaller model.",
            )
        ]
    if run.train_loss > _UNFITTED * train and run.validation_loss <= 1.1 * run.train_loss:
        return [
            Finding(
                "underfitting",
                "advice",
                f"The training rows are not fitted: their loss is {number(run.train_loss)} (a "
                f"constant answer has {number(train)}), and that of validation rows "
                f"{number(run.validation_loss)}.",
                {"train_loss": run.train_loss, "validation_loss": run.validation_loss},
                "Try a larger model, less regularisation or more epochs; or the features do not "
                "say more.",
            )
        ]
    return []


_LOWER = "Lower the learning rate, and look at the other findings and the model's last layer."


def _untrained(run: Run) -> float:
    """Return a loss to measure differences by, no less than that of the training itself."""
    return max(run.untrained, quality(run)) if math.isfinite(quality(run)) else 0.0


def _constants(stick: Yardstick) -> tuple[float, float]:
    """Return what a constant answer costs on training and on validation rows."""
    data = stick.data
    return stick.constant_loss(data.train.y), stick.constant_loss(data.validation.y)
