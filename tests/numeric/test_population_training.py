"""Mother test 1 for every optimizer, schedule and regulariser: a row is what the trainer trains."""

import numpy as np
import pytest
import torch
from torch import nn

import ripieno as rp
from ripieno.ledger import MemoryArtifacts
from ripieno.population import PopulationRunner
from ripieno.recipes import (
    Data,
    FineTune,
    Recipe,
    State,
    TrainerRunner,
    predict_probabilities,
    split_state,
)
from ripieno.records import Order, OutcomeStatus

EPOCHS = 4

CASES = {
    "adagrad, restarts": {"optimizer": "adagrad", "lr": 0.05, "schedule": "cosine_restarts",
                          "schedule_period": 1.0, "schedule_period_mult": 2},
    "adadelta, step": {"optimizer": "adadelta", "lr": 1.0, "rho": 0.8, "schedule": "step",
                       "schedule_period": 2.0},
    "nadam, one cycle": {"optimizer": "nadam", "lr": 0.01, "momentum_decay": 0.01,
                         "schedule": "one_cycle"},
    "radam, plateau": {"optimizer": "radam", "lr": 0.05, "beta2": 0.9, "schedule": "plateau",
                       "schedule_patience": 0, "schedule_gamma": 0.5},
    "lion, decoupled": {"optimizer": "lion", "lr": 0.003, "weight_decay": 0.1},
    "muon": {"optimizer": "muon", "lr": 0.02, "weight_decay": 0.01},
    "adam, decoupled": {"optimizer": "adam", "lr": 0.01, "weight_decay": 0.1,
                        "decoupled_weight_decay": True},
    "rmsprop, online": {"optimizer": "rmsprop", "lr": 0.01, "hypergradient": "lr",
                        "hypergradient_strength": 0.3, "schedule": "cosine"},
    "nadam, online and additive": {"optimizer": "nadam", "lr": 0.01,
                                   "hypergradient": "lr_additive"},
    "adamw, coupled": {"optimizer": "adamw", "lr": 0.01, "weight_decay": 0.1,
                       "decoupled_weight_decay": False},
}  # fmt: skip
REGULARISERS = {
    "norms and values": {"max_norm": (0.5, 0.0, 1.0), "gradient_clip_value": (0.01, 0.1, 0.0)},
    "mixup": {"mixup": (0.4, 0.0, 1.0), "label_smoothing": (0.1, 0.0, 0.0),
              "class_weights": ("balanced", None, None)},
    "cutmix and noise": {"cutmix": (1.0, 0.0, 0.5), "input_noise": (0.0, 0.3, 0.1)},
    "all at once": {"mixup": (0.4, 0.2, 0.0), "cutmix": (1.0, 0.0, 0.5), "max_norm": 1.0,
                    "input_noise": 0.1, "l1": 1e-4, "weight_decay": 1e-3},
    "online, off the cliff": {"hypergradient": "lr", "lr": (1e-3, 0.1, 30.0), "mixup": 0.2,
                              "max_norm": 1.0, "gradient_clip": 0.5},
    "best epoch": {"restore": ("best", "last", "best"), "lr": (0.3, 0.1, 0.2)},
    "early stopping": {"early_stopping": (1, 0, 2), "lr": (0.5, 0.1, 0.3)},
}  # fmt: skip


@pytest.fixture(scope="module")
def data() -> Data:
    """Rows that leave a short last batch: 77 = 4 * 16 + 13."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(129, 1, 6, 6)).astype(np.float32)
    y = (x[:, 0, :3].sum(axis=(1, 2)) > x[:, 0, 3:].sum(axis=(1, 2))).astype(int)
    return Data.from_arrays(x, y, seed=0)


def cnn(config):
    # No bias before a batch norm: its gradient is rounding alone, which Adagrad and the sign
    # of Lion would blow up to steps of full size.
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout2d(0.2), nn.Flatten(), nn.Linear(36, 8), nn.Tanh(), nn.Linear(8, 2),
    )  # fmt: skip


def configs(knobs, rows=3):
    """Return configs of which row ``i`` has number ``i`` of every tuple."""
    shared = {"optimizer": "sgd", "momentum": 0.9, "lr": 0.05, "batch_size": 16, **knobs}
    return [
        rp.Config({n: v[row] if isinstance(v, tuple) else v for n, v in shared.items()})
        for row in range(rows)
    ]


def train(runner, orders, store):
    outcomes = {o.order.trial: o for o in runner.run(orders, store, lambda: False)}
    return [outcomes[order.trial] for order in orders]


def agree(outcome, wanted, stores):
    """Compare two outcomes: rows of metrics, every stored array, every prediction."""
    assert outcome.status is wanted.status is OutcomeStatus.DONE
    assert len(outcome.metrics) == len(wanted.metrics)
    for row, other in zip(outcome.metrics, wanted.metrics, strict=True):
        assert row == pytest.approx(dict(other), rel=1e-8, abs=1e-10)
    if not wanted.metrics:
        assert outcome.predictions is wanted.predictions is None
        return
    got, expected = (s.read(o.state)[0] for o, s in zip((outcome, wanted), stores, strict=True))
    assert set(got) == set(expected)
    for name, array in expected.items():
        tolerance = 1e-6 if array.dtype == np.float32 else 1e-7
        np.testing.assert_allclose(got[name], array, rtol=tolerance, atol=1e-9, err_msg=name)
    mine, theirs = (
        s.read(o.predictions)[0]["probabilities"]
        for o, s in zip((outcome, wanted), stores, strict=True)
    )
    np.testing.assert_allclose(mine, theirs, rtol=1e-5, atol=1e-7)


def compare(made, data, *, tier, recipe=None, ends=(EPOCHS,)):
    recipe = recipe or Recipe(cnn, epochs=EPOCHS, dtype="float64")
    stores = (MemoryArtifacts(), MemoryArtifacts())
    runners = (PopulationRunner(recipe, data, 3, tier=tier), TrainerRunner(recipe, data, 3))
    keys = [[None] * len(made)] * 2
    start = 0
    for stop in ends:
        results = []
        for side, (runner, store) in enumerate(zip(runners, stores, strict=True)):
            orders = [Order(t, c, start, stop, state=keys[side][t]) for t, c in enumerate(made)]
            results.append(train(runner, orders, store))
            keys[side] = [outcome.state for outcome in results[-1]]
        for mine, theirs in zip(*results, strict=True):
            agree(mine, theirs, stores)
        start = stop
    return results[0]


@pytest.mark.parametrize("tier", ["traced", "leaves"])
@pytest.mark.parametrize("case", CASES)
def test_every_optimizer_and_schedule_gives_the_trainers_numbers(case, tier, data):
    knobs = {**CASES[case], "warmup_epochs": (0.0, 1.0, 0.5)}
    knobs["lr"] = tuple(knobs["lr"] * factor for factor in (1.0, 0.5, 2.0))
    got = compare(configs(knobs), data, tier=tier, ends=(2, EPOCHS))
    assert all(outcome.notes.startswith(f"3 rows; {tier}") for outcome in got)


@pytest.mark.parametrize("tier", ["traced", "leaves"])
@pytest.mark.parametrize("case", REGULARISERS)
def test_every_regulariser_gives_the_trainers_numbers(case, tier, data):
    got = compare(configs(REGULARISERS[case]), data, tier=tier, ends=(1, 3, EPOCHS))
    assert all(f"rows; {tier}" in outcome.notes for outcome in got)


class Branching(nn.Module):
    """Asks its data which way to go: no stack can follow."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(36, 2), nn.Linear(36, 2)

    def forward(self, x):
        x = x.flatten(1)
        return self.one(x) if x.sum() > 0 else self.two(x)


@pytest.mark.parametrize("case", REGULARISERS)
def test_a_model_that_cannot_be_stacked_has_the_trainers_numbers_too(case, data):
    recipe = Recipe(lambda config: Branching(), epochs=EPOCHS, dtype="float64")
    got = compare(configs(REGULARISERS[case]), data, tier="traced", recipe=recipe, ends=(1, EPOCHS))
    assert all("rows; loop: " in outcome.notes for outcome in got)


@pytest.mark.slow
def test_muon_rounds_alike_where_it_is_compiled(data):
    """It computes in bfloat16, where a rounding that is left out shows."""
    got = compare(configs(CASES["muon"]), data, tier="compiled")
    assert all("compiled" in outcome.notes for outcome in got)


def test_rows_stop_early_each_for_itself(data):
    recipe = Recipe(cnn, epochs=30, dtype="float64")
    made = configs({"early_stopping": (2, 3, 0), "lr": (0.5, 0.2, 0.1)})
    got = compare(made, data, tier="traced", recipe=recipe, ends=(12,))
    assert got[2].reached == 12
    assert min(outcome.reached for outcome in got[:2]) < 12
    early = next(outcome for outcome in got if outcome.reached < 12)
    assert "stopped early: no better log_loss for" in early.notes


@pytest.mark.parametrize("tier", ["traced", "leaves"])
def test_a_trial_of_several_models_stops_and_answers_as_one(tier, data):
    x = np.concatenate([data.train.x, data.validation.x])[:, 0]
    y = np.concatenate([data.train.y, data.validation.y])
    folds = Data.from_arrays(x, y, folds=3, test_share=0, seed=0)
    recipe = Recipe(cnn, epochs=30, dtype="float64")
    made = configs({"early_stopping": (2, 0, 0), "restore": ("last", "best", "last"),
                    "lr": (0.5, 0.3, 0.5), "schedule": ("constant", "constant", "plateau"),
                    "schedule_patience": 0})  # fmt: skip
    got = compare(made, folds, tier=tier, recipe=recipe, ends=(4, 9))
    stopped, best, plateau = got
    assert "stopped early: no better log_loss for 2 epochs" in stopped.notes
    store = MemoryArtifacts()
    trainer = TrainerRunner(recipe, folds, 3)
    (whole,) = train(trainer, [Order(1, made[1], 0, 9)], store)
    assert best.metrics[-1] == pytest.approx(dict(whole.metrics[-1]), rel=1e-8)
    losses = [row["last_log_loss"] for row in whole.metrics]
    last = whole.metrics[-1]
    assert last["log_loss"] == min(losses)
    assert last["best_epoch"] == 1 + int(np.argmin(losses)) < 9
    # Every model answers with the same epoch, and the predictions are out of fold.
    state = State.from_arrays(store.read(whole.state)[0], epoch=9)
    answers = []
    for part, own in zip(folds.parts, split_state(state, 3), strict=True):
        model = cnn(made[1]).double()
        own.load_into(model)
        answers.append(predict_probabilities(model, part.validation.x))
    stored = store.read(whole.predictions)[0]["probabilities"]
    np.testing.assert_allclose(folds.folds.out_of_fold(answers), stored, rtol=1e-5, atol=1e-7)
    assert plateau.metrics[-1]["learning_rate"] < 0.5


def test_folds_have_features_of_their_own(data):
    folds = Data.from_arrays(data.train.x[:, 0], data.train.y, folds=2, test_share=0, seed=0)
    recipe = Recipe(FineTune(backbone(), 2, data.shape), epochs=EPOCHS, dtype="float64")
    compare(configs({"unfrozen": (0, 0, 0)}), folds, tier="leaves", recipe=recipe)


def test_what_no_row_uses_is_not_in_the_numbers(data):
    """Strengths of zero leave every bit as it is without them."""
    zeros = {"mixup": 0.0, "cutmix": 0.0, "input_noise": 0.0, "max_norm": 0.0,
             "gradient_clip_value": 0.0, "early_stopping": 0, "restore": "last",
             "backbone_lr": 1.0, "layer_decay": 1.0}  # fmt: skip
    recipe = Recipe(cnn, epochs=EPOCHS)
    stacked = PopulationRunner(recipe, data, 3, tier="leaves")
    for runner in (TrainerRunner(recipe, data, 3), stacked):
        arrays = []
        for knobs in ({}, zeros):
            store = MemoryArtifacts()
            orders = [Order(t, c, 0, 2) for t, c in enumerate(configs(knobs, rows=2))]
            arrays.append([store.read(o.state)[0] for o in train(runner, orders, store)])
        for left, right in zip(*arrays, strict=True):
            assert left.keys() == right.keys()
            assert all(left[name].tobytes() == right[name].tobytes() for name in left)


def backbone():
    torch.manual_seed(5)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(),
        nn.Conv2d(4, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Conv2d(4, 6, 3), nn.ReLU(),
    )  # fmt: skip


class Wrapped(nn.Module):
    """A backbone whose forward is its own."""

    def __init__(self):
        super().__init__()
        self.layers = backbone()

    def forward(self, x):
        return self.layers(x).mean((2, 3))


@pytest.mark.parametrize("unfrozen", [0, 2, 5])
def test_a_fine_tuned_backbone_is_trained_by_the_stack_as_by_the_trainer(unfrozen, data):
    recipe = Recipe(FineTune(backbone(), 2, data.shape), epochs=EPOCHS, dtype="float64")
    knobs = {"unfrozen": unfrozen, "dropout": 0.2, "lr": (0.05, 0.1, 0.02)}
    if unfrozen:
        knobs |= {"backbone_lr": (0.1, 1.0, 0.5), "layer_decay": (0.5, 1.0, 0.9)}
    got = compare(configs(knobs), data, tier="traced", recipe=recipe, ends=(2, EPOCHS))
    assert all(outcome.notes.startswith("3 rows; traced") for outcome in got)


def test_a_partly_frozen_backbone_of_ones_own_is_trained_by_the_stack_as_by_the_trainer(data):
    blocks = tuple(f"layers.{i}" for i in (0, 1, 3, 4, 7))
    factory = FineTune(Wrapped(), 2, data.shape, blocks=blocks)
    recipe = Recipe(factory, epochs=EPOCHS, dtype="float64")
    knobs = {"unfrozen": 2, "backbone_lr": 0.3, "layer_decay": (0.5, 1.0, 0.9)}
    compare(configs(knobs), data, tier="traced", recipe=recipe, ends=(2, EPOCHS))
