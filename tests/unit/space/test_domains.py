import math
import pickle
from collections import Counter

import numpy as np
import pytest
from scipy import stats

from ripieno.errors import SpaceError
from ripieno.space import Categorical, Constant, Domain, Float, Int, Space

DOMAINS = [
    Float(0.0, 1.0),
    Float(1e-4, 1.0, log=True),
    Float(0.1, 0.7, step=0.2),
    Int(1, 9),
    Int(8, 64, log=True),
    Int(0, 100, step=25),
    Categorical("a", None, True, 1, 2.5),
    Constant("x"),
]


@pytest.mark.parametrize("domain", DOMAINS, ids=repr)
def test_every_domain_keeps_the_protocol(domain):
    assert isinstance(domain, Domain)
    assert domain.conditions == ()
    assert domain.decode(domain.encode(domain.center)) == domain.center


@pytest.mark.parametrize("domain", [d for d in DOMAINS if math.isfinite(d.size)], ids=repr)
def test_the_values_of_a_finite_domain_are_numbered_and_all_different(domain):
    values = [domain.nth(index) for index in range(int(domain.size))]
    assert len({(type(value), value) for value in values}) == domain.size
    assert [domain.decode(domain.encode(value)) for value in values] == values
    if not isinstance(domain, Categorical | Constant):
        assert values == sorted(values)


@pytest.mark.parametrize(
    ("domain", "size"),
    [
        (Float(0.0, 1.0), math.inf),
        (Float(0.5, 0.5), 1),
        (Float(0.1, 0.3, step=0.1), 3),
        (Float(0.0, 1.0, step=0.3), 4),
        (Int(3, 3), 1),
        (Int(-5, 5), 11),
        (Int(0, 10, step=4), 3),
        (Int(1, 64, log=True), 64),
        (Categorical("a", "b"), 2),
        (Constant(3), 1),
    ],
    ids=repr,
)
def test_the_size_counts_the_values(domain, size):
    assert domain.size == size


@pytest.mark.parametrize(
    ("domain", "center"),
    [
        (Float(0.0, 1.0), 0.5),
        (Float(1e-4, 1.0, log=True), 1e-2),
        (Float(0.0, 1.0, default=0.9), 0.9),
        (Float(0.0, 1.0, step=0.25), 0.5),
        (Int(1, 9), 5),
        (Int(1, 9, default=2), 2),
        (Int(8, 64, log=True), 22),
        (Categorical("a", "b"), "a"),
        (Categorical("a", "b", default="b"), "b"),
        (Categorical("a", None, default=None), None),
        (Constant(False), False),
    ],
    ids=repr,
)
def test_the_center_is_the_default_or_the_middle_of_the_scale(domain, center):
    assert domain.center == center
    assert type(domain.center) is type(center)


def test_a_value_that_the_user_gave_stays_as_it_was_given():
    for value in (0.1, 0.3, 1e-3, 0.05, 0.123456789, 0.9999):
        assert Float(0.0, 1.0).canonical(value) == value
        assert Float(1e-4, 1.0, log=True).canonical(value) == value


def test_the_ends_are_values_whatever_their_digits():
    for domain in (Float(1 / 3, 2 / 3), Float(1 / 3, 2 / 3, log=True)):
        assert domain.canonical(1 / 3) == 1 / 3
        assert domain.canonical(2 / 3) == 2 / 3


@pytest.mark.parametrize(
    ("domain", "value"),
    [
        (Float(0.0, 1.0), 1.1),
        (Float(0.0, 1.0), -1e-9),
        (Float(0.0, 1.0), True),
        (Float(0.0, 1.0), "0.5"),
        (Float(0.0, 1.0), math.nan),
        (Float(0.0, 1.0, step=0.25), 0.3),
        (Float(0.0, 1.0, step=0.3), 1.0),
        (Int(1, 9), 2.5),
        (Int(1, 9), 10),
        (Int(1, 9), None),
        (Int(0, 10, step=5), 3),
        (Categorical(1, 2), 1.0),
        (Categorical(1, 2), True),
        (Categorical("a"), "b"),
        (Constant(1), 2),
        (Constant(1), True),
    ],
    ids=repr,
)
def test_a_value_of_another_domain_is_refused(domain, value):
    with pytest.raises(SpaceError, match="is not a value of this domain") as caught:
        domain.encode(value)
    assert caught.value.problem.startswith(repr(value))


@pytest.mark.parametrize(
    ("make", "problem"),
    [
        (lambda: Float(1.0, 0.0), "low = 1.0 is above high = 0.0"),
        (lambda: Float(0.0, math.inf), "high = inf"),
        (lambda: Float("a", 1.0), "low = 'a'"),
        (lambda: Float(0.0, 0.1, log=True), "log scale cannot start at low = 0.0"),
        (lambda: Float(0.1, 1.0, log=True, step=0.1), "no even steps"),
        (lambda: Float(1.0, 9.0, log=True, step=1), "no even steps"),
        (lambda: Float(0.0, 1.0, step="x"), "step = 'x'"),
        (lambda: Float(0.0, 1.0, step=1e-12), "too fine"),
        (lambda: Float(0.0, 1.0, default=2.0), "2.0 is not a value"),
        (lambda: Float(0.0, 1.0, step=0.25, default=0.3), "0.3 is not a value"),
        (lambda: Int(1, 2.5), "high = 2.5 is not a whole number"),
        (lambda: Int("a", 3), "low = 'a' is not a whole number"),
        (lambda: Int(1, math.inf), "high = inf is not a whole number"),
        (lambda: Int(9, 1), "low = 9 is above high = 1"),
        (lambda: Int(0, 9, log=True), "log scale cannot start at low = 0"),
        (lambda: Int(1, 9, log=True, step=2), "no even steps"),
        (lambda: Int(1, 9, step=0), "step = 0 is not positive"),
        (lambda: Int(1, 2**60), "more than 1,000,000,000,000 whole numbers"),
        (lambda: Int(2**60, 2**60 + 9, log=True), "more than 1,000,000,000,000"),
        (lambda: Int(1, 9, default=10), "10 is not a value"),
        (Categorical, "at least one choice"),
        (lambda: Categorical("a", "a"), "stands twice"),
        (lambda: Categorical([1], "a"), "is a list"),
        (lambda: Categorical(math.nan), "nan equals no value"),
        (lambda: Categorical("a", default="b"), "'b' is not a value"),
        (lambda: Categorical(1, 2, default=True), "True is not a value"),
        (lambda: Constant([1]), "is a list"),
        (lambda: Constant(math.nan), "nan equals no value"),
    ],
)
def test_a_domain_that_cannot_be_is_refused(make, problem):
    with pytest.raises(SpaceError, match=problem) as caught:
        make()
    assert caught.value.where
    assert caught.value.fix


def test_the_message_about_a_log_scale_from_zero_has_its_three_parts():
    with pytest.raises(SpaceError) as caught:
        Float(0.0, 0.1, log=True)
    assert str(caught.value) == (
        "a log scale cannot start at low = 0.0: the logarithm of a number that is not positive "
        "does not exist.\n"
        "  In:  Float(low=0.0, high=0.1, log=True)\n"
        "  Fix: raise `low` above zero (for example 1e-6), or drop `log=True`."
    )


def test_bounds_and_defaults_take_the_type_of_the_domain():
    assert [type(value) for value in (Float(0, 1).low, Float(0, 1, default=1).default)] == [
        float
    ] * 2
    assert [type(value) for value in (Int(1.0, 3.0).low, Int(1, 3, default=2.0).default)] == [
        int
    ] * 2
    assert type(Float(0.0, 1.0).decode(Float(0.0, 1.0).encode(np.float64(0.5)))) is float


def test_choices_of_numpy_floats_are_found_again_as_plain_ones():
    domain = Categorical(*np.logspace(-3, -1, 3))
    assert [type(choice) for choice in domain.choices] == [float] * 3
    assert domain.decode(domain.encode(0.01)) == 0.01


def test_a_negative_zero_is_not_a_value_of_its_own():
    domain = Float(-1.0, 1.0)
    assert math.copysign(1.0, domain.canonical(-0.0)) == 1.0
    assert math.copysign(1.0, Float(-0.0, 1.0).low) == 1.0


def test_conditions_are_added_to_a_copy():
    domain = Float(0.0, 1.0)
    child = domain.when(optimizer="sgd").when(depth=(1, 2), kind=["a"])
    assert domain.conditions == ()
    assert child.conditions == (("optimizer", ("sgd",)), ("depth", (1, 2)), ("kind", ("a",)))
    assert Categorical("a").when(depth=3).conditions == (("depth", (3,)),)


def test_a_domain_shows_itself_as_it_is_written():
    assert repr(Float(0.1, 1.0, log=True)) == "Float(low=0.1, high=1.0, log=True)"
    assert repr(Int(0, 8, step=2)) == "Int(low=0, high=8, step=2)"
    assert repr(Categorical(1, "a")) == "Categorical(1, 'a')"
    assert repr(Constant(1).when(a=2)) == "Constant(1).when(a=(2,))"


@pytest.mark.parametrize("domain", DOMAINS, ids=repr)
def test_a_domain_survives_pickle(domain):
    child = domain.when(parent=3)
    assert pickle.loads(pickle.dumps(child)) == child  # noqa: S301 - our own bytes


# Uniform on the declared scale: once exactly, over evenly spaced points of the unit interval,
# and once over random draws.

POINTS = (np.arange(10_000) + 0.5) / 10_000


@pytest.mark.parametrize(
    ("domain", "edges"),
    [
        (Float(-2.0, 3.0), np.linspace(-2.0, 3.0, 11)),
        (Float(1e-6, 1e4, log=True), np.logspace(-6, 4, 11)),
        (Float(0.5, 0.5 * 2**10, log=True), 0.5 * 2.0 ** np.arange(11)),
    ],
    ids=repr,
)
def test_evenly_spaced_points_fill_each_tenth_of_a_continuous_scale_alike(domain, edges):
    values = [domain.decode(float(unit)) for unit in POINTS]
    assert np.histogram(values, bins=edges)[0].tolist() == [1_000] * 10


@pytest.mark.parametrize(
    "domain",
    [Int(1, 10), Int(0, 45, step=5), Float(0.0, 0.9, step=0.1), Categorical(*range(10))],
    ids=repr,
)
def test_evenly_spaced_points_fall_on_each_value_alike(domain):
    values = [domain.decode(float(unit)) for unit in POINTS]
    assert sorted(values.count(domain.nth(index)) for index in range(10)) == [1_000] * 10


def test_evenly_spaced_points_fall_on_whole_numbers_by_their_width_in_the_logarithm():
    domain = Int(1, 8, log=True)
    values = [domain.decode(float(unit)) for unit in POINTS]
    numbers = np.arange(1, 9)
    widths = np.log(numbers + 0.5) - np.log(numbers - 0.5)
    expected = 10_000 * widths / widths.sum()
    assert np.abs(np.bincount(values)[1:] - expected).max() <= 1


@pytest.mark.parametrize(
    ("domain", "scale"),
    [
        (Float(-1.0, 5.0), lambda value: (value + 1.0) / 6.0),
        (Float(1e-5, 1.0, log=True), lambda value: 1.0 + math.log10(value) / 5.0),
    ],
    ids=["linear", "log"],
)
def test_samples_of_a_continuous_domain_are_uniform_on_its_scale(domain, scale):
    draws = Space(x=domain).sample(np.random.default_rng(0), 5_000)
    statistic = stats.kstest([scale(draw["x"]) for draw in draws], "uniform").statistic
    # The critical value of Kolmogorov and Smirnov for n = 5,000 at one in a thousand.
    assert statistic < 1.95 / math.sqrt(5_000)


@pytest.mark.parametrize(
    "domain", [Int(0, 19), Categorical(*range(20)), Float(0.0, 1.9, step=0.1)], ids=repr
)
def test_samples_of_a_finite_domain_are_uniform_on_its_values(domain):
    draws = Space(x=domain).sample(np.random.default_rng(1), 10_000)
    counts = Counter(draw["x"] for draw in draws)
    assert set(counts) == {domain.nth(index) for index in range(20)}
    assert stats.chisquare(list(counts.values())).pvalue > 1e-3
