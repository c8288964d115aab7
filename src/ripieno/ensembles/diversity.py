"""How much the members of an ensemble differ, and what their differences are worth."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ripieno.ensembles.metrics import SMALLEST
from ripieno.ensembles.predictions import Predictions
from ripieno.errors import EnsembleError

__all__ = ["ambiguity", "disagreement", "q_statistic"]


def disagreement(predictions: Predictions) -> NDArray[np.float64]:
    """Return the share of rows on which two members name different classes.

    This looks at the answers alone, not at the truth: two members that are wrong in
    different ways disagree.

    Returns:
        Shape ``(members, members)``, symmetric, 0 on the diagonal.
    """
    _needs_classes(predictions, "disagreement")
    answers = predictions.probabilities.argmax(axis=2)
    agree = np.zeros((predictions.members, predictions.members))
    for label in range(predictions.classes):
        said = (answers == label).astype(np.float64)
        agree += said @ said.T
    return 1.0 - agree / predictions.rows


def q_statistic(predictions: Predictions) -> NDArray[np.float64]:
    """Return Yule's Q of each pair of members: 1 where they are right on the same rows.

    ``Q = (N11 N00 - N01 N10) / (N11 N00 + N01 N10)``, where ``N10`` counts the rows that the
    first has right and the second has wrong. It is 0 for members whose errors are
    independent and negative for members that are wrong on different rows. Where both
    products are 0 (two faultless members, say) there is no evidence of any dependence, and
    Q is defined as 0 here; NaN would spoil every mean over pairs.

    Returns:
        Shape ``(members, members)``, symmetric.

    Source: Kuncheva and Whitaker, Measures of diversity in classifier ensembles, Machine
    Learning 51, 2003.
    """
    _needs_classes(predictions, "q_statistic")
    right = (predictions.probabilities.argmax(axis=2) == predictions.targets).astype(np.float64)
    wrong = 1.0 - right
    both = (right @ right.T) * (wrong @ wrong.T)
    one = (right @ wrong.T) * (wrong @ right.T)
    total = both + one
    q: NDArray[np.float64] = np.zeros_like(total)
    np.divide(both - one, total, out=q, where=total > 0)
    return q


def ambiguity(predictions: Predictions, weights: ArrayLike) -> float:
    """Return how much lower the ensemble's log loss is than its members' mean log loss.

    ``ln(sum_m w_m p_m(y)) - sum_m w_m ln p_m(y)``, averaged over the rows, in nats. By
    Jensen's inequality it is never negative: it is what averaging gains over picking a
    member by lot.

    Args:
        predictions: The members' probabilities.
        weights: Shares of the members, shape ``(members,)``.

    Raises:
        EnsembleError: The weights are not shares of these members.
    """
    _needs_classes(predictions, "ambiguity")
    pooled = predictions.mean(weights)
    rows = np.arange(predictions.rows)
    of_truth = predictions.probabilities[:, rows, predictions.targets].astype(np.float64)
    alone = np.asarray(weights) @ np.log(np.maximum(of_truth, SMALLEST))
    together = np.log(np.maximum(pooled[rows, predictions.targets], SMALLEST))
    return float((together - alone).mean())


def _needs_classes(predictions: Predictions, name: str) -> None:
    if predictions.task != "classification":
        raise EnsembleError(
            f"{name} compares answers that are classes.",
            where=f"predictions of {predictions.task}",
            fix="pass the predictions of a classification.",
        )
