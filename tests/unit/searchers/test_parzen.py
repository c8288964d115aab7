import itertools
from functools import cache

import numpy as np
import pytest
from scipy import integrate, stats

from ripieno.searchers.layout import Layout
from ripieno.searchers.parzen import Crowd, Parzen, bandwidth
from ripieno.space import Categorical, Float, Int, Space

SPACE = Space(
    lr=Float(1e-4, 1.0, log=True),
    wide=Int(1, 1_000),
    depth=Int(1, 4),
    filters=Int(8, 12, log=True),
    optimizer=Categorical("sgd", "adam", "lion"),
    momentum=Float(0.0, 1.0).when(optimizer="sgd"),
)
WIDTH = 0.15


def points(count, seed):
    configs = SPACE.sample(np.random.default_rng(seed), count)
    units = np.array([SPACE.encode(config) for config in configs])
    active = np.array([[name in config for name in SPACE.searched] for config in configs])
    return configs, units, active


def direct(config, kernels):
    """The density of a config, term by term from the definitions."""
    total = 1.0
    for name in ("depth", "filters", "optimizer"):
        total *= mass(name, config[name], None, len(kernels))
    terms = [total]
    for kernel in kernels:
        term = 1.0
        for name in config:
            known = kernel.get(name) if name in kernel else None
            if name in {"lr", "wide", "momentum"}:
                if known is not None:
                    x, mu = SPACE[name].encode(config[name]), SPACE[name].encode(known)
                    ends = (0.0 - mu) / WIDTH, (1.0 - mu) / WIDTH
                    term *= stats.truncnorm(*ends, loc=mu, scale=WIDTH).pdf(x)
            else:
                term *= mass(name, config[name], known, len(kernels))
        terms.append(term)
    return np.mean(terms)


@cache
def shares(name):
    """The length of the unit interval that decodes to each value, by counting."""
    fine = (np.arange(100_000) + 0.5) / 100_000
    values, counts = np.unique([SPACE[name].decode(unit) for unit in fine], return_counts=True)
    return dict(zip(values.tolist(), counts / 100_000, strict=True))


def mass(name, value, known, count):
    domain = SPACE[name]
    values = [domain.nth(index) for index in range(int(domain.size))]
    if isinstance(domain, Categorical):
        if known is None:
            return 1.0 / len(values)
        return ((value == known) + 1.0 / (count + 1)) / (1.0 + len(values) / (count + 1))
    share = shares(name)
    if known is None:
        return share[value]
    ends = dict(zip(values, itertools.accumulate(share.values()), strict=True))
    mu = ends[known] - share[known] / 2
    normal = stats.norm(mu, WIDTH)
    inside = normal.cdf(1.0) - normal.cdf(0.0)
    return (normal.cdf(ends[value]) - normal.cdf(ends[value] - share[value])) / inside


def test_the_density_is_the_mean_of_the_products_of_the_kernels():
    configs, units, active = points(7, seed=1)
    layout = Layout(SPACE)
    parzen = Parzen(layout, units, active=active, width=WIDTH)
    others, at, counted = points(12, seed=2)
    found = np.exp(parzen.log_density(layout.describe(at, counted)))
    expected = [direct(other, configs) for other in others]
    # The shares of whole numbers on a log scale are read off a grid of 5e-6 here.
    np.testing.assert_allclose(found, expected, rtol=2e-4)


def test_the_density_of_a_conditional_space_adds_up_to_one():
    space = Space(kind=Categorical("a", "b"), x=Float(0.0, 1.0).when(kind="a"), n=Int(1, 3))
    units = np.array([[0.25, 0.3, 0.2], [0.75, 0.5, 0.5], [0.25, 0.9, 0.9]])
    active = np.array([[True, True, True], [True, False, True], [True, True, True]])
    layout = Layout(space)
    parzen = Parzen(layout, units, active=active, width=0.1)

    def density(kind, x, n):
        at = np.array([[(0.25, 0.75)[kind], x, (n + 0.5) / 3]])
        counted = np.array([[True, kind == 0, True]])
        return float(np.exp(parzen.log_density(layout.describe(at, counted)))[0])

    total = sum(density(1, 0.5, n) for n in range(3))
    for n in range(3):
        total += integrate.quad(lambda x, n=n: density(0, x, n), 0.0, 1.0)[0]
    assert total == pytest.approx(1.0, abs=1e-8)


def test_draws_have_the_density():
    space = Space(x=Float(0.0, 1.0), n=Int(1, 4), c=Categorical("a", "b", "c"))
    units = np.array([[0.1, 0.125, 0.2], [0.9, 0.875, 0.9]])
    layout = Layout(space)
    parzen = Parzen(layout, units, active=np.ones((2, 3), np.bool_), width=0.1)
    drawn = parzen.sample(np.random.default_rng(0), 20_000)
    assert drawn.min() >= 0.0
    assert drawn.max() <= 1.0
    fine = (np.arange(200) + 0.5) / 200
    grid = np.array(
        [(x, n, c) for x in fine for n in (0.1, 0.4, 0.6, 0.9) for c in (0.1, 0.5, 0.9)]
    )
    density = np.exp(parzen.log_density(layout.describe(grid, np.ones(grid.shape, np.bool_))))
    density = density.reshape(200, 4, 3) / 200
    tenths = np.histogram(drawn[:, 0], bins=10, range=(0, 1))[0] / len(drawn)
    np.testing.assert_allclose(tenths, density.sum((1, 2)).reshape(10, 20).sum(1), atol=0.015)
    numbers = np.bincount((drawn[:, 1] * 4).astype(int), minlength=4) / len(drawn)
    np.testing.assert_allclose(numbers, density.sum((0, 2)), atol=0.015)
    choices = np.bincount((drawn[:, 2] * 3).astype(int), minlength=3) / len(drawn)
    np.testing.assert_allclose(choices, density.sum((0, 1)), atol=0.015)


def test_kernels_narrow_with_their_number_down_to_a_floor():
    assert bandwidth(1, 4) == pytest.approx(1 / 3)  # the floor of a single config
    assert bandwidth(98, 2) == pytest.approx(0.1 * 98 ** (-1 / 6))
    assert bandwidth(10**9, 1) == 0.01
    assert bandwidth(0, 1) == pytest.approx(0.5)


def test_a_crowd_that_grows_has_the_density_of_the_mixture_that_is_made_at_once():
    _, units, active = points(300, seed=1)
    _, at, counted = points(12, seed=2)
    layout = Layout(SPACE)
    crowd, features = Crowd(layout), layout.describe(at, counted)
    for known, pending, kernels in ((40, 3, 43 - 5), (90, 0, 85), (296, 4, 256)):
        rows = np.arange(5, known)
        more = slice(known, known + pending)
        width = bandwidth(kernels, layout.dims)
        if known == 90:  # a trial goes on with another config
            units[7], active[7] = units[8], active[8]
        crowd.forget(7)
        found = crowd.log_density(
            features, units[:known], active=active[:known], rows=rows,
            more=(units[more], active[more]),
        )  # fmt: skip
        own = np.r_[rows, np.arange(known, known + pending)]
        parzen = Parzen(layout, units[own], active=active[own], width=width)
        tolerance = 1e-12 if len(own) == kernels else 0.05  # tables of choices count kernels too
        np.testing.assert_allclose(found, parzen.log_density(features), rtol=tolerance)
