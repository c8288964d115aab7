"""Properties of every space: mother test 5 among them."""

import contextlib
import json
import math
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from properties.strategies import (
    choices,
    domains,
    ints,
    linear_floats,
    log_floats,
    log_ints,
    scalars,
    small_domains,
    spaces,
    spaces_with_points,
    stepped_floats,
    units,
)
from ripieno.errors import SpaceError
from ripieno.space import Config, Constant, Float, Int, Space
from ripieno.space.wire import load


def exactly(config):
    """A config with the types and the bits of its values."""
    return [
        (name, type(value), value.hex() if isinstance(value, float) else value)
        for name, value in config.items()
    ]


# Mother test 5 of the project.
@given(spaces_with_points())
def test_decode_of_encode_is_the_config_bit_for_bit(drawn):
    space, point = drawn
    config = space.decode(point)
    assert exactly(space.decode(space.encode(config))) == exactly(config)


@given(spaces_with_points())
def test_a_config_of_a_space_is_canonical(drawn):
    space, point = drawn
    config = space.decode(point)
    assert exactly(space.config(config)) == exactly(config)


@given(linear_floats() | log_floats() | stepped_floats() | ints() | log_ints() | choices, units)
def test_decode_of_encode_is_the_value_bit_for_bit(domain, unit):
    value = domain.decode(unit)
    again = domain.decode(domain.encode(value))
    assert exactly({"x": again}) == exactly({"x": value})


@given(linear_floats() | log_floats(), st.floats(0.0, 1.0))
def test_any_number_between_the_ends_has_a_canonical_form_close_by(domain, share):
    number = min(max(domain.low + share * (domain.high - domain.low), domain.low), domain.high)
    canonical = domain.canonical(number)
    assert domain.canonical(canonical) == canonical
    tolerance = 1e-10 * abs(number) if domain.log else 1e-11 * (domain.high - domain.low)
    resolution = 100 * math.ulp(max(abs(domain.low), abs(domain.high)))
    assert abs(canonical - number) <= max(tolerance, 0 if domain.log else resolution)


@given(domains, units, units)
def test_numbers_keep_the_order_of_their_units(domain, first, second):
    if isinstance(domain, Float | Int):
        low, high = sorted((first, second))
        assert domain.low <= domain.decode(low) <= domain.decode(high) <= domain.high


@given(domains, units)
def test_an_encoded_value_lies_in_the_unit_interval(domain, unit):
    assert 0.0 <= domain.encode(domain.decode(unit)) <= 1.0


@given(small_domains)
def test_finite_domains_number_their_values(domain):
    values = [domain.nth(index) for index in range(int(domain.size))]
    assert len({(type(value), value) for value in values}) == domain.size
    for index, value in enumerate(values):
        if not isinstance(domain, Int) or not domain.log:
            assert int(domain.encode(value) * domain.size) == index
        assert exactly({"x": domain.decode(domain.encode(value))}) == exactly({"x": value})


@given(spaces())
def test_a_space_survives_json(space):
    twin = Space.from_json(space.to_json())
    assert twin == space
    assert twin.to_json() == space.to_json()
    assert twin.default() == space.default()


@given(spaces(), st.integers(0, 2**32))
def test_a_space_survives_pickle_and_samples_the_same_afterwards(space, seed):
    twin = pickle.loads(pickle.dumps(space))  # noqa: S301 - our own bytes
    assert twin == space
    assert twin.sample(np.random.default_rng(seed), 3) == space.sample(
        np.random.default_rng(seed), 3
    )


@given(spaces(), st.integers(0, 2**32))
def test_samples_hold_what_is_active_and_nothing_else(space, seed):
    for config in space.sample(np.random.default_rng(seed), 3):
        for name, domain in space.items():
            active = all(
                any(
                    parent in config
                    and exactly({"x": space[parent].decode(space[parent].encode(value))})
                    == exactly({"x": config[parent]})
                    for value in values
                )
                for parent, values in domain.conditions
            )
            assert (name in config) == active
            if name in config and isinstance(domain, Float | Int):
                assert domain.low <= config[name] <= domain.high


@given(spaces())
def test_the_default_is_a_canonical_config(space):
    assert exactly(space.config(space.default())) == exactly(space.default())


@given(spaces(small_domains, most=4))
def test_the_grid_of_a_finite_space_is_as_long_as_its_size(space):
    configs = list(space.grid())
    assert len(configs) == space.size
    assert len({config.digest for config in configs}) == space.size
    assert all(exactly(space.config(config)) == exactly(config) for config in configs)


@given(spaces())
def test_a_grid_is_refused_just_where_the_size_is_infinite(space):
    if math.isinf(space.size):
        with pytest.raises(SpaceError, match="is continuous"):
            space.grid()
    else:
        assert next(space.grid()) in space.grid()


@given(spaces_with_points())
def test_a_config_survives_json_and_pickle_with_its_digest(drawn):
    space, point = drawn
    config = space.decode(point)
    unpickled = pickle.loads(pickle.dumps(config))  # noqa: S301 - our own bytes
    for twin in (Config(json.loads(config.to_json())), unpickled):
        assert sorted(exactly(twin)) == sorted(exactly(config))
        assert (twin, twin.digest, hash(twin)) == (config, config.digest, hash(config))


@given(st.dictionaries(st.text(max_size=3), scalars, max_size=5), st.randoms())
def test_the_digest_does_not_depend_on_the_order_of_names(values, random):
    shuffled = list(values.items())
    random.shuffle(shuffled)
    assert Config(dict(shuffled)).digest == Config(values).digest


@given(scalars, scalars)
def test_different_values_have_different_digests(first, second):
    alike = exactly({"x": first}) == exactly({"x": second})
    assert (Config({"x": first}).digest == Config({"x": second}).digest) == alike


json_trees = st.recursive(
    scalars | st.floats(),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["version", "domains", "constraints", "kind", "low", "when", "x"])
            | st.text(max_size=3),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


def only_space_errors(read, text):
    # A text may also happen to be a space.
    with contextlib.suppress(SpaceError):
        read(text)


@given(st.text() | json_trees.map(json.dumps))
def test_reading_an_arbitrary_text_raises_nothing_but_a_space_error(text):
    only_space_errors(load, text)
    only_space_errors(Space.from_json, text)


@given(st.data())
def test_reading_a_damaged_space_raises_nothing_but_a_space_error(data):
    space = data.draw(spaces()).where("x < 1")
    tree = json.loads(space.to_json())
    path, part = [], tree
    while isinstance(part, dict | list) and part and (not path or data.draw(st.booleans())):
        keys = sorted(part) if isinstance(part, dict) else range(len(part))
        path.append((part, data.draw(st.sampled_from(keys))))
        part = part[path[-1][1]]
    holder, key = path[-1]
    if data.draw(st.booleans()):
        holder[key] = data.draw(json_trees)
    else:
        del holder[key]
    only_space_errors(load, json.dumps(tree))
    only_space_errors(Space.from_json, json.dumps(tree))


@given(scalars.filter(lambda value: isinstance(value, str)))
def test_reading_an_arbitrary_constraint_raises_nothing_but_a_space_error(text):
    only_space_errors(lambda rule: Space(x=Constant(1)).where(rule).default(), text)
