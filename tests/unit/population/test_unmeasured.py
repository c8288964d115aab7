"""Epochs that nobody asks about are not measured, and change nothing else."""

import numpy as np
import pytest
from torch import nn

import ripieno as rp
from ripieno.ledger import MemoryArtifacts
from ripieno.population import PopulationRunner
from ripieno.recipes import Data, Recipe
from ripieno.records import Order, OutcomeStatus


@pytest.fixture
def data():
    x = np.random.default_rng(0).normal(size=(90, 4)).astype(np.float32)
    return Data.from_arrays(x, (x[:, 0] > 0).astype(int), seed=0)


def model(config):
    return nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Dropout(0.1), nn.Linear(6, 2))


def carried(data, orders, *, stop=lambda: False, measures, epochs=4):
    store = MemoryArtifacts()
    runner = PopulationRunner(Recipe(model=model, epochs=epochs), data, 1, measures=measures)
    outcomes = sorted(runner.run(orders, store, stop), key=lambda o: o.order.trial)
    return outcomes, store


def given(*lengths, **knobs):
    return [
        Order(n, rp.Config({"lr": 0.01 * (n + 1), "batch_size": 16, **knobs}), 0, length)
        for n, length in enumerate(lengths)
    ]


def test_the_last_epoch_is_measured_and_all_else_is_the_same(data):
    (some, kept), (every, held) = (
        carried(data, given(4, 4, 2), measures=measures) for measures in (False, True)
    )
    for mine, theirs in zip(some, every, strict=True):
        assert mine.status is theirs.status is OutcomeStatus.DONE
        # On a busy machine the two may be computed in unlike ways, chosen by the clock.
        assert dict(mine.metrics[-1]) == pytest.approx(dict(theirs.metrics[-1]), rel=1e-4)
        measured = ["log_loss" in row for row in mine.metrics]
        # What ends in the second epoch has all rows measured there.
        assert measured == [False, True, False, True][: len(measured)]
        one, same = kept.read(mine.state)[0], held.read(theirs.state)[0]
        for name, array in same.items():
            np.testing.assert_allclose(one[name], array, rtol=1e-4, atol=1e-6)


def test_what_is_stopped_in_between_has_its_predictions_all_the_same(data):
    def stop_in_the_third_epoch():
        calls = iter(range(10**6))
        return lambda: next(calls) > 10

    (some, kept), (every, held) = (
        carried(data, given(4, 4), stop=stop_in_the_third_epoch(), measures=measures)
        for measures in (False, True)
    )
    for mine, theirs in zip(some, every, strict=True):
        assert mine.status is theirs.status is OutcomeStatus.STOPPED
        length = min(len(mine.metrics), len(theirs.metrics))
        assert length >= 1
        if len(mine.metrics) == len(theirs.metrics):
            one, same = (s.read(o.predictions)[0] for s, o in ((kept, mine), (held, theirs)))
            for name, array in same.items():
                np.testing.assert_allclose(one[name], array, rtol=1e-4, atol=1e-6)


def test_a_trial_that_watches_its_metric_is_measured_every_epoch(data):
    (outcome,), _ = carried(data, given(4, early_stopping=3), measures=False)
    assert all("log_loss" in row for row in outcome.metrics)
