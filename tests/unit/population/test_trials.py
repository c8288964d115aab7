import numpy as np
import pytest
from torch import nn

import ripieno as rp
from ripieno.ledger import MemoryArtifacts
from ripieno.population import PopulationRunner
from ripieno.population.group import Group
from ripieno.recipes import Data, Recipe
from ripieno.records import Order, OutcomeStatus


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4))
    return Data.from_arrays(x, (x[:, 0] > 0).astype(int), test_share=0, folds=3)


def orders(count):
    return [Order(trial, rp.Config({"lr": 0.01}), 0, 1) for trial in range(count)]


def carry_out(data, count, **options):
    runner = PopulationRunner(Recipe(model=lambda config: nn.Linear(4, 2)), data, **options)
    return {
        o.order.trial: o for o in runner.run(orders(count), MemoryArtifacts(), lambda: False)
    }  # fmt: skip


def test_the_models_of_one_trial_are_rows_of_one_stack(data):
    (outcome,) = carry_out(data, 1, tier="leaves").values()
    assert outcome.notes == "3 rows; leaves: forced"
    many = carry_out(data, 4, tier="leaves", seeds=2, width=12)
    assert {outcome.notes for outcome in many.values()} == {"12 rows; leaves: forced"}


def test_a_trial_wider_than_the_stack_is_a_stack_of_its_own(data):
    found = carry_out(data, 2, tier="leaves", seeds=2, width=4)
    assert {outcome.notes for outcome in found.values()} == {"6 rows; leaves: forced"}


@pytest.mark.parametrize(("width", "orders"), [(32, 5), (6, 1), (2, 1)])
def test_the_width_counts_models(data, width, orders):
    runner = PopulationRunner(
        Recipe(model=lambda config: nn.Linear(4, 2)), data, seeds=2, width=width
    )
    assert runner.width == orders


def test_a_trial_that_does_not_fit_is_trained_one_model_after_the_other(data, monkeypatch):
    wanted = carry_out(data, 1, tier="loop")[0]

    def train(self, stop):
        raise MemoryError

    monkeypatch.setattr(Group, "train", train)
    found = carry_out(data, 2, tier="leaves")
    assert [found[trial].status for trial in range(2)] == [OutcomeStatus.DONE] * 2
    assert found[0].metrics == wanted.metrics
