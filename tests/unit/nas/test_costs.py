import math

import numpy as np
import pytest
import torch
from torch import nn

from ripieno.errors import SpaceError
from ripieno.nas import (
    ArchitectureFactory,
    cell_space,
    front,
    limited,
    limited_again,
    macro_space,
    measure_cost,
    measure_latency,
    nas,
)
from ripieno.space import Space

SHAPE = (1, 8, 8)
FACTORY = ArchitectureFactory(SHAPE, 3)


def test_the_cost_of_a_convolution_and_a_linear_layer():
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(256, 3))
    cost = measure_cost(net, SHAPE)
    assert cost.parameters == 4 * 9 + 4 + 256 * 3 + 3
    assert cost.flops == 2 * (64 * 4 * 9 + 256 * 3)
    assert net[0].weight.device.type == "cpu"


@pytest.mark.parametrize("kind", ["parameters", "flops"])
def test_every_config_of_a_limited_space_keeps_the_limit(kind):
    space = cell_space(filters=4)
    costs = [
        getattr(measure_cost(FACTORY(c), SHAPE), kind)
        for c in space.sample(np.random.default_rng(0), 8)
    ]
    most = sorted(costs)[4]
    assert max(costs) > most
    small = limited(space, FACTORY, SHAPE, **{kind: most})
    kept = small.sample(np.random.default_rng(1), 5)
    assert all(getattr(measure_cost(FACTORY(c), SHAPE), kind) <= most for c in kept)
    assert f"at most {most:g} {kind}" in {c.description for c in small.constraints}


def test_what_an_architecture_costs_does_not_depend_on_its_training(few_digits):
    architectures = macro_space(depth=3, filters=(4, 8), kernels=(3,))
    factory = ArchitectureFactory(few_digits.shape, 10)
    small = limited(architectures, factory, few_digits.shape, parameters=2_000)
    recipe = nas(few_digits, small)
    assert recipe.space.sample(np.random.default_rng(0), 5)
    (rule,) = [c.rule for c in recipe.space.constraints if callable(c.rule)]
    assert set().union(*rule.seen) <= set(architectures)


def test_a_limit_on_seconds_measures_each_architecture_once_and_keeps_the_callers_draws():
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    space = limited(macro_space(depth=1, filters=(2,)), FACTORY, SHAPE, seconds=60.0)
    assert len(space.sample(np.random.default_rng(0), 20)) == 20
    assert torch.equal(torch.rand(2), expected)
    (constraint,) = space.constraints
    assert 1 <= len(constraint.rule.seen) <= 6
    assert all(seconds > 0 for seconds in constraint.rule.seen.values())


def test_a_limit_is_made_again_where_a_space_was_written_and_read():
    space = cell_space(filters=4)
    costs = [measure_cost(FACTORY(c), SHAPE) for c in space.sample(np.random.default_rng(0), 8)]
    most = sorted(cost.parameters for cost in costs)[4]
    small = limited(space, FACTORY, SHAPE, parameters=most, flops=1_234_567.5)
    small = small.where("filters <= 4", "few filters")
    read = Space.from_json(small.to_json())
    with pytest.raises(SpaceError, match="functions are not stored"):
        read.sample(np.random.default_rng(1), 1)
    again = limited_again(read, FACTORY, SHAPE)
    assert again.constraints == small.constraints
    rng = np.random.default_rng
    assert again.sample(rng(1), 5) == small.sample(rng(1), 5)
    assert limited_again(small, FACTORY, SHAPE) is small


def test_latency_is_a_time():
    assert 0 < measure_latency(nn.Linear(4, 2), (4,), rows=3) < 60


@pytest.mark.parametrize(
    ("limits", "says"), [({}, "nothing is limited"), ({"flops": 0}, "flops = 0")]
)
def test_a_limit_that_leaves_nothing_is_refused(limits, says):
    with pytest.raises(SpaceError, match=says):
        limited(cell_space(), FACTORY, SHAPE, **limits)


def test_the_front_holds_what_nothing_beats():
    costs, losses = [3, 1, 2, 4, 1, 5], [0.2, 0.5, 0.6, 0.1, 0.4, math.nan]
    assert front(costs, losses) == [4, 0, 3]
