"""What an ensemble gains from its members' differences: loss = mean loss - ambiguity.

Source: Krogh and Vedelsby, Neural network ensembles, cross validation, and active learning,
NeurIPS 1994; for the cross entropy: Wood et al., A unified theory of diversity in ensemble
learning, JMLR 24, 2023.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ripieno.ensembles.diversity import needs_classes
from ripieno.ensembles.metrics import SMALLEST
from ripieno.ensembles.predictions import Predictions
from ripieno.errors import EnsembleError

__all__ = ["Decomposition", "ambiguity", "decompose", "deep_ensemble_equivalent"]

Mean = Literal["arithmetic", "geometric"]


@dataclass(frozen=True, slots=True)
class Decomposition:
    """An ensemble's loss in two parts, ``ensemble = members - ambiguity``.

    Args:
        ensemble: Mean loss of the ensemble.
        members: Weighted mean of the members' mean losses.
        ambiguity: What their differences are worth; never negative.
    """

    ensemble: float
    members: float
    ambiguity: float


def decompose(
    predictions: Predictions, weights: ArrayLike, *, mean: Mean = "arithmetic"
) -> Decomposition:
    """Take an ensemble's loss apart into its members' loss and what their differences take off.

    Of a regression, with the squared error: the ambiguity is the members' weighted variance
    about their mean, ``sum_m w_m (f_m - F)^2``, whatever the targets. Of a classification,
    with the log loss: of the *geometric* mean ``g ~ prod_m p_m^w_m`` it is
    ``sum_m w_m KL(g || p_m)``, whatever the targets; of the *arithmetic* mean it is
    ``ln p(y) - sum_m w_m ln p_m(y)``, which depends on them.

    Args:
        predictions: The members' probabilities or values.
        weights: Shares of the members, shape ``(members,)``.
        mean: How the members of a classification are averaged.

    Raises:
        EnsembleError: The weights are not shares of these members, there is no such mean, or
            the task is multilabel.
    """
    shares = np.asarray(weights, dtype=np.float64)
    pooled = predictions.mean(shares)
    if mean not in get_args(Mean):
        raise EnsembleError(
            f"mean = {mean!r} is not known.",
            where="decompose",
            fix="use 'arithmetic' or 'geometric'.",
        )
    if predictions.task == "regression":
        return _of_squares(predictions, shares, pooled)
    needs_classes(predictions, "ambiguity")
    rows = np.arange(predictions.rows)
    logs = np.log(np.maximum(predictions.probabilities.astype(np.float64), SMALLEST))
    members = float(-(shares @ logs[:, rows, predictions.targets]).mean())
    if mean == "arithmetic":
        of_truth = np.maximum(pooled[rows, predictions.targets], SMALLEST)
        ensemble = float(-np.log(of_truth).mean())
        return Decomposition(ensemble, members, members - ensemble)
    # -ln g(y) = sum_m w_m (-ln p_m(y)) - A with A = -ln sum_k prod_m p_m(k)^w_m
    logits = np.tensordot(shares, logs, axes=1)
    highest = logits.max(axis=1)
    gained = float(-(highest + np.log(np.exp(logits - highest[:, None]).sum(axis=1))).mean())
    return Decomposition(members - gained, members, gained)


def ambiguity(predictions: Predictions, weights: ArrayLike) -> float:
    """Return how much lower the ensemble's log loss is than its members' mean log loss.

    ``ln(sum_m w_m p_m(y)) - sum_m w_m ln p_m(y)``, averaged over the rows, in nats. By
    Jensen's inequality it is never negative: it is what averaging gains over picking a
    member by lot. See :func:`decompose` for the other means and for regressions.

    Args:
        predictions: The members' probabilities.
        weights: Shares of the members, shape ``(members,)``.

    Raises:
        EnsembleError: The weights are not shares of these members.
    """
    needs_classes(predictions, "ambiguity")
    return decompose(predictions, weights).ambiguity


def deep_ensemble_equivalent(losses: ArrayLike, value: float) -> float:
    """Return how many independent networks an ensemble is worth, by its log loss.

    Args:
        losses: Log loss of a deep ensemble of 1, 2, 3, … independently trained networks, each
            calibrated by its temperature, shape ``(sizes,)``.
        value: Log loss of the ensemble in question on the same rows, calibrated likewise.

    Returns:
        The smallest size at which a deep ensemble is as good, with a straight line between
        sizes; 1.0 where one network is as good already, infinity where none of the sizes is.

    Raises:
        EnsembleError: There is no loss, or one is not finite.

    Source: Ashukha, Lyzhov, Molchanov, Vetrov, Pitfalls of in-domain uncertainty estimation
    and ensembling in deep learning, ICLR 2020.
    """
    curve = np.asarray(losses, dtype=np.float64)
    if curve.ndim != 1 or not curve.size or not np.isfinite([*curve, value]).all():
        raise EnsembleError(
            f"losses of the shape {curve.shape} and the value {value} cannot be compared.",
            where="deep_ensemble_equivalent",
            fix="pass finite log losses of deep ensembles of 1, 2, 3, … networks.",
        )
    reached = np.flatnonzero(curve <= value)
    if not reached.size:
        return float("inf")
    first = int(reached[0])
    if first == 0:
        return 1.0
    before, after = curve[first - 1], curve[first]
    return float(first + (before - value) / (before - after))


def _of_squares(
    predictions: Predictions, shares: NDArray[np.float64], pooled: NDArray[np.float64]
) -> Decomposition:
    values, targets = predictions.probabilities.astype(np.float64), predictions.targets
    members = float(shares @ ((values - targets) ** 2).mean(axis=(1, 2)))
    spread = float(shares @ ((values - pooled) ** 2).mean(axis=(1, 2)))
    return Decomposition(float(((pooled - targets) ** 2).mean()), members, spread)
