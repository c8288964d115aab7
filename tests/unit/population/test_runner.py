from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import nn

import ripieno as rp
from ripieno.errors import ArtifactError, RecipeError
from ripieno.ledger import MemoryArtifacts
from ripieno.population import PopulationRunner, check_tier, deciding_names
from ripieno.population.group import Group
from ripieno.recipes import Data, Recipe, TrainerRunner
from ripieno.records import Objective, Order, OutcomeStatus, Target, hearing


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    return Data.from_arrays(x, (x[:, 0] > 0).astype(int), seed=0)


def model(config):
    if config.hidden == 5:
        raise ValueError("five is a bad number")
    return nn.Sequential(
        nn.Linear(4, config.hidden), nn.ReLU(), nn.Dropout(config.get("dropout", 0.0)),
        nn.Linear(config.hidden, 2),
    )  # fmt: skip


def order(trial, hidden=3, **knobs):
    return Order(trial, rp.Config({"hidden": hidden, "lr": 0.01, **knobs}), 0, 1)


def carry_out(runner, orders):
    return {o.order.trial: o for o in runner.run(orders, MemoryArtifacts(), lambda: False)}


def test_orders_that_differ_in_numbers_alone_are_one_group(data):
    runner = PopulationRunner(Recipe(model=model), data)
    same = {runner.group(order(0, lr=rate, dropout=p)) for rate in (0.1, 0.2) for p in (0.1, 0.2)}
    assert len(same) == 1
    assert runner.group(order(1, hidden=4)) not in same
    assert runner.group(order(1, optimizer="sgd")) not in same
    assert runner.group(order(1, batch_size=8)) not in same


def test_a_model_that_fails_is_a_failed_outcome_beside_good_ones(data):
    runner = PopulationRunner(Recipe(model=model), data, tier="traced")
    outcomes = carry_out(runner, [order(0), order(1, hidden=5), order(2), order(3, hidden=5)])
    assert [outcomes[t].status for t in range(4)] == [
        OutcomeStatus.DONE, OutcomeStatus.FAILED, OutcomeStatus.DONE, OutcomeStatus.FAILED,
    ]  # fmt: skip
    assert "five is a bad number" in outcomes[1].error
    assert outcomes[0].notes.startswith("2 rows; traced")


def test_every_epoch_of_every_order_of_a_stack_is_told(data):
    heard = []
    runner = PopulationRunner(Recipe(model=model), data, tier="traced")
    orders = [replace(order(trial), stop=2 + trial) for trial in range(2)]
    with hearing(lambda trial, epochs: heard.append((trial, epochs))):
        carry_out(runner, orders)
    assert heard == [(0, 1), (1, 1), (0, 2), (1, 2), (1, 3)]


class Sorted(nn.Module):
    """A model that no leaf knows: it is computed under vmap."""

    def __init__(self):
        super().__init__()
        self.head = nn.Linear(4, 2)

    def forward(self, x):
        return self.head(x.sort(dim=1).values)


class Branching(nn.Module):
    """A model whose forward depends on the data: it cannot be stacked."""

    def __init__(self):
        super().__init__()
        self.linear = nn.Linear(4, 2)

    def forward(self, x):
        return self.linear(x) if float(x.detach().sum()) > 0 else -self.linear(x)


def test_little_work_is_not_traced(data):
    outcomes = carry_out(PopulationRunner(Recipe(model=model), data), [order(0), order(1)])
    assert outcomes[0].notes.startswith("2 rows; leaves: ")
    assert "too few to be worth a trace" in outcomes[0].notes


def test_little_work_that_needs_vmap_and_a_lonely_order_are_trained_one_by_one(data):
    runner = PopulationRunner(Recipe(model=lambda config: Sorted()), data)
    carry_out(runner, [order(0), order(1)])
    outcomes = carry_out(runner, [order(2), order(3)])
    assert "too few to be worth tracing" in outcomes[2].notes
    alone = carry_out(PopulationRunner(Recipe(model=model), data, tier="traced"), [order(0)])
    assert "no other order has its signature" in alone[0].notes


def test_a_lonely_order_is_a_stack_of_one_where_no_model_needed_vmap(data):
    runner = PopulationRunner(Recipe(model=model), data)
    assert carry_out(runner, [order(0)])[0].notes.startswith("1 rows; ")
    runner = PopulationRunner(Recipe(model=lambda config: Sorted()), data)
    carry_out(runner, [order(0), order(1)])
    assert "no other order has its signature" in carry_out(runner, [order(2)])[2].notes


@pytest.mark.parametrize(
    ("factory", "reason"),
    [(model, "it is faster than a stack"), (lambda config: Branching(), "it cannot be stacked: ")],
)
def test_models_that_train_faster_one_by_one_are_no_stack(data, monkeypatch, factory, reason):
    timed = []
    monkeypatch.setattr("ripieno.population.choice._HEAVY_SECONDS", 0.0)
    monkeypatch.setattr("ripieno.population.runner._WORTH_TRACING", 0)
    monkeypatch.setattr(TrainerRunner, "step_seconds", lambda *_: timed.append(1) or 0.0)
    recipe = Recipe(model=factory)
    runner = PopulationRunner(recipe, data)
    outcomes = carry_out(runner, [order(trial) for trial in range(3)])
    again = carry_out(runner, [order(trial) for trial in range(3, 5)])
    plain = carry_out(TrainerRunner(recipe, data), [order(trial) for trial in range(5)])
    assert len(timed) == 1  # found out once
    for trial, outcome in (outcomes | again).items():
        assert outcome.notes.startswith(f"one model after another: {reason}")
        assert "alone 0.00 ms" in outcome.notes
        assert outcome.metrics == plain[trial].metrics


def test_heavy_models_are_no_stack_unless_there_is_much_work(data, monkeypatch):
    monkeypatch.setattr("ripieno.population.runner._LARGE_BATCH", 1)
    monkeypatch.setattr(TrainerRunner, "step_seconds", lambda *_: 0.03)
    runner = PopulationRunner(Recipe(model=model), data)
    outcomes = carry_out(runner, [order(trial) for trial in range(2)])
    note = "a step of one model takes 30 ms, too long for a stack to gain"
    assert {o.notes for o in outcomes.values()} == {f"one model after another: {note}"}
    monkeypatch.setattr("ripieno.population.runner._WORTH_TRYING", 0.01)
    outcomes = carry_out(runner, [order(trial) for trial in range(2)])
    assert all(o.notes.startswith("2 rows; leaves") for o in outcomes.values())
    outcomes = carry_out(
        PopulationRunner(Recipe(model=model), data, tier="leaves"), [order(0), order(1)]
    )
    assert all(o.notes == "2 rows; leaves: forced" for o in outcomes.values())


def test_a_step_of_the_trainer_is_timed_without_a_trace(data):
    runner = TrainerRunner(Recipe(model=model), data)
    assert 0.0 < runner.step_seconds(order(0)) < 60.0
    with pytest.raises(ValueError, match="five is a bad number"):
        runner.step_seconds(order(0, hidden=5))


def test_a_stack_is_no_wider_than_it_may_be(data):
    runner = PopulationRunner(Recipe(model=model), data, tier="leaves", width=2)
    assert runner.width == 2
    outcomes = carry_out(runner, [order(t) for t in range(4)])
    assert {o.notes for o in outcomes.values()} == {"2 rows; leaves: forced"}


def test_the_loop_tier_trains_one_model_after_the_other(data):
    runner = PopulationRunner(Recipe(model=model), data, tier="loop")
    assert runner.width == 1
    outcomes = carry_out(runner, [order(0), order(1)])
    wanted = carry_out(TrainerRunner(Recipe(model=model), data), [order(0), order(1)])
    for trial, outcome in outcomes.items():
        assert outcome.notes == "one model after another: the loop tier was asked for"
        assert outcome.metrics == wanted[trial].metrics


def test_a_lost_state_is_no_fault_of_the_trial(data):
    runner = PopulationRunner(Recipe(model=model), data, tier="loop")
    lost = [Order(t, order(t).config, 1, 2, state="gone-0123456789abcdef") for t in range(2)]
    with pytest.raises(ArtifactError):
        carry_out(runner, lost)


def test_what_the_model_reads_decides_the_signature_but_for_dropout_and_slopes():
    space = rp.Space(
        hidden=rp.Int(1, 3), dropout=rp.Float(0, 0.5), dropout_1=rp.Float(0, 0.5),
        negative_slope=rp.Float(0, 0.5), flip=rp.Float(0, 0.5), init=rp.Constant("torch"),
        lr=rp.Float(0.1, 0.2),
        optimizer=rp.Categorical("sgd", "adam"), batch_size=rp.Categorical(16, 32),
        schedule=rp.Categorical("cosine", "constant"),
    )  # fmt: skip
    assert deciding_names(space) == {"hidden", "optimizer", "batch_size"}


def test_an_unknown_tier_gets_a_suggestion():
    assert check_tier("compiled") == "compiled"
    with pytest.raises(RecipeError, match="no tier 'trace'") as error:
        check_tier("trace")
    assert "'traced'" in error.value.fix


def test_a_search_gives_the_same_table_whatever_the_tier_but_for_rounding(tmp_path, data):
    space = rp.Space(
        hidden=rp.Categorical(3, 4), lr=rp.Float(1e-3, 1e-1, log=True),
        dropout=rp.Float(0.0, 0.5),
    )  # fmt: skip
    frames = []
    for tier in ("loop", "traced"):
        with rp.tune(
            Recipe(model=model, dtype="float64"), data, space, trials=9, epochs=3, tier=tier,
            workers=1, out=tmp_path / tier, progress=False,
        ) as study:  # fmt: skip
            frames.append(study.to_dataframe())
            assert any(tier in (trial.notes or "") for trial in study.trials)
            assert study.ensemble().weights is not None
    left, right = frames
    assert left.epochs.tolist() == right.epochs.tolist()
    np.testing.assert_allclose(left.log_loss, right.log_loss, rtol=1e-8)


@pytest.mark.parametrize("room", [0, 1, 2])
def test_out_of_memory_halves_a_stack_until_it_fits(data, monkeypatch, room):
    whole = Group.train

    def train(self, stop):
        if len(self.rows) > room:
            raise MemoryError
        whole(self, stop)

    monkeypatch.setattr(Group, "train", train)
    outcomes = carry_out(
        PopulationRunner(Recipe(model=model), data, tier="loop"), [order(t) for t in range(5)]
    )
    assert sorted(outcomes) == [0, 1, 2, 3, 4]
    assert {outcome.status for outcome in outcomes.values()} == {OutcomeStatus.DONE}


def test_memory_that_runs_out_on_the_way_costs_no_epoch_that_was_finished(data, monkeypatch):
    from ripieno.population.tiers import Engine

    orders = [Order(t, order(t, lr=0.01 * (t + 1)).config, 0, 1 + 2 * (t > 0)) for t in range(5)]
    recipe = Recipe(model=model, dtype="float64")
    undisturbed = carry_out(PopulationRunner(recipe, data, tier="leaves"), orders)
    step, taken = Engine.step, []

    def short(self, arrays, batch, **options):
        taken.append(len(arrays["steps"]))
        if len(taken) > 5 and len(arrays["steps"]) > 2:  # two batches an epoch
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory")
        step(self, arrays, batch, **options)

    monkeypatch.setattr(Engine, "step", short)
    runner = PopulationRunner(recipe, data, tier="leaves")
    outcomes = carry_out(runner, orders)
    # Two batches an epoch: all five rows, then four, until the second batch of the third
    # epoch; that epoch is trained again, by two and two.
    assert taken == [5, 5, 4, 4, 4, 4, 2, 2, 2, 2]
    for trial, outcome in outcomes.items():
        assert outcome.status is OutcomeStatus.DONE
        assert len(outcome.metrics) == len(undisturbed[trial].metrics)
        assert outcome.metrics[-1]["log_loss"] == pytest.approx(
            undisturbed[trial].metrics[-1]["log_loss"], rel=1e-10
        )
    # The first trial was done, and given, before memory ran out.
    assert outcomes[0].notes == "5 rows; leaves: forced"
    assert {outcomes[trial].notes for trial in range(1, 5)} == {
        "2 rows (memory ran out with 5 rows); leaves: forced"
    }


class Greedy(nn.Linear):
    def forward(self, x):
        return super().forward(x) + torch.empty(2**55).sum()


def test_a_model_that_does_not_even_fit_alone_has_failed_with_a_remedy(data):
    runner = PopulationRunner(Recipe(model=lambda config: Greedy(4, 2)), data, tier="leaves")
    outcomes = carry_out(runner, [order(t) for t in range(3)])
    for outcome in outcomes.values():
        assert outcome.status is OutcomeStatus.FAILED
        assert outcome.error.startswith("out of memory: ")
        assert "Fix: choose smaller models" in outcome.error
        assert outcome.notes.startswith("one model after another: memory ran out with 1 row")


def test_augmentation_of_a_table_is_a_failed_outcome_beside_good_ones(data):
    runner = PopulationRunner(Recipe(model=model), data, tier="leaves")
    outcomes = carry_out(runner, [order(0), order(1, flip=0.5), order(2)])
    assert [outcomes[t].status for t in range(3)] == [
        OutcomeStatus.DONE, OutcomeStatus.FAILED, OutcomeStatus.DONE,
    ]  # fmt: skip
    assert "'flip' changes images" in outcomes[1].error
    assert outcomes[0].notes == outcomes[2].notes == "2 rows; leaves: forced"


@pytest.mark.parametrize("tier", ["leaves", "loop"])
def test_a_stack_ends_with_the_epoch_in_which_a_trial_reaches_the_target(data, tier):
    orders = [Order(t, order(t, lr=0.02 * (t + 1)).config, 0, 6) for t in range(3)]
    recipe = Recipe(model=model, dtype="float64")
    whole = carry_out(PopulationRunner(recipe, data, tier=tier), orders)
    losses = [whole[2].metrics[epoch]["log_loss"] for epoch in range(6)]
    assert losses == sorted(losses, reverse=True)
    target = Target(Objective("log_loss"), losses[3])
    found = carry_out(PopulationRunner(recipe, data, tier=tier, target=target), orders)
    assert found[2].status is OutcomeStatus.STOPPED
    assert [row["log_loss"] for row in found[2].metrics] == pytest.approx(losses[:4], rel=1e-10)
    assert found[2].state is not None
    if tier == "leaves":
        assert {len(outcome.metrics) for outcome in found.values()} == {4}


def test_trials_of_one_stack_are_given_as_they_end(data, monkeypatch):
    epochs = []
    whole = Group._epoch  # noqa: SLF001 - how far the stack is shows nowhere else

    def epoch(self, stop):
        epochs.append(len(self._going))
        return whole(self, stop)

    monkeypatch.setattr(Group, "_epoch", epoch)
    orders = [Order(t, order(t).config, 0, 1 + t) for t in range(3)]
    runner = PopulationRunner(Recipe(model=model), data, tier="leaves")
    given = [
        (outcome.order.trial, list(epochs))
        for outcome in runner.run(orders, MemoryArtifacts(), lambda: False)
    ]
    assert given == [(0, [3]), (1, [3, 2]), (2, [3, 2, 1])]


def test_few_steps_of_many_orders_are_recorded_in_the_end(data):
    runner = PopulationRunner(Recipe(model=model, epochs=60), data)
    store, notes, state = MemoryArtifacts(), [], None
    for epoch in range(30):
        again = [replace(order(0), start=epoch, stop=epoch + 1, state=state)]
        (outcome,) = runner.run(again, store, lambda: False)
        state = outcome.state
        notes.append(outcome.notes)
    assert "too few to be worth a trace" in notes[0]
    assert "traced: it was recorded before" in notes[-1]
