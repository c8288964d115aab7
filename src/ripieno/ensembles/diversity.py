"""How much pairs of members differ: each measure is a matrix ``(members, members)``.

All of them come out of matrix products over the rows; none loops over rows or pairs. Two kinds
of difference are kept apart: members may *name* different classes, whether right or wrong
(:func:`disagreement`, :func:`kappa`), or may be *right* on different rows (the others).

Source: Kuncheva and Whitaker, Measures of diversity in classifier ensembles, Machine Learning
51, 2003.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ripieno.ensembles.predictions import Predictions
from ripieno.errors import EnsembleError

__all__ = [
    "KappaError",
    "correctness_disagreement",
    "correlation",
    "disagreement",
    "double_fault",
    "kappa",
    "kappa_error",
    "needs_classes",
    "q_statistic",
    "rightness",
]


@dataclass(frozen=True, slots=True, eq=False)
class KappaError:
    """One point a pair of members: how alike they answer against how often they are wrong.

    Args:
        pairs: Positions of the two members, int64, shape ``(pairs, 2)``, the first lower.
        kappa: Their agreement beyond chance, shape ``(pairs,)``.
        error: The mean of their error rates, shape ``(pairs,)``.
    """

    pairs: NDArray[np.int64]
    kappa: NDArray[np.float64]
    error: NDArray[np.float64]


def disagreement(predictions: Predictions) -> NDArray[np.float64]:
    """Return the share of rows on which two members name different classes.

    This looks at the answers alone, not at the truth: two members that are wrong in
    different ways disagree.

    Returns:
        Shape ``(members, members)``, symmetric, 0 on the diagonal.
    """
    needs_classes(predictions, "disagreement")
    return 1.0 - _agreement(predictions)


def correctness_disagreement(predictions: Predictions) -> NDArray[np.float64]:
    """Return the share of rows on which one of two members is right and the other wrong.

    ``(N10 + N01) / N``: two members that are wrong in different ways agree. For two classes
    it equals :func:`disagreement`.

    Returns:
        Shape ``(members, members)``, symmetric, 0 on the diagonal.
    """
    right, wrong = _oracle(predictions, "correctness_disagreement")
    one: NDArray[np.float64] = (right @ wrong.T + wrong @ right.T) / predictions.rows
    return one


def q_statistic(predictions: Predictions) -> NDArray[np.float64]:
    """Return Yule's Q of each pair of members: 1 where they are right on the same rows.

    ``Q = (N11 N00 - N01 N10) / (N11 N00 + N01 N10)``, where ``N10`` counts the rows that the
    first has right and the second has wrong. It is 0 for members whose errors are
    independent and negative for members that are wrong on different rows. Where both
    products are 0 (two faultless members, say) there is no evidence of any dependence, and
    Q is defined as 0 here; NaN would spoil every mean over pairs.

    Returns:
        Shape ``(members, members)``, symmetric.
    """
    right, wrong = _oracle(predictions, "q_statistic")
    both = (right @ right.T) * (wrong @ wrong.T)
    one = (right @ wrong.T) * (wrong @ right.T)
    return _ratio(both - one, both + one)


def correlation(predictions: Predictions) -> NDArray[np.float64]:
    """Return the correlation of being right of each pair: 1 for equal errors, 0 for unrelated.

    ``(N11 N00 - N01 N10) / sqrt((N11+N10)(N01+N00)(N11+N01)(N10+N00))``. A member that is
    right (or wrong) on every row correlates with none: 0, also with itself.

    Returns:
        Shape ``(members, members)``, symmetric, in [-1, 1].
    """
    right, wrong = _oracle(predictions, "correlation")
    both = (right @ right.T) * (wrong @ wrong.T)
    one = (right @ wrong.T) * (wrong @ right.T)
    spread = np.sqrt(right.sum(axis=1) * wrong.sum(axis=1))
    return _ratio(both - one, np.outer(spread, spread))


def double_fault(predictions: Predictions) -> NDArray[np.float64]:
    """Return the share of rows that both of two members have wrong, ``N00 / N``.

    Returns:
        Shape ``(members, members)``, symmetric, the members' error rates on the diagonal.
    """
    _, wrong = _oracle(predictions, "double_fault")
    both: NDArray[np.float64] = (wrong @ wrong.T) / predictions.rows
    return both


def kappa(predictions: Predictions) -> NDArray[np.float64]:
    """Return Cohen's kappa of each pair: agreement of their answers beyond chance.

    ``(T1 - T2) / (1 - T2)``, where ``T1`` is the share of rows on which they name the same
    class and ``T2`` what it would be by chance. Two members that always name the same single
    class agree by chance alone; kappa is defined as 1 there, since they answer alike.

    Returns:
        Shape ``(members, members)``, symmetric, 1 on the diagonal.

    Source: Cohen, A coefficient of agreement for nominal scales, 1960.
    """
    needs_classes(predictions, "kappa")
    answers = predictions.probabilities.argmax(axis=2)
    shares = np.stack([(answers == c).mean(axis=1) for c in range(predictions.classes)], axis=1)
    chance = shares @ shares.T
    return 1.0 - _ratio(1.0 - _agreement(predictions), 1.0 - chance)


def kappa_error(predictions: Predictions) -> KappaError:
    """Return kappa and mean error of every pair of members, what a kappa-error plot shows.

    Pairs low and to the left, accurate and different, are what a vote gains most from.

    Source: Margineantu and Dietterich, Pruning adaptive boosting, ICML 1997.
    """
    wrong = 1.0 - rightness(predictions).mean(axis=1)
    first, second = np.triu_indices(predictions.members, k=1)
    return KappaError(
        pairs=np.stack([first, second], axis=1).astype(np.int64),
        kappa=kappa(predictions)[first, second],
        error=(wrong[first] + wrong[second]) / 2,
    )


def rightness(predictions: Predictions) -> NDArray[np.bool_]:
    """Return which rows each member has right, shape ``(members, rows)``."""
    needs_classes(predictions, "being right")
    right: NDArray[np.bool_] = predictions.probabilities.argmax(axis=2) == predictions.targets
    return right


def needs_classes(predictions: Predictions, name: str) -> None:
    """Refuse predictions that are not of classes.

    Raises:
        EnsembleError: They are labels or values.
    """
    if predictions.task != "classification":
        raise EnsembleError(
            f"{name} compares answers that are classes.",
            where=f"predictions of {predictions.task}",
            fix="pass the predictions of a classification.",
        )


def _agreement(predictions: Predictions) -> NDArray[np.float64]:
    answers = predictions.probabilities.argmax(axis=2)
    agree = np.zeros((predictions.members, predictions.members))
    for label in range(predictions.classes):
        said = (answers == label).astype(np.float64)
        agree += said @ said.T
    return agree / predictions.rows


def _oracle(predictions: Predictions, name: str) -> tuple[NDArray[Any], NDArray[Any]]:
    """Return 1.0 where a member is right, and 1.0 where it is wrong, ``(members, rows)``."""
    needs_classes(predictions, name)
    right = rightness(predictions).astype(np.float64)
    return right, 1.0 - right


def _ratio(upper: NDArray[np.float64], lower: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return ``upper / lower``, and 0 where ``lower`` is 0 (up to rounding)."""
    found: NDArray[np.float64] = np.zeros_like(upper)
    np.divide(upper, lower, out=found, where=lower > 1e-12)
    return found
