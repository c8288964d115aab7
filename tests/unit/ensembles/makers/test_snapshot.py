import math

import numpy as np
import pytest
import torch
from torch import nn

import ripieno as rp
from ripieno.ensembles.makers import Snapshot
from ripieno.errors import EnsembleError
from ripieno.recipes import build_model, complete, draws

CONFIG = rp.Config({"lr": 0.1, "optimizer": "sgd", "momentum": 0.9, "batch_size": 16})


def published(recipe, data, *, training, cycles, cycle_epochs):
    """Eq. (2) of the paper in a plain loop: states at the ends of the cycles."""
    seed = draws.trial_seed(7, training)
    model = build_model(complete(recipe, data), CONFIG, seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0, momentum=0.9)
    x, y = torch.from_numpy(data.train.x).double(), torch.from_numpy(data.train.y)
    steps = math.ceil(len(x) / 16)
    length, step, states = cycle_epochs * steps, 0, []
    for epoch in range(cycles * cycle_epochs):
        for rows in draws.epoch_order(seed, epoch, rows=len(x)).split(16):
            step += 1
            rate = 0.1 / 2 * (math.cos(math.pi * ((step - 1) % length) / length) + 1)
            optimizer.param_groups[0]["lr"] = rate
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
        if step % length == 0:
            states.append({n: t.clone() for n, t in model.state_dict().items()})
    return states


def test_snapshots_are_those_of_the_published_schedule(recipe, blobs, assert_equal_members):
    made = Snapshot(members=3, cycle_epochs=2).make(recipe, blobs, CONFIG, seed=7)
    assert_equal_members(made, published(recipe, blobs, training=0, cycles=3, cycle_epochs=2))


def test_trainings_side_by_side_are_independent_and_early_snapshots_are_left_out(
    recipe, blobs, assert_equal_members
):
    made = Snapshot(members=2, kept=1, trainings=2).make(recipe, blobs, CONFIG, seed=7)
    last = [published(recipe, blobs, training=t, cycles=2, cycle_epochs=2)[1] for t in (0, 1)]
    assert_equal_members(made, last)
    assert [told["id"] for told in made.facts["members"]] == ["0 at epoch 4", "1 at epoch 4"]


def test_greedy_selection_over_snapshots_is_not_worse_where_it_chose(recipe, blobs):
    whole = Snapshot(members=4).make(recipe, blobs, CONFIG, seed=7)
    some = Snapshot(members=4, combiner="greedy").make(recipe, blobs, CONFIG, seed=7)
    loss = [each.score(blobs.validation)["log_loss"] for each in (whole, some)]
    assert len(some.members) <= 4
    assert loss[1] <= loss[0] + 1e-3
    assert np.isfinite(loss).all()


def test_impossible_cycles_are_refused():
    with pytest.raises(EnsembleError, match="kept = 4"):
        Snapshot(members=3, kept=4)
    with pytest.raises(EnsembleError, match="cycle_epochs = 0"):
        Snapshot(cycle_epochs=0)
