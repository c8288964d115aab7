"""Hypothesis strategies that make valid domains, spaces and configs."""

import math
import string

import numpy as np
from hypothesis import strategies as st

from ripieno.space import Categorical, Constant, Float, Int, Space

names = st.text(string.ascii_lowercase, min_size=1, max_size=3)

# What a JSON file can hold, and no number that equals nothing.
scalars = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.floats(allow_nan=False)
    | st.text(max_size=5)
)

# Units are drawn over the whole interval, ends and their neighbours included.
units = st.floats(0.0, 1.0) | st.sampled_from(
    [0.0, 5e-324, 1e-17, 0.5, math.nextafter(1.0, 0.0), 1.0]
)

magnitudes = st.floats(-300.0, 300.0).map(lambda power: min(max(10.0**power, 1e-300), 1e300))
reals = st.just(0.0) | magnitudes | magnitudes.map(lambda value: -value)
everyday = st.floats(-1e3, 1e3).map(lambda value: round(value, 4) + 0.0)


@st.composite
def linear_floats(draw):
    """Any width at any offset, from everyday ranges to the ends of what is allowed."""
    low = draw(everyday | reals)
    high = draw(everyday | reals | magnitudes.map(lambda width: low + width))
    low, high = sorted((low, high))
    return Float(_within(low), _within(high))


@st.composite
def log_floats(draw):
    """Any two positive ends, also next to each other."""
    low = draw(magnitudes)
    factor = draw(magnitudes | st.floats(0.0, 1.0).map(lambda share: 1.0 + share * 1e-6))
    low, high = sorted((low, _within(low * factor) or 1e-300))
    return Float(low, high, log=True)


@st.composite
def stepped_floats(draw, most=10**6):
    """Up to ``most`` steps, which need not end at the upper end."""
    low = draw(everyday)
    step = draw(st.floats(1e-3, 1e3))
    count = draw(st.integers(0, most) | st.integers(0, 5))
    high = low + step * (count + draw(st.floats(0.0, 0.9)))
    return Float(_within(low), _within(high), step=step)


@st.composite
def ints(draw, most=10**12):
    """Up to ``most`` whole numbers at any offset, with steps."""
    low = draw(st.integers(-(10**30), 10**30) | st.integers(-5, 5))
    step = draw(st.integers(1, 10**6) | st.just(1))
    count = draw(st.integers(1, most) | st.integers(1, 5))
    return Int(low, low + step * count - draw(st.integers(1, step)), step=step)


@st.composite
def log_ints(draw, most=10**12):
    """Whole numbers from 1 to ``most``, by their logarithm."""
    low, high = sorted((draw(st.integers(1, most)), draw(st.integers(1, most))))
    return Int(low, high, log=True)


choices = st.lists(scalars, min_size=1, max_size=5, unique_by=lambda v: (type(v), v)).map(
    lambda values: Categorical(*values)
)
constants = scalars.map(Constant)
domains = (
    linear_floats() | log_floats() | stepped_floats() | ints() | log_ints() | choices | constants
)
# Of so few values that a grid over several can be walked in a test.
small_domains = stepped_floats(most=3) | ints(most=4) | log_ints(most=6) | choices | constants


@st.composite
def with_default(draw, domain):
    """The domain, sometimes with a default of its own."""
    if isinstance(domain, Constant) or draw(st.booleans()):
        return domain
    default = domain.decode(draw(units))
    match domain:
        case Float():
            return Float(domain.low, domain.high, log=domain.log, step=domain.step, default=default)
        case Int():
            return Int(domain.low, domain.high, log=domain.log, step=domain.step, default=default)
        case Categorical():
            return Categorical(*domain.choices, default=default)
    raise AssertionError(domain)


@st.composite
def spaces(draw, kinds=domains, most=6):
    """Spaces with conditions on any earlier hyperparameters, declared in any order."""
    chosen = {}
    for name in draw(st.lists(names, unique=True, max_size=most)):
        domain = draw(with_default(draw(kinds)))
        for parent in draw(st.lists(st.sampled_from(sorted(chosen)), max_size=2)) if chosen else ():
            values = [chosen[parent].decode(draw(units)) for _ in range(draw(st.integers(1, 2)))]
            domain = domain.when(**{parent: tuple(values)})
        chosen[name] = domain
    return Space(**{name: chosen[name] for name in draw(st.permutations(list(chosen)))})


@st.composite
def spaces_with_points(draw, kinds=domains):
    """A space and a point of its unit cube."""
    space = draw(spaces(kinds))
    return space, np.array([draw(units) for _ in range(space.dims)])


def _within(value):
    if value == 0.0:
        return 0.0
    return math.copysign(min(max(abs(value), 1e-300), 1e300), value)
