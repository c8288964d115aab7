"""What a user believes of good values before anything is tried.

A domain's ``default`` with a ``confidence`` is a prior. On the unit interval that the domain
maps to, numbers have a normal density around the default, cut off at both ends; the default
of a choice is so many times as likely as any other one. A point that is uniform in the unit
cube is mapped to one that is distributed like that, coordinate by coordinate and without
changing their sequence, so that low-discrepancy points stay evenly spread under the prior.

Source: N. Mallik et al., "PriorBand: Practical Hyperparameter Optimization in the Age of Deep
Learning", NeurIPS 2023 (the densities and their three widths, as the authors' code has them).
"""

from statistics import NormalDist

from ripieno.space.domains import Categorical, Constant, Domain, Float, Int

__all__ = ["has_prior", "quantile"]

_SD = {"low": 0.5, "medium": 0.25, "high": 0.125}
_TIMES = {"low": 2.0, "medium": 4.0, "high": 6.0}


def has_prior(domain: Domain) -> bool:
    """Say whether a user has said how sure they are of the domain's default."""
    return isinstance(domain, Float | Int | Categorical) and domain.confidence is not None


def quantile(domain: Domain, share: float) -> float:
    """Return the coordinate below which the prior has a share of its mass.

    Args:
        domain: A hyperparameter; without a prior the share is returned as it is.
        share: In [0, 1].
    """
    match domain:
        case Constant() | Float(confidence=None) | Int(confidence=None):
            return share
        case Categorical(confidence=str(confidence)):
            return _of_choices(domain, share, times=_TIMES[confidence])
        case Float(confidence=str(confidence)) | Int(confidence=str(confidence)):
            normal = NormalDist(domain.encode(domain.center), _SD[confidence])
            low, high = normal.cdf(0.0), normal.cdf(1.0)
            return min(max(normal.inv_cdf(low + share * (high - low)), 0.0), 1.0)
    return share


def _of_choices(domain: Categorical, share: float, *, times: float) -> float:
    """Stretch the cell of the default, and shrink those of the other choices."""
    count = len(domain.choices)
    favourite = int(domain.encode(domain.default) * count)
    left = share * (times + count - 1)
    for cell in range(count):
        weight = times if cell == favourite else 1.0
        if left < weight or cell == count - 1:
            return (cell + min(left / weight, 1.0)) / count
        left -= weight
    raise AssertionError("a categorical domain has a choice")
