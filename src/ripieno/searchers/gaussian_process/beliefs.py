"""What a user believes of good values, as a weight that fades as results come in.

A domain's default with a confidence is a belief. Numbers have a normal density about the
default, cut off at the ends; the default of a choice is so many times as likely as another.

Source: C. Hvarfner, D. Stoll, A. Souza, M. Lindauer, F. Hutter, L. Nardi, "πBO: Augmenting
Acquisition Functions with User Beliefs for Bayesian Optimization", ICLR 2022, Eq. (6).
"""

import math
from collections.abc import Mapping

import torch
from torch import Tensor

from ripieno.space import Categorical, Domain, Float, Int, Space

__all__ = ["Beliefs"]

_SPREAD: Mapping[str, float] = {"low": 0.5, "medium": 0.25, "high": 0.125}
_TIMES: Mapping[str, float] = {"low": 2.0, "medium": 4.0, "high": 6.0}
_BETA = 10.0


class Beliefs:
    """The logarithm of a space's prior density, up to a constant.

    Args:
        space: What is searched; hyperparameters without a confidence count for nothing.
    """

    def __init__(self, space: Space) -> None:
        domains = [space[name] for name in space.searched]
        centers = [domain.encode(domain.center) for domain in domains]
        self._centers = torch.tensor(centers, dtype=torch.float64)
        self._precision = torch.tensor([_precision(d) for d in domains], dtype=torch.float64)
        self._odds = torch.tensor([_odds(d) for d in domains], dtype=torch.float64)

    def weight(self, points: Tensor, *, observed: int) -> Tensor:
        """Return what to add to the logarithm of an acquisition, shape ``(count,)``.

        Args:
            points: Shape ``(count, dims)``; an inactive hyperparameter stands at one half,
                and so weighs alike on all configs that are without it.
            observed: Trials whose results are known; the weight falls with their number.
        """
        apart = points - self._centers
        density = -0.5 * apart.square() @ self._precision + (apart == 0.0).double() @ self._odds
        return _BETA / max(observed, 1) * density  # Eq. (6)


def _precision(domain: Domain) -> float:
    """Return one over the variance of a number's density; 0.0 without a belief."""
    match domain:
        case Float(confidence=str(confidence)) | Int(confidence=str(confidence)):
            return _SPREAD[confidence] ** -2
    return 0.0


def _odds(domain: Domain) -> float:
    """Return the logarithm of how much likelier a choice's default is; 0.0 without a belief."""
    match domain:
        case Categorical(confidence=str(confidence)):
            return math.log(_TIMES[confidence])
    return 0.0
