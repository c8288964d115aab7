import pytest
from torch import nn

import ripieno as rp
from ripieno.ensembles.makers import FastGeometric
from ripieno.errors import EnsembleError

CONFIG = rp.Config({"lr": 0.1, "optimizer": "sgd", "batch_size": 16})


def published(alone, *, begin, cycles, cycle_epochs):
    """Eq. (3) of the paper in a plain loop: states half-way through each cycle."""
    steps, i, states = len(alone.batches(0)), 0, []
    for epoch in range(begin + cycles * cycle_epochs):
        for rows in alone.batches(epoch):
            if epoch >= begin:
                i += 1
                c = cycle_epochs * steps
                t = ((i - 1) % c + 1) / c
                high, low = 0.05, 0.01
                rate = (
                    (1 - 2 * t) * high + 2 * t * low
                    if t <= 0.5
                    else (2 - 2 * t) * low + (2 * t - 1) * high
                )
                alone.optimizer.param_groups[0]["lr"] = rate
            alone.step(nn.functional.cross_entropy(alone.model(alone.x[rows]), alone.y[rows]))
            if epoch >= begin and t == 0.5:
                states.append(alone.state)
    return states


@pytest.mark.parametrize("cycle_epochs", [2, 4])
def test_members_are_those_of_the_published_cycle(
    recipe, blobs, plain, assert_equal_members, cycle_epochs
):
    maker = FastGeometric(members=2, cycle_epochs=cycle_epochs, start=0.5, trainings=2)
    made = maker.make(recipe, blobs, CONFIG, seed=7)
    each = [
        published(
            plain(recipe, blobs, CONFIG, trial=trial), begin=2, cycles=2, cycle_epochs=cycle_epochs
        )
        for trial in (0, 1)
    ]
    assert_equal_members(made, [each[0][0], each[1][0], each[0][1], each[1][1]])


def test_a_cycle_without_a_half_is_refused():
    # torchensemble 0.2.0 does not end with a cycle of 1.
    with pytest.raises(EnsembleError, match="cycle_epochs = 1"):
        FastGeometric(cycle_epochs=1)
    with pytest.raises(EnsembleError, match=r"low = 0\.9"):
        FastGeometric(low=0.9)
