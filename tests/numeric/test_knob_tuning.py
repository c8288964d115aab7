"""Knobs that tune themselves on the validation part, in the trials of a study."""

import numpy as np
import pytest
import torch
from torch import nn

from knob_cases import alike, train
from ripieno.errors import RecipeError
from ripieno.hypergradient import Implicit, KnobTuner, Tuning, tune_online
from ripieno.ledger import MemoryArtifacts
from ripieno.population import PopulationRunner
from ripieno.recipes import Data, Recipe, State, TrainerRunner, complete
from ripieno.recipes.tunable import refuse_alone
from ripieno.records import Config, Order, OutcomeStatus, tuned_of

EPOCHS = 5
NAMES = ("weight_decay", "label_smoothing")


@pytest.fixture(scope="module")
def data():
    """80 rows to train on, 5 steps of 16, and fewer to validate on than one draw takes."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(140, 6)).astype(np.float32)
    y = (x[:, :3].sum(1) + rng.normal(size=140) > 0).astype(int)
    return Data.from_arrays(x, y, seed=0, test_share=0, validation_share=60 / 140)


def model(config):
    return nn.Sequential(nn.Linear(6, 12), nn.Tanh(), nn.Dropout(0.1), nn.Linear(12, 2))


def config(**values):
    tuned = {"hypergradient": "+".join(NAMES), "weight_decay": 1e-2, "label_smoothing": 0.1}
    return Config({"optimizer": "adam", "lr": 0.01, "batch_size": 16, **tuned, **values})


def runner(data, *, seeds=1, **options):
    recipe = Recipe(model, epochs=EPOCHS, dtype="float64")
    return PopulationRunner(recipe, data, 3, seeds=seeds, tuner=KnobTuner(), **options)


def test_the_slope_is_that_of_a_ridge_regression():
    rng = torch.Generator().manual_seed(0)
    x, other = (torch.randn(2, 9, 4, generator=rng, dtype=torch.float64) for _ in range(2))
    y, target = (torch.randn(2, 9, generator=rng, dtype=torch.float64) for _ in range(2))
    first, moved = torch.tensor([0.3, 0.02]).double(), torch.tensor([0.5, -0.7]).double()
    decay = first * moved.exp()
    hessian = x.mT @ x + decay[:, None, None] * torch.eye(4, dtype=torch.float64)
    w = torch.linalg.solve(hessian, (x.mT @ y.unsqueeze(2))).squeeze(2)

    def train_loss(params, hyper):
        own = tuner.values({"weight_decay": first}, hyper)["weight_decay"]
        fit = ((x @ params["w"].unsqueeze(2)).squeeze(2) - y).square().sum(1)
        return 0.5 * fit + 0.5 * own * params["w"].square().sum(1)

    def validation_loss(params, _):
        return 0.5 * ((other @ params["w"].unsqueeze(2)).squeeze(2) - target).square().sum(1)

    tuner = KnobTuner(Implicit(iterations=20))
    slopes, useless = tuner.slopes(
        train_loss, validation_loss, params={"w": w}, moved={"weight_decay": moved}
    )
    residual = (other @ w.unsqueeze(2)).squeeze(2) - target
    gradient = (other.mT @ residual.unsqueeze(2)).squeeze(2)
    # dV/d log(decay) = -decay w' H^-1 dV/dw
    wanted = -decay * (w * torch.linalg.solve(hessian, gradient.unsqueeze(2)).squeeze(2)).sum(1)
    assert not useless.any()
    torch.testing.assert_close(slopes["weight_decay"], wanted, rtol=1e-8, atol=1e-10)


def test_a_trial_is_tuned_as_a_run_of_its_own(data):
    """``tune_online`` has the penalty in its loss, and torch's Adam for the knobs."""
    configs = [config(lr=lr) for lr in (0.003, 0.03)]
    found = train(runner(data), configs, EPOCHS)
    plain = [Config({**own, "hypergradient": "off"}) for own in configs]
    recipe = Recipe(model, epochs=EPOCHS, dtype="float64")
    wanted = tune_online(recipe, data, plain, tuning=Tuning(NAMES, every=5), seed=3)
    for row, (metrics, arrays) in enumerate(found):
        for epoch, values in zip(metrics, wanted.values, strict=True):
            own = {name: float(values[name][row]) for name in NAMES}
            assert tuned_of(epoch) == pytest.approx(own, rel=1e-6)
        state = State.from_arrays(arrays)
        for name, value in wanted.states[row].model.items():
            torch.testing.assert_close(state.model[name], value, rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("tier", ["traced", "leaves", "vmap"])
def test_orders_end_and_go_on_and_rows_are_alone_in_every_tier(data, tier):
    names = "lr+weight_decay+label_smoothing+input_noise+l1"
    configs = [config(lr=lr, hypergradient=names, schedule="cosine") for lr in (0.003, 0.03)]
    whole = train(runner(data, tier=tier), configs, EPOCHS)
    parts = train(runner(data, tier=tier), configs, 1, 3, EPOCHS)
    for found, others in zip(whole, parts, strict=True):
        alike(found, others)
    alone = train(runner(data, tier=tier), configs[1:], EPOCHS, trials=[1])
    assert alone[0][0][-1] == pytest.approx(dict(whole[1][0][-1]), rel=1e-7)
    first, last = whole[0][0][0], whole[0][0][-1]
    assert len(tuned_of(last)) == 5
    assert all(first[name] != last[name] for name in last if name.startswith("tuned_"))


def test_each_fold_is_tuned_on_its_own_validation_part():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(90, 6)).astype(np.float32)
    y = (x[:, :3].sum(1) + rng.normal(size=90) > 0).astype(int)
    data = Data.from_arrays(x, y, seed=0, test_share=0, folds=3)
    ((rows, arrays),) = train(runner(data), [config()], 3)
    names = [f"optimizer/replica-{fold}/0.weight/tuned_weight_decay" for fold in range(3)]
    became = {float(arrays[name]) for name in names}
    assert len(became) == 3
    wanted = np.mean([1e-2 * np.exp(each) for each in became])
    assert rows[-1]["tuned_weight_decay"] == pytest.approx(wanted)


def test_a_knob_that_harms_goes_down_and_one_that_helps_goes_up():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 30)).astype(np.float32)
    clean = (x[:, 0] > 0).astype(int)
    noisy = np.where(rng.random(200) < 0.35, 1 - clean, clean)
    options = {"seed": 0, "test_share": 0, "validation_share": 0.5}
    helped = Recipe(lambda _: nn.Linear(30, 2), epochs=20)
    ends = []
    for y, decay in ((clean, 0.5), (noisy, 1e-4)):
        data = Data.from_arrays(x, y, **options)
        made = PopulationRunner(helped, data, tuner=KnobTuner())
        own = config(hypergradient="weight_decay", weight_decay=decay, label_smoothing=0.0, lr=0.05)
        ((rows, _),) = train(made, [own], 20)
        ends.append(rows[-1]["tuned_weight_decay"])
    assert ends[0] < 0.4
    assert ends[1] > 2e-4


def refused(runner, own):
    (outcome,) = runner.run([Order(0, own, 0, 2)], MemoryArtifacts(), lambda: False)
    assert outcome.status is OutcomeStatus.FAILED
    return outcome.error


def test_what_cannot_tune_itself_says_why(data):
    recipe = Recipe(model, epochs=EPOCHS)
    made = runner(data)
    assert "the weight decay of 'adamw' is no part of the loss" in refused(
        made, config(optimizer="adamw")
    )
    assert "the loss 'focal' does not read 'label_smoothing'" in refused(made, config(loss="focal"))
    assert "the runner has no tuner" in refused(TrainerRunner(recipe, data), config())
    assert "the runner has no tuner" in refused(PopulationRunner(recipe, data), config())
    free = config(optimizer="prodigy", decoupled_weight_decay=False)
    assert "answers with other weights" in refused(made, free)
    with pytest.raises(RecipeError, match="2 devices train a model together"):
        refuse_alone(complete(recipe, data), config(), tuner=KnobTuner(), devices=2)
