"""The model of the objectives and limits, kept from one suggestion to the next.

Source: J. R. Gardner, M. J. Kusner, Z. Xu, K. Q. Weinberger, J. P. Cunningham, "Bayesian
Optimization with Inequality Constraints", ICML 2014 (what is expected of a point, times the
probability that it keeps the limits).
"""

import math
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ripieno.searchers.gaussian_process.beliefs import Beliefs
from ripieno.searchers.gaussian_process.evenly import evenly_spread
from ripieno.searchers.gaussian_process.fitting import Hyper, fit
from ripieno.searchers.gaussian_process.hypervolume import (
    Boxes,
    log_expected_hypervolume,
    reference_point,
)
from ripieno.searchers.gaussian_process.improvement import log_expected_improvement
from ripieno.searchers.gaussian_process.layout import Layout, Units, key_of
from ripieno.searchers.gaussian_process.posterior import Posterior
from ripieno.searchers.gaussian_process.proposing import Acquisition
from ripieno.searchers.gaussian_process.rows import Rows
from ripieno.searchers.gaussian_process.targets import signed, standardized

__all__ = ["Surrogate"]

_SCENARIOS = 16
_BASELINE = 12
_FRONT = 24
_NOISELESS = 2e-5
"""Share of the targets' variance below which what was observed is what is true."""
_FEW = 100
_GROWTH = 0.05


class Surrogate:
    """Learns from rows, and says what is expected of other points.

    Args:
        layout: Of the space.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._beliefs = Beliefs(layout.space)
        self._hypers: tuple[Hyper, ...] = ()
        self._fitted_to = 0
        self._known: _Known | None = None

    def learn(self, rows: Rows) -> None:
        """Take in what was observed; the hyperparameters are fitted again as rows are added.

        With few rows they are fitted each time, later whenever the rows have grown by a
        twentieth, and from where they were: a fit takes about the cube of the rows.
        """
        varied = bool(np.ptp(rows.shares) > 0.0)
        inputs = np.column_stack([rows.units, rows.shares]) if varied else rows.units
        points = torch.from_numpy(inputs)
        categorical = torch.from_numpy(np.append(self._layout.categorical, [False] * varied) > 0)
        columns = [standardized(each) for each in rows.badness.T]
        columns += [signed(each) for each in rows.excess.T]
        targets = torch.from_numpy(np.column_stack(columns))
        if self._hypers and len(self._hypers[0].lengthscales) != points.shape[1]:
            self._hypers = ()
        if not self._hypers or abs(len(rows) - self._fitted_to) >= max(1, _GROWTH * len(rows)):
            self._hypers = self._fitted(points, targets, categorical)
            self._fitted_to = len(rows)
        posteriors = tuple(
            Posterior.of(points, column, kernel=hyper.kernel(categorical), hyper=hyper)
            for hyper, column in zip(self._hypers, targets.T, strict=True)
        )
        count = rows.badness.shape[1]
        objectives, limits = posteriors[:count], posteriors[count:]
        self._known = _Known(rows.units, targets, objectives, limits, whole=not varied)

    def incumbents(self, count: int) -> Units:
        """Return the configs that are expected to be best at the full budget, best first.

        With several objectives, those that no other one is expected to dominate; with
        limits, those first that are expected to keep them.
        """
        return self._learnt.incumbents(count)

    def acquisition(self, pending: Units, *, observed: int, seed: int) -> Acquisition:
        """Return the logarithm of what is expected of a point.

        Args:
            pending: Configs that are being tried, shape ``(count, dims)``: what they will
                give is drawn, in scenarios.
            observed: Trials whose results are known.
            seed: Decides what is drawn.
        """
        known = self._learnt
        plain = known.improvement if len(known.posteriors) == 1 else known.hypervolume
        expected = plain(pending, seed=seed)

        def believed(points: Tensor) -> Tensor:
            weight = self._beliefs.weight(points, observed=observed)
            return expected(points) + known.keeping(points) + weight

        return believed

    @property
    def _learnt(self) -> "_Known":
        if self._known is None:
            raise AssertionError("learn(rows) comes first")
        return self._known

    def _fitted(self, points: Tensor, targets: Tensor, categorical: Tensor) -> tuple[Hyper, ...]:
        few, dims = len(points) <= _FEW, points.shape[1]
        fixed = [Hyper.typical(dims), Hyper.typical(dims, length=0.1)] if few else []
        found = []
        for index, column in enumerate(targets.T):
            starts = [*self._hypers[index : index + 1], *fixed] or [Hyper.typical(dims)]
            steps = 50 if few else 20
            found.append(fit(points, column, categorical=categorical, starts=starts, steps=steps))
        return tuple(found)


@dataclass(frozen=True, slots=True)
class _Known:
    """The posterior of each objective and limit, given some rows.

    Args:
        units: The rows' configs, shape ``(rows, dims)``.
        targets: Standardised, shape ``(rows, objectives + limits)``.
        posteriors: One an objective.
        limits: One a limit; what is at most 0 keeps it.
        whole: Whether all rows are of the full budget; else its share is the last coordinate.
    """

    units: Units
    targets: Tensor
    posteriors: tuple[Posterior, ...]
    limits: tuple[Posterior, ...]
    whole: bool

    def incumbents(self, count: int) -> Units:
        means = torch.cat([p.predict(self._full(self.units))[0] for p in self.posteriors], dim=1)
        order = np.argsort(means.mean(1).numpy(), kind="stable")
        violation = self._violation(self.units)
        if len(self.posteriors) > 1:
            # What breaks a limit dominates nothing that keeps them all.
            broken = torch.from_numpy(violation > 0.0)[:, None]
            dominated = _dominated(means.masked_fill(broken, math.inf))
            order = np.concatenate([order[~dominated[order]], order])
        order = order[np.argsort(violation[order], kind="stable")]
        found: dict[bytes, Units] = {}
        for row in order:
            found.setdefault(key_of(self.units[row]), self.units[row])
            if len(found) == count:
                break
        return np.array(list(found.values()))

    def improvement(self, pending: Units, *, seed: int) -> Acquisition:
        """Return the expected improvement on the best value, whatever that may be."""
        (posterior,) = self.posteriors
        exact = self.whole and not self.limits and posterior.hyper.noise <= _NOISELESS
        baseline = pending[:0] if exact else self.incumbents(_BASELINE)
        drawn = self._allowed(np.concatenate([baseline, pending]))
        if not exact and not len(drawn):
            return _indifferent
        best = torch.full((1,), math.inf, dtype=torch.float64)
        if exact:
            best = self.targets.min()[None]
        if len(drawn):
            posterior = posterior.draw(self._full(drawn), _normals(len(drawn), seed=seed))
            best = torch.minimum(best, posterior.latest(len(drawn)).amin(0))

        def expected(points: Tensor) -> Tensor:
            mean, variance = posterior.predict(self._full(points))
            return log_expected_improvement(mean, variance, best)

        return expected

    def hypervolume(self, pending: Units, *, seed: int) -> Acquisition:
        """Return the expected gain in hypervolume on the front, whatever that may be."""
        drawn = self._allowed(np.concatenate([self.incumbents(_FRONT), pending]))
        if not len(drawn):
            return _indifferent
        posteriors = [
            posterior.draw(self._full(drawn), _normals(len(drawn), seed=seed + index))
            for index, posterior in enumerate(self.posteriors)
        ]
        values = torch.stack([each.latest(len(drawn)).T for each in posteriors], dim=-1)
        middle = values.mean(0)
        boxes = Boxes.beyond(values, reference_point(middle[torch.from_numpy(~_dominated(middle))]))

        def expected(points: Tensor) -> Tensor:
            predicted = [each.predict(self._full(points)) for each in posteriors]
            means = torch.stack([mean for mean, _ in predicted], dim=-1)
            variances = torch.stack([variance for _, variance in predicted], dim=-1)
            return log_expected_hypervolume(means, variances, boxes)

        return expected

    def keeping(self, points: Tensor) -> Tensor:
        """Return the logarithm of the probability that points keep all limits."""
        total = torch.zeros(len(points), dtype=torch.float64)
        for limit in self.limits:
            mean, variance = limit.predict(self._full(points))
            total = total + torch.special.log_ndtr(-mean[:, 0] / variance.sqrt())
        return total

    def _allowed(self, units: Units) -> Units:
        """Return the configs that are expected to keep the limits."""
        return units[self._violation(units) <= 0.0]

    def _violation(self, units: Units) -> NDArray[np.float64]:
        """Return by how much configs are expected to break the limits, shape ``(count,)``."""
        total = np.zeros(len(units))
        for limit in self.limits:
            total += limit.predict(self._full(units))[0][:, 0].clamp_min(0.0).numpy()
        return total

    def _full(self, points: Units | Tensor) -> Tensor:
        """Return points of the cube as inputs of the model, at the full budget."""
        inputs = torch.as_tensor(points)
        if self.whole:
            return inputs
        return torch.cat([inputs, torch.ones(len(inputs), 1, dtype=inputs.dtype)], dim=1)


def _indifferent(points: Tensor) -> Tensor:
    """Expect the same of all points: nothing keeps the limits that could be improved on."""
    return torch.zeros(len(points), dtype=torch.float64)


def _normals(count: int, *, seed: int) -> Tensor:
    """Return standard normal numbers that are evenly spread, shape ``(count, scenarios)``."""
    shares = evenly_spread(_SCENARIOS, count, seed=seed).clamp(1e-9, 1.0 - 1e-9)
    normals: Tensor = torch.special.ndtri(shares)
    return normals.T.contiguous()


def _dominated(points: Tensor) -> NDArray[np.bool_]:
    """Return which points others dominate, less being better, bool, shape ``(points,)``."""
    worse = (points[:, None] >= points[None]).all(2) & (points[:, None] > points[None]).any(2)
    return worse.any(1).numpy()
