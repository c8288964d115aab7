import numpy as np
import pytest
from torch import nn

from ripieno.ledger import MemoryArtifacts
from ripieno.recipes import COSTS, CostRunner, Data, Recipe, TrainerRunner, costs, fine_tune
from ripieno.records import Config, Order, OutcomeStatus


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    return Data.from_arrays(rng.normal(size=(60, 3)).astype(np.float32), np.arange(60) % 2)


def model(config):
    return nn.Sequential(nn.Linear(3, config.width), nn.ReLU(), nn.Linear(config.width, 2))


def test_parameters_and_operations_are_counted(data):
    found = costs(Recipe(model=model), data, Config({"width": 5}), names=("parameters", "flops"))
    assert found == {"parameters": 3 * 5 + 5 + 5 * 2 + 2, "flops": 2 * (3 * 5 + 5 * 2)}


def test_a_latency_is_a_positive_time_and_every_cost_has_a_name(data):
    found = costs(Recipe(model=model), data, Config({"width": 5}), names=tuple(COSTS))
    assert list(found) == ["parameters", "flops", "latency_ms"]
    assert 0.0 < found["latency_ms"] < 10_000.0


def test_a_frozen_backbone_counts_as_what_a_prediction_needs(data):
    backbone = nn.Sequential(nn.Linear(3, 7), nn.ReLU())
    recipe = fine_tune(data, backbone)
    config = recipe.space.default() if recipe.space is not None else Config({})
    found = costs(recipe, data, Config({**config, "unfrozen": 0}), names=("parameters",))
    assert found["parameters"] == 3 * 7 + 7 + 7 * 2 + 2


def run(recipe, data, config, names):
    runner = CostRunner(TrainerRunner(recipe, data), recipe, data, names)
    (outcome,) = runner.run([Order(0, config, 0, 2)], MemoryArtifacts(), lambda: False)
    return outcome


def test_costs_stand_in_every_row_and_change_nothing_else(data):
    recipe, config = Recipe(model=model, epochs=2), Config({"width": 5})
    outcome = run(recipe, data, config, ("parameters",))
    (plain,) = TrainerRunner(recipe, data).run(
        [Order(0, config, 0, 2)], MemoryArtifacts(), lambda: False
    )
    assert [row["parameters"] for row in outcome.metrics] == [32.0, 32.0]
    stripped = [{n: v for n, v in row.items() if n != "parameters"} for row in outcome.metrics]
    assert stripped == list(map(dict, plain.metrics))
    assert (outcome.status, outcome.state) == (plain.status, plain.state)


def test_a_model_that_cannot_be_measured_is_a_failed_trial(data):
    class Restless(nn.Sequential):
        def forward(self, x):
            if not self.training and len(x) == 1:
                raise ValueError("no single rows")
            return super().forward(x)

    recipe = Recipe(model=lambda config: Restless(nn.Linear(3, 2)), epochs=2)
    outcome = run(recipe, data, Config({"lr": 0.1}), ("latency_ms",))
    assert outcome.status is OutcomeStatus.FAILED
    assert "no single rows" in outcome.error
    assert outcome.metrics == ()
