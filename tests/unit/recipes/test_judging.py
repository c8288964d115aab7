"""Early stopping and the best epoch, in the trainer as it is used."""

import numpy as np
import pytest
import torch
from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes import (
    Data,
    Metric,
    Recipe,
    State,
    TrainerRunner,
    build_model,
    predict_probabilities,
)
from ripieno.records import Config, Order, OutcomeStatus

# So fast that it soon learns its hundred rows by heart.
FAST = {"optimizer": "sgd", "lr": 0.5, "momentum": 0.9, "batch_size": 16}


def net(config):
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 64), nn.BatchNorm1d(64), nn.ReLU(),
                         nn.Linear(64, 10))  # fmt: skip


def run(data, store, stop, *, start=0, state=None, trial=0, parent=None, recipe=None, **config):
    order = Order(trial, Config({**FAST, **config}), start, stop, parent=parent, state=state)
    (outcome,) = TrainerRunner(recipe or Recipe(net, epochs=20), data, 5).run(
        [order], store, lambda: False
    )
    return outcome


def test_the_best_epoch_answers_and_the_last_one_goes_on(few_digits, store):
    plain = run(few_digits, store, 12)
    kept = run(few_digits, store, 12, restore="best")
    losses = [row["log_loss"] for row in plain.metrics]
    best = int(np.argmin(losses))
    assert best < 11
    last = kept.metrics[-1]
    assert [row["last_log_loss"] for row in kept.metrics] == losses
    assert last["log_loss"] == min(losses)
    assert last["accuracy"] == plain.metrics[best]["accuracy"]
    assert last["last_accuracy"] == plain.metrics[-1]["accuracy"]
    assert last["best_epoch"] == best + 1
    assert last["train_loss"] == plain.metrics[-1]["train_loss"]
    # What it continues from is the last epoch, bit for bit.
    mine, theirs = store.read(kept.state)[0], store.read(plain.state)[0]
    assert all(np.array_equal(mine[name], theirs[name]) for name in theirs)
    # What it answers with is the best one: its weights and its predictions agree.
    model = build_model(Recipe(net), Config({}), 1)
    State.from_arrays(mine, epoch=12).load_into(model)
    stored = store.read(kept.predictions)[0]["probabilities"]
    assert np.array_equal(predict_probabilities(model, few_digits.validation.x), stored)
    then = run(few_digits, store, best + 1)
    assert np.array_equal(stored, store.read(then.predictions)[0]["probabilities"])


def test_the_best_epoch_is_a_copy(few_digits, store):
    kept = run(few_digits, store, 12, restore="best")
    arrays = store.read(kept.state)[0]
    assert kept.metrics[-1]["best_epoch"] < 12
    assert not np.array_equal(arrays["watch/model/1.weight"], arrays["model/1.weight"])
    running = "2.running_mean"
    assert not np.array_equal(arrays[f"watch/model/{running}"], arrays[f"model/{running}"])


def test_early_stopping_ends_the_order_and_the_trial(few_digits, store):
    losses = [row["log_loss"] for row in run(few_digits, store, 20).metrics]
    patience = 3
    best = 0
    for epoch, loss in enumerate(losses):
        best = epoch if loss < losses[best] else best
        if epoch - best == patience:
            break
    outcome = run(few_digits, store, 20, early_stopping=patience)
    assert outcome.status is OutcomeStatus.DONE
    assert outcome.reached == epoch + 1 < 20
    assert outcome.notes == "stopped early: no better log_loss for 3 epochs"
    assert outcome.metrics[-1]["log_loss"] == losses[best]
    assert outcome.metrics[-1]["best_epoch"] == best + 1
    again = run(few_digits, store, 40, start=20, state=outcome.state, early_stopping=patience)
    assert again.status is OutcomeStatus.DONE
    assert (again.metrics, again.state, again.predictions) == ((), outcome.state, None)
    assert again.notes == outcome.notes


def test_a_trial_that_goes_on_remembers_its_patience(few_digits, store):
    whole = run(few_digits, store, 20, early_stopping=3)
    state, last, start, rows = None, None, 0, []
    while len(rows) == start:
        part = run(few_digits, store, start + 1, start=start, state=state, early_stopping=3)
        rows += part.metrics
        start, state, last = start + 1, part.state, part.predictions or last
    assert tuple(rows) == whole.metrics
    left, right = store.read(state)[0], store.read(whole.state)[0]
    assert left.keys() == right.keys()
    assert all(np.array_equal(left[name], right[name]) for name in left)
    assert np.array_equal(store.read(last)[0]["probabilities"],
                          store.read(whole.predictions)[0]["probabilities"])  # fmt: skip


def test_a_fork_of_a_trial_that_ended_trains_on(few_digits, store):
    parent = run(few_digits, store, 20, early_stopping=3)
    child = run(few_digits, store, 22, start=20, trial=1, parent=0, state=parent.state,
                early_stopping=3)  # fmt: skip
    assert len(child.metrics) == 2
    assert child.metrics[0]["best_epoch"] == 21


def test_another_metric_can_be_watched_and_more_of_it_be_better(few_digits, store):
    recipe = Recipe(net, epochs=20, monitor="accuracy")
    outcome = run(few_digits, store, 12, recipe=recipe, restore="best")
    accuracies = [row["last_accuracy"] for row in outcome.metrics]
    assert outcome.metrics[-1]["accuracy"] == max(accuracies)
    assert outcome.metrics[-1]["best_epoch"] == 1 + int(np.argmax(accuracies))
    with pytest.raises(RecipeError, match="no monitor 'acuracy'"):
        Recipe(net, monitor="acuracy")


def test_plateau_lowers_the_learning_rate_where_the_validation_loss_stays(few_digits, store):
    outcome = run(few_digits, store, 12, schedule="plateau", schedule_patience=1)
    losses = [row["log_loss"] for row in outcome.metrics]
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=0.5)
    scheduler = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, patience=1)
    rates = []
    for loss in losses:
        rates.append(optimizer.param_groups[0]["lr"])
        scheduler.step(loss)
    assert [row["learning_rate"] for row in outcome.metrics] == pytest.approx(rates)
    assert rates[-1] < 0.5
    assert "best_epoch" not in outcome.metrics[-1]


def test_more_of_a_metric_of_another_task_or_of_ones_own_is_better_too(store):
    rng = np.random.default_rng(0)
    x = rng.normal(size=(80, 3))
    data = Data.from_arrays(x, x[:, 0] * 2.5 + 10.0, test_share=0)

    def closeness(y, values):
        return float(-np.abs(y - values).mean())

    own = Metric(closeness, direction="maximize")
    for monitor, metrics in (("r2", None), ("closeness", ("rmse", own))):
        recipe = Recipe(lambda c: nn.Linear(3, 1), metrics=metrics, monitor=monitor, epochs=9)
        config = Config({"lr": 0.5, "optimizer": "sgd", "restore": "best"})
        runner = TrainerRunner(recipe, data, 0)
        (outcome,) = runner.run([Order(0, config, 0, 9)], store, lambda: False)
        values = [row[f"last_{monitor}"] for row in outcome.metrics]
        assert outcome.metrics[-1][monitor] == max(values)
        assert outcome.metrics[-1]["best_epoch"] == 1 + int(np.argmax(values))
