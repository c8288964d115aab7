"""Folds and seeds: a trial's numbers are those of its models, trained by hand one by one."""

import statistics
from dataclasses import replace

import numpy as np
import pytest
from torch import nn

import ripieno as rp
from ripieno.ledger import MemoryArtifacts
from ripieno.population import PopulationRunner
from ripieno.recipes import (
    Data,
    Preprocess,
    Recipe,
    Split,
    State,
    TrainerRunner,
    build_model,
    draws,
    predict_probabilities,
    split_state,
)  # fmt: skip
from ripieno.records import Order, OutcomeStatus

FOLDS, SEEDS, EPOCHS, ROWS = 3, 2, 3, 101
STUDY_SEED, TRIAL = 3, 5
MEASURED = ("log_loss", "accuracy")


@pytest.fixture(scope="module")
def arrays():
    """Rows that three folds do not divide: training parts of 67, 67 and 68."""
    rng = np.random.default_rng(0)
    x = rng.normal(4.0, 3.0, size=(ROWS, 5))
    return x, (x[:, 0] + rng.normal(size=ROWS) > 4.5).astype(int)


@pytest.fixture(scope="module")
def data(arrays):
    return Data.from_arrays(*arrays, test_share=0, folds=FOLDS)


def net(config):
    return nn.Sequential(
        nn.Linear(5, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Dropout(config.dropout), nn.Linear(6, 2)
    )


def config(row=0, **values):
    return rp.Config({
        "dropout": 0.1 + 0.1 * row, "lr": 0.02 / (row + 1), "batch_size": 16, "optimizer": "adam",
        "schedule": "cosine", "class_weights": "balanced" if row % 2 else None, **values,
    })  # fmt: skip


def recipe(dtype="float32", **fields):
    return Recipe(model=net, epochs=EPOCHS, dtype=dtype, **fields)


def carry_out(runner, orders, store, stop=lambda: False):
    outcomes = {o.order.trial: o for o in runner.run(orders, store, stop)}
    return [outcomes[order.trial] for order in orders]


def engines(made, data, tier="leaves"):
    """Return a stack and the trainer for the same trials."""
    return (
        PopulationRunner(made, data, STUDY_SEED, seeds=SEEDS, tier=tier),
        TrainerRunner(made, data, STUDY_SEED, SEEDS),
    )


def by_hand(arrays, data, number, *, epochs=EPOCHS, dtype="float32", **values):
    """Train replica ``number`` as a trial of its own, on data that are split by hand.

    Returns its outcome, its probabilities on its fold and its state.
    """
    x, y = arrays
    held = data.folds.rows[number % FOLDS]
    others = np.setdiff1d(np.arange(ROWS), held)
    preprocess = Preprocess.fit(x[others])
    split = Data(
        train=Split(preprocess.apply(x[others]), y[others]),
        validation=Split(preprocess.apply(x[held]), y[held]),
        test=None, classes=data.classes, preprocess=preprocess, name="fold", fingerprint="",
    )  # fmt: skip
    # Replica 0 has the trial's seed; the others' seeds are those of trials of another study.
    seed, trial = STUDY_SEED, TRIAL
    if number:
        own = draws.trial_seed(STUDY_SEED, TRIAL)
        seed, trial = draws.fold(own, draws.Purpose.REPLICA), number
    store = MemoryArtifacts()
    runner = TrainerRunner(recipe(dtype, epoch_rows=67), split, seed)
    (outcome,) = carry_out(runner, [Order(trial, config(**values), 0, epochs)], store)
    state = store.read(outcome.state)[0]
    return outcome, store.read(outcome.predictions)[0]["probabilities"], state


def test_a_trial_of_folds_and_seeds_is_its_models_trained_by_hand(arrays, data):
    store = MemoryArtifacts()
    runner = TrainerRunner(recipe(), data, STUDY_SEED, SEEDS)
    (outcome,) = carry_out(runner, [Order(TRIAL, config(), 0, EPOCHS)], store)
    models = [by_hand(arrays, data, number) for number in range(FOLDS * SEEDS)]

    for epoch, row in enumerate(outcome.metrics):
        own = [made[0].metrics[epoch] for made in models]
        assert list(row) == [
            "train_loss", "log_loss", "log_loss_spread", "accuracy", "accuracy_spread",
            "learning_rate",
        ]  # fmt: skip
        for name in ("train_loss", *MEASURED):
            assert row[name] == statistics.fmean(each[name] for each in own)
        for name in MEASURED:
            spread = np.std([each[name] for each in own], ddof=1)
            assert row[f"{name}_spread"] == pytest.approx(spread, rel=1e-12)
        assert row["learning_rate"] == own[0]["learning_rate"]

    stored = State.from_arrays(store.read(outcome.state)[0], epoch=EPOCHS)
    for state, (_, _, wanted) in zip(split_state(stored, FOLDS * SEEDS), models, strict=True):
        found = state.to_arrays()
        assert found.keys() == wanted.keys()
        assert all(found[name].tobytes() == wanted[name].tobytes() for name in wanted)

    out_of_fold = np.empty((ROWS, 2), dtype=np.float32)
    for fold, rows in enumerate(data.folds.rows):
        first, second = (models[fold + FOLDS * repeat][1] for repeat in range(SEEDS))
        out_of_fold[rows] = (first.astype(np.float64) + second) / 2
    arrays_there, facts = store.read(outcome.predictions)
    assert arrays_there["probabilities"].tobytes() == out_of_fold.tobytes()
    assert facts["fingerprint"] == data.fingerprint


def test_one_seed_leaves_every_row_the_prediction_of_the_model_that_did_not_see_it(arrays, data):
    store = MemoryArtifacts()
    runner = TrainerRunner(recipe(), data, STUDY_SEED)
    (outcome,) = carry_out(runner, [Order(TRIAL, config(), 0, EPOCHS)], store)
    stored = State.from_arrays(store.read(outcome.state)[0], epoch=EPOCHS)
    found = store.read(outcome.predictions)[0]["probabilities"]
    for fold, (state, rows) in enumerate(
        zip(split_state(stored, FOLDS), data.folds.rows, strict=True)
    ):
        module = build_model(recipe(), config(), 0)
        state.load_into(module)
        # From the raw rows, with nothing but the fold's own preprocessing.
        x = data.folds.parts[fold].preprocess.apply(arrays[0][rows])
        assert np.array_equal(found[rows], predict_probabilities(module, x))


def test_more_seeds_add_models_to_those_that_one_seed_trains(arrays):
    single = Data.from_arrays(*arrays, test_share=0)
    stores = MemoryArtifacts(), MemoryArtifacts()
    order = Order(TRIAL, config(), 0, EPOCHS)
    (one,) = carry_out(TrainerRunner(recipe(), single, STUDY_SEED), [order], stores[0])
    (three,) = carry_out(TrainerRunner(recipe(), single, STUDY_SEED, 3), [order], stores[1])
    wanted = stores[0].read(one.state)[0]
    stored = State.from_arrays(stores[1].read(three.state)[0], epoch=EPOCHS)
    found = [state.to_arrays() for state in split_state(stored, 3)]
    assert all(found[0][name].tobytes() == array.tobytes() for name, array in wanted.items())
    weights = {each["model/0.weight"].tobytes() for each in found}
    assert len(weights) == 3
    assert len(stores[1].read(three.predictions)[0]["probabilities"]) == len(single.validation)


@pytest.mark.parametrize("engine", ["trainer", "stack"])
@pytest.mark.parametrize("ends", [(1, 3), (1, 2, 3)])
def test_one_order_equals_many(data, ends, engine):
    whole_store, store = MemoryArtifacts(), MemoryArtifacts()
    runner = engines(recipe(), data)[engine == "trainer"]
    (whole,) = carry_out(runner, [Order(TRIAL, config(), 0, EPOCHS)], whole_store)
    rows, start, state = [], 0, None
    for end in ends:
        order = Order(TRIAL, config(), start, end, state=state)
        (part,) = carry_out(runner, [order], store)
        rows += part.metrics
        start, state = end, part.state
    assert tuple(rows) == whole.metrics
    left, right = whole_store.read(whole.state)[0], store.read(state)[0]
    assert left.keys() == right.keys()
    assert all(left[name].tobytes() == right[name].tobytes() for name in left)


def agree(mine, theirs, stores):
    """Compare two outcomes: rows of metrics, every stored array, every prediction."""
    assert mine.status is theirs.status
    assert mine.error == theirs.error
    assert len(mine.metrics) == len(theirs.metrics)
    for row, other in zip(mine.metrics, theirs.metrics, strict=True):
        assert list(row) == list(other)
        assert row == pytest.approx(dict(other), rel=1e-9, abs=1e-11)
    if theirs.state is None:
        assert mine.state is mine.predictions is None
        return
    for key in ("state", "predictions"):
        got = stores[0].read(getattr(mine, key))[0]
        wanted = stores[1].read(getattr(theirs, key))[0]
        assert got.keys() == wanted.keys()
        for name, array in wanted.items():
            tolerances = {"rtol": 1e-7, "atol": 1e-10} if key == "state" else {"rtol": 1e-5}
            np.testing.assert_allclose(got[name], array, **tolerances, err_msg=name)


@pytest.mark.parametrize("tier", ["traced", "leaves", "vmap", "loop"])
def test_a_stack_gives_the_trainers_numbers(data, tier):
    stores = MemoryArtifacts(), MemoryArtifacts()
    runners = engines(recipe("float64"), data, tier=tier)
    first = [Order(trial, config(trial), 0, 2) for trial in range(3)]
    begun = [carry_out(r, first, s) for r, s in zip(runners, stores, strict=True)]
    notes = begun[0][0].notes
    if tier == "loop":
        assert notes == "one model after another: the loop tier was asked for"
    else:
        assert notes.startswith("18 rows")
        assert notes.endswith(f"; {tier}: forced")
    results = [
        carry_out(runner, [
            Order(0, config(0), 2, 3, state=outcomes[0].state),
            Order(4, config(2), 2, 3, parent=2, state=outcomes[2].state),
            Order(3, config(3), 0, 2),
        ], store)
        for runner, store, outcomes in zip(runners, stores, begun, strict=True)
    ]  # fmt: skip
    for pair in (begun, results):
        for mine, theirs in zip(*pair, strict=True):
            agree(mine, theirs, stores)


def test_a_trial_diverges_with_its_first_model_and_its_neighbours_do_not_notice(data):
    stores = MemoryArtifacts(), MemoryArtifacts()
    orders = [
        Order(0, config(0, optimizer="sgd"), 0, EPOCHS),
        Order(1, config(1, optimizer="sgd", lr=1e308, weight_decay=1.0), 0, EPOCHS),
        Order(2, config(2, optimizer="sgd"), 0, EPOCHS),
    ]
    pairs = zip(engines(recipe("float64"), data), stores, strict=True)
    got, wanted = (carry_out(runner, orders, store) for runner, store in pairs)
    assert wanted[1].status is OutcomeStatus.DIVERGED
    assert wanted[1].error.startswith("fold 1, seed 1: the training loss was")
    assert wanted[1].metrics == ()
    for mine, theirs in zip(got, wanted, strict=True):
        agree(mine, theirs, stores)


@pytest.fixture(scope="module")
def with_outlier(arrays, data):
    """One row of the last fold is huge; in the other folds it is part of the standardisation."""
    x = arrays[0].copy()
    x[data.folds.rows[2][0]] = 1e30
    return Data.from_arrays(x, arrays[1], test_share=0, folds=FOLDS)


class Steep(nn.Linear):
    def forward(self, x):
        return 1e-3 * super().forward(x) ** 11


def test_a_trial_diverges_with_a_later_fold_as_well(with_outlier):
    stores = MemoryArtifacts(), MemoryArtifacts()
    made = replace(recipe("float64"), model=lambda config: Steep(5, 2))
    pairs = zip(engines(made, with_outlier), stores, strict=True)
    got, wanted = (carry_out(r, [Order(0, config(), 0, 2)], store)[0] for r, store in pairs)
    assert wanted.error == (
        "fold 3, seed 1: the validation predictions were not finite after epoch 1."
    )
    agree(got, wanted, stores)


class Fussy(nn.Linear):
    def forward(self, x):
        if x.abs().max() > 1e20:
            raise ValueError("this is too much")
        return super().forward(x)


def test_a_model_that_fails_in_one_fold_fails_its_trial(with_outlier):
    made = replace(recipe("float64"), model=lambda config: Fussy(5, 2))
    for runner in engines(made, with_outlier):
        (outcome,) = carry_out(runner, [Order(0, config(), 0, 1)], MemoryArtifacts())
        assert outcome.status is OutcomeStatus.FAILED
        assert "this is too much" in outcome.error
        assert "In fold 3, seed 1." in outcome.error


@pytest.mark.parametrize("engine", ["trainer", "stack"])
def test_stopping_keeps_the_epochs_that_all_models_finished(data, engine):
    store = MemoryArtifacts()
    order = Order(TRIAL, config(), 0, EPOCHS)
    stack, plain = engines(recipe("float64"), data)
    # An epoch is 5 steps and 1 part of the validation, for each of 6 models or for all of them.
    runner, patience = (plain, 2 * 36 + 14) if engine == "trainer" else (stack, 2 * 6 + 3)
    asked = iter(range(1_000))
    (stopped,) = carry_out(runner, [order], store, lambda: next(asked) >= patience)
    assert stopped.status is OutcomeStatus.STOPPED
    (whole,) = carry_out(plain, [Order(TRIAL, config(), 0, 2)], store)
    agree(replace(stopped, status=OutcomeStatus.DONE), whole, (store, store))
