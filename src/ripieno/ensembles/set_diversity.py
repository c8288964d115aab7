"""How much the members of a whole ensemble differ: one number for all of them.

Source: Kuncheva and Whitaker, Measures of diversity in classifier ensembles, Machine Learning
51, 2003; the mutual information: Depeweg et al., Decomposition of uncertainty in Bayesian deep
learning, ICML 2018.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ripieno.ensembles.diversity import needs_classes, rightness
from ripieno.ensembles.metrics import SMALLEST
from ripieno.ensembles.predictions import Predictions
from ripieno.errors import EnsembleError

__all__ = ["interrater_agreement", "kohavi_wolpert", "mutual_information", "vote_entropy"]


def kohavi_wolpert(predictions: Predictions) -> float:
    """Return the Kohavi-Wolpert variance of being right, in [0, 1/4].

    ``1 / (N M^2) sum l (M - l)``, where ``l`` of the ``M`` members have a row right. It is
    ``(M - 1) / (2 M)`` times the mean correctness disagreement of pairs.
    """
    right = rightness(predictions).sum(axis=0)
    members = predictions.members
    return float((right * (members - right)).mean() / members**2)


def vote_entropy(predictions: Predictions) -> float:
    """Return how evenly members are split into right and wrong ones, in [0, 1].

    ``1 / N sum min(l, M - l) / (M - ceil(M / 2))``: 0 where all are right or wrong on the same
    rows, 1 where every row halves them. (It holds no logarithm; the name is the field's.)

    Raises:
        EnsembleError: There is one member alone.
    """
    _needs_several(predictions, "vote_entropy")
    members = predictions.members
    right = rightness(predictions).sum(axis=0)
    # M - ceil(M / 2) = floor(M / 2)
    return float(np.minimum(right, members - right).mean() / (members // 2))


def interrater_agreement(predictions: Predictions) -> float:
    """Return Fleiss' kappa of being right: 1 where all members are right on the same rows.

    ``1 - sum l (M - l) / (N M (M - 1) p (1 - p))`` with the mean accuracy ``p``. Where every
    member is right on every row, or wrong on every row, it is defined as 1.

    Raises:
        EnsembleError: There is one member alone.
    """
    _needs_several(predictions, "interrater_agreement")
    members = predictions.members
    mean = float(rightness(predictions).mean())
    if mean in {0.0, 1.0}:
        return 1.0
    variance = kohavi_wolpert(predictions) * members / (members - 1)
    return float(1.0 - variance / (mean * (1.0 - mean)))


def mutual_information(
    predictions: Predictions, weights: ArrayLike | None = None
) -> NDArray[np.float64]:
    """Return how much the members disagree about each row, in nats, shape ``(rows,)``.

    ``H(mean of p_m) - mean of H(p_m)``: the uncertainty that comes from not knowing which
    member is right, and that more data would take away. 0 where all answer alike.

    Args:
        predictions: The members' probabilities.
        weights: Shares of the members, shape ``(members,)``; equal where absent.

    Raises:
        EnsembleError: The weights are not shares of these members.
    """
    needs_classes(predictions, "mutual_information")
    shares = np.full(predictions.members, 1 / predictions.members) if weights is None else weights
    pooled = predictions.mean(shares)
    alone = np.asarray(shares) @ _entropy(predictions.probabilities)
    return np.maximum(_entropy(pooled) - alone, 0.0)


def _entropy(probabilities: NDArray[np.floating]) -> NDArray[np.float64]:
    p = probabilities.astype(np.float64)
    entropy: NDArray[np.float64] = -(p * np.log(np.maximum(p, SMALLEST))).sum(axis=-1)
    return entropy


def _needs_several(predictions: Predictions, name: str) -> None:
    if predictions.members < 2:
        raise EnsembleError(
            f"{name} compares members, and there is one alone.",
            where=repr(predictions),
            fix="pass the predictions of two or more members.",
        )
