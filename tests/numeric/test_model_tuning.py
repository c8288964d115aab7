"""Knobs that tune themselves in a model that is trained alone: as the row of a stack."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

from knob_cases import CASES, EPOCHS, alike, case, table, train
from ripieno.hypergradient import KnobTuner
from ripieno.population import PopulationRunner
from ripieno.recipes import Data, Recipe, TrainerRunner
from ripieno.records import Config, tuned_of

BESIDE = {
    "class weights": "label_smoothing+mixup+weight_decay",
    "decay by layer": "lr+input_noise",
    "delta of huber": "weight_decay+l1+mixup",
    "images": "class_weights+mixup+weight_decay_per_parameter",
}


def beside(name, **values):
    """A case with more that tunes itself."""
    recipe, data, config = case(name)
    names = "+".join(filter(None, [config["hypergradient"], BESIDE.get(name)]))
    return recipe, data, Config({**config, "hypergradient": names, "schedule": "cosine", **values})


@pytest.mark.parametrize("tier", ["auto", "vmap"])
@pytest.mark.parametrize("name", CASES)
def test_a_model_alone_is_tuned_as_the_row_of_a_stack(name, tier):
    recipe, data, config = beside(name)
    configs = [config, Config({**config, "lr": 0.03})]
    stack = train(PopulationRunner(recipe, data, 3, tier=tier, tuner=KnobTuner()), configs, EPOCHS)
    alone = train(TrainerRunner(recipe, data, 3, tuner=KnobTuner()), configs, EPOCHS)
    for found, others in zip(stack, alone, strict=True):
        alike(found, others)


@pytest.mark.parametrize("name", ["class weights", "decay by layer", "images"])
def test_orders_of_a_model_alone_end_and_go_on_bit_for_bit_and_in_a_stack_too(name):
    recipe, data, config = beside(name)
    trainer = TrainerRunner(recipe, data, 3, tuner=KnobTuner())
    ((rows, arrays),) = train(trainer, [config], EPOCHS)
    ((others, theirs),) = train(trainer, [config], 1, 3, EPOCHS)
    assert rows == others
    for key, array in arrays.items():
        assert array.tobytes() == theirs[key].tobytes(), key
    ((loop, _),) = train(PopulationRunner(recipe, data, 3, tier="loop", tuner=KnobTuner()),
                         [config], EPOCHS)  # fmt: skip
    assert loop == rows


def test_each_fold_alone_is_tuned_as_in_a_stack():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(91, 6)).astype(np.float32)
    y = (x[:, :3].sum(1) + rng.normal(size=91) > 0).astype(int)
    data = Data.from_arrays(x, y, seed=0, test_share=0, folds=3)
    recipe, _, config = beside("class weights")
    (stack,) = train(PopulationRunner(recipe, data, 3, tuner=KnobTuner()), [config], 3)
    (alone,) = train(TrainerRunner(recipe, data, 3, tuner=KnobTuner()), [config], 3)
    alike(stack, alone)


@pytest.mark.parametrize("optimizer", ["torch.optim.Adamax", "mine"])
def test_an_optimizer_without_a_stacked_form_trains_knobs_that_tune_themselves(optimizer):
    recipe, data, config = beside("class weights", optimizer=optimizer)
    recipe = replace(recipe, optimizers={"mine": torch.optim.SGD})
    ((rows, arrays),) = train(PopulationRunner(recipe, data, tuner=KnobTuner()), [config], EPOCHS)
    ((_, theirs),) = train(PopulationRunner(recipe, data, tuner=KnobTuner()), [config], 2, EPOCHS)
    first, last = tuned_of(rows[0]), tuned_of(rows[-1])
    assert all(first[name] != last[name] for name in last)
    assert all(array.tobytes() == theirs[key].tobytes() for key, array in arrays.items())


class Recurrent(nn.Module):
    """What vmap cannot run."""

    def __init__(self):
        super().__init__()
        self.lstm, self.head = nn.LSTM(1, 5, batch_first=True), nn.Linear(5, 2)

    def forward(self, x):
        return self.head(self.lstm(x.unsqueeze(-1))[0][:, -1])


def test_a_model_that_cannot_be_stacked_tunes_its_knobs_alone():
    recipe, data = Recipe(lambda _: Recurrent(), epochs=3, dtype="float64"), table()
    config = Config({"optimizer": "adam", "lr": 0.01, "batch_size": 16,
                     "hypergradient": "class_weights+weight_decay_per_layer"})  # fmt: skip
    ((rows, _),) = train(PopulationRunner(recipe, data, tuner=KnobTuner()), [config], 3)
    first, last = tuned_of(rows[0]), tuned_of(rows[-1])
    assert set(last) >= {"weight_decay_per_layer[lstm]", "weight_decay_per_layer[head]"}
    assert all(first[name] != last[name] for name in last)
