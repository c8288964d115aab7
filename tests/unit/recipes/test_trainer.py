import math
import warnings

import cloudpickle
import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ripieno.errors import ArtifactError
from ripieno.recipes import (
    Data,
    Recipe,
    State,
    TrainerRunner,
    batches,
    build_model,
    draws,
    measure,
    predict_probabilities,
    read_knobs,
)
from ripieno.records import Config, Order, OutcomeStatus, hearing


def net(config):
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(64, 16),
        nn.BatchNorm1d(16),
        nn.ReLU(),
        nn.Dropout(0.3),
        nn.Linear(16, 10),
    )


def run(data, store, order, *, model=net, stop=lambda: False, seed=0, **fields):
    runner = TrainerRunner(Recipe(model, **fields), data, seed)
    (outcome,) = runner.run([order], store, stop)
    return outcome


def order(stop, *, start=0, trial=0, state=None, **config):
    return Order(trial, Config(config), start, stop, state=state)


def stop_after(calls):
    """A stop signal that becomes true once it was asked so often."""
    asked = iter(range(10**9))
    return lambda: next(asked) >= calls


def state_of(store, outcome):
    return store.read(outcome.state)[0]


def same(left, right):
    return left.keys() == right.keys() and all(np.array_equal(left[k], right[k]) for k in left)


def test_the_loop_equals_a_hand_written_one(few_digits, store):
    config = {
        "optimizer": "sgd",
        "momentum": 0.9,
        "lr": 0.05,
        "batch_size": 32,
        "schedule": "cosine",
        "label_smoothing": 0.1,
        "weight_decay": 1e-3,
        "l1": 1e-4,
        "gradient_clip": 1.0,
        "class_weights": "balanced",
    }
    outcome = run(few_digits, store, order(3, trial=5, **config), dtype="float64", epochs=4)

    x = torch.from_numpy(few_digits.train.x).double()
    y = torch.from_numpy(few_digits.train.y)
    weights = len(y) / (10 * torch.bincount(y).double())
    seed = draws.fold(0, 5)
    torch.manual_seed(draws.fold(seed, draws.Purpose.INITIALIZATION))
    model = net(None).double()
    linear, norm, head = model[1], model[2], model[5]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9, weight_decay=1e-3)
    steps = math.ceil(len(y) / 32)
    means = []
    for epoch in range(3):
        losses = []
        for step, rows in enumerate(draws.permutation(seed, epoch, len(y)).split(32)):
            rate = 0.05 * 0.5 * (1 + math.cos(math.pi * (epoch * steps + step) / (4 * steps)))
            optimizer.param_groups[0]["lr"] = rate
            key = draws.key_tensor(draws.fold(seed, draws.Purpose.DROPOUT, epoch, step))
            hidden = norm(linear(x[rows].flatten(1))).relu()
            kept = draws.keep_mask(key, tuple(hidden.shape), p=0.3)
            logits = head(hidden * kept / 0.7)
            loss = F.cross_entropy(logits, y[rows], weights, label_smoothing=0.1)
            losses.append((loss.item(), weights[y[rows]].sum().item()))
            optimizer.zero_grad()
            (loss + 1e-4 * (linear.weight.abs().sum() + head.weight.abs().sum())).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
        means.append(np.average([a for a, _ in losses], weights=[b for _, b in losses]))
    arrays = state_of(store, outcome)
    for name, value in model.state_dict().items():
        assert np.allclose(arrays[f"model/{name}"], value.numpy(), rtol=1e-9, atol=1e-12), name
    assert [row["train_loss"] for row in outcome.metrics] == pytest.approx(means, rel=1e-10)
    assert outcome.metrics[-1]["learning_rate"] == pytest.approx(rate)


def test_an_outcome_holds_a_row_an_epoch_and_the_keys_of_what_was_stored(few_digits, store):
    outcome = run(few_digits, store, order(3, trial=4, lr=0.01))
    assert outcome.status is OutcomeStatus.DONE
    assert outcome.reached == 3
    assert outcome.seconds > 0
    for row in outcome.metrics:
        assert list(row) == ["train_loss", "log_loss", "accuracy", "learning_rate"]
    arrays, facts = store.read(outcome.state)
    assert outcome.state.startswith("trial-4-epoch-3-state")
    assert facts == {"trial": 4, "epoch": 3, "config": {"lr": 0.01}, "recipe": "custom"}
    assert "model/1.weight" in arrays
    assert "optimizer/1.weight/exp_avg" in arrays
    predictions, facts = store.read(outcome.predictions)
    assert outcome.predictions.startswith("trial-4-epoch-3-predictions")
    assert facts == {"trial": 4, "epoch": 3, "fingerprint": few_digits.fingerprint}
    assert predictions["probabilities"].shape == (len(few_digits.validation), 10)
    assert predictions["probabilities"].dtype == np.float32


def test_the_metrics_are_those_of_the_stored_predictions_and_of_the_stored_model(few_digits, store):
    outcome = run(few_digits, store, order(4, lr=0.01))
    stored = store.read(outcome.predictions)[0]["probabilities"]
    measured = measure(stored, few_digits.validation.y)
    assert measured["log_loss"] == pytest.approx(outcome.metrics[-1]["log_loss"], rel=1e-6)
    assert measured["accuracy"] == outcome.metrics[-1]["accuracy"]
    model = build_model(Recipe(net), Config({}), 99)
    state = State.from_arrays(state_of(store, outcome), epoch=4)
    model.load_state_dict(dict(state.model))
    again = predict_probabilities(model, few_digits.validation.x)
    assert np.array_equal(again, stored)


def test_every_epoch_of_an_order_is_told(few_digits, store):
    heard = []
    first = run(few_digits, store, order(1))
    with hearing(lambda trial, epochs: heard.append((trial, epochs))):
        run(few_digits, store, order(3, start=1, state=first.state))
    assert heard == [(0, 1), (0, 2)]


def test_only_the_metrics_of_the_recipe_are_measured(few_digits, store):
    outcome = run(few_digits, store, order(1), metrics=("accuracy",))
    assert list(outcome.metrics[0]) == ["train_loss", "accuracy", "learning_rate"]


def test_training_learns(few_digits, store):
    outcome = run(few_digits, store, order(20, lr=0.01))
    assert outcome.metrics[-1]["accuracy"] > 0.7
    assert outcome.metrics[-1]["train_loss"] < 0.5 * outcome.metrics[0]["train_loss"]


def test_a_trial_depends_on_its_number_and_on_the_seed_and_on_nothing_else(few_digits, store):
    first = run(few_digits, store, order(2, trial=1))
    torch.manual_seed(123)
    assert same(state_of(store, first), state_of(store, run(few_digits, store, order(2, trial=1))))
    for other in (
        run(few_digits, store, order(2, trial=2)),
        run(few_digits, store, order(2, trial=1), seed=1),
    ):
        assert not same(state_of(store, first), state_of(store, other))


def test_orders_that_are_run_together_equal_orders_that_are_run_alone(few_digits, store):
    orders = [order(2, trial=trial, lr=0.01 * (trial + 1)) for trial in range(3)]
    together = list(TrainerRunner(Recipe(net), few_digits).run(orders, store, lambda: False))
    alone = [run(few_digits, store, item) for item in orders]
    for left, right in zip(together, alone, strict=True):
        assert left.metrics == right.metrics
        assert same(state_of(store, left), state_of(store, right))


def test_random_numbers_of_the_users_forward_are_the_trials_own(few_digits, store):
    class Noisy(nn.Module):
        def __init__(self):
            super().__init__()
            self.head = nn.Linear(64, 10)

        def forward(self, x):
            return self.head(F.alpha_dropout(x.flatten(1), 0.2, self.training)) + torch.rand(10)

    def once():
        torch.rand(17)
        return run(few_digits, store, order(2, lr=0.1), model=lambda config: Noisy())

    first, second = once(), once()
    assert first.metrics == second.metrics
    assert same(state_of(store, first), state_of(store, second))


def test_threads_and_generator_are_left_as_they_were(few_digits, store):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    seen = []

    def model(config):
        seen.append(torch.get_num_threads())
        return net(config)

    try:
        torch.manual_seed(0)
        expected = torch.rand(3)
        torch.manual_seed(0)
        run(few_digits, store, order(1), model=model)
        assert torch.equal(torch.rand(3), expected)
        assert seen == [1]
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize("calls", [0, 1])
def test_a_stop_within_the_first_epoch_keeps_nothing(few_digits, store, calls):
    outcome = run(few_digits, store, order(5), stop=stop_after(calls))
    assert outcome.status is OutcomeStatus.STOPPED
    assert (outcome.reached, outcome.state, outcome.predictions) == (0, None, None)
    assert store.items == {}


def test_a_stop_keeps_the_epochs_that_were_finished_and_goes_on_from_there(few_digits, store):
    whole = run(few_digits, store, order(5))
    # Four batches and one evaluation an epoch: the signal comes in the middle of epoch 3.
    stopped = run(few_digits, store, order(5), stop=stop_after(12))
    assert stopped.status is OutcomeStatus.STOPPED
    assert stopped.reached == 2
    assert stopped.metrics == whole.metrics[:2]
    rest = run(few_digits, store, order(5, start=2, state=stopped.state))
    assert rest.metrics == whole.metrics[2:]
    assert same(state_of(store, rest), state_of(store, whole))


def test_a_loss_that_is_not_finite_is_a_divergence(few_digits, store):
    def model(config):
        return nn.Sequential(nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Linear(16, 10))

    outcome = run(few_digits, store, order(9, optimizer="sgd", lr=1e30), model=model)
    assert outcome.status is OutcomeStatus.DIVERGED
    assert "the training loss was" in outcome.error
    assert "in epoch 1, step" in outcome.error
    assert outcome.state is None


def linear():
    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))


def test_predictions_that_are_not_finite_are_a_divergence(few_digits, store):
    class Breaks(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = linear()

        def forward(self, x):
            return self.inner(x) * (1.0 if self.training else math.nan)

    outcome = run(few_digits, store, order(2), model=lambda config: Breaks())
    assert outcome.status is OutcomeStatus.DIVERGED
    assert outcome.error == "the validation predictions were not finite after epoch 1."


def test_an_error_of_the_model_fails_the_trial_and_says_where(few_digits, store):
    outcome = run(few_digits, store, order(2), model=lambda config: nn.Linear(7, 10))
    assert outcome.status is OutcomeStatus.FAILED
    assert "RuntimeError: mat1 and mat2 shapes cannot be multiplied" in outcome.error
    assert "'custom' with a batch of shape (32, 1, 8, 8), torch.float32" in outcome.error
    assert len(outcome.error) < 2000


def broken(config):
    raise ZeroDivisionError("of the user's")


@pytest.mark.parametrize(
    ("model", "problem"),
    [
        (
            lambda config: nn.Sequential(nn.Flatten(), nn.Linear(64, 3)),
            r"a tensor of shape \(32, 3",
        ),
        (lambda config: nn.Flatten(), "Flatten has no parameter"),
        (lambda config: "net", "not an nn.Module"),
        (broken, "ZeroDivisionError: of the user's"),
        (lambda config: nn.Linear(config.width, 2), "this config has no 'width'"),
    ],
)
def test_a_model_that_cannot_be_trained_fails_the_trial(few_digits, store, model, problem):
    outcome = run(few_digits, store, order(2), model=model)
    assert outcome.status is OutcomeStatus.FAILED
    assert outcome.reached == 0
    assert __import__("re").search(problem, outcome.error), outcome.error


def test_an_error_shows_the_users_frames_and_no_others(few_digits, store):
    outcome = run(few_digits, store, order(1), model=broken)
    assert "in broken\n" in outcome.error
    assert "building.py" not in outcome.error


def test_an_impossible_knob_fails_the_trial(few_digits, store):
    outcome = run(few_digits, store, order(2, optimizer="adma"))
    assert outcome.status is OutcomeStatus.FAILED
    assert "Did you mean 'adam'?" in outcome.error
    assert "Traceback" not in outcome.error


def test_one_trial_that_fails_does_not_touch_the_next(few_digits, store):
    runner = TrainerRunner(Recipe(net), few_digits)
    bad, good = runner.run([order(1, lr=-1.0), order(1, trial=1)], store, lambda: False)
    assert (bad.status, good.status) == (OutcomeStatus.FAILED, OutcomeStatus.DONE)


def test_a_lost_state_is_the_stores_error_and_not_the_trials(few_digits, store):
    with pytest.raises(ArtifactError):
        run(few_digits, store, order(4, start=2, state="lost"))
    with pytest.raises(ArtifactError, match="cannot go on from epoch 2: no state was stored"):
        run(few_digits, store, order(4, start=2))


def test_the_state_of_another_model_fails_the_trial(few_digits, store):
    state = run(few_digits, store, order(2)).state
    outcome = run(few_digits, store, order(4, start=2, state=state), model=lambda c: linear())
    assert outcome.status is OutcomeStatus.FAILED
    assert "does not fit the model" in outcome.error


def test_a_lazy_model_is_trained_and_continued(few_digits, store):
    def model(config):
        return nn.Sequential(nn.Flatten(), nn.LazyLinear(12), nn.ReLU(), nn.LazyLinear(10))

    whole = run(few_digits, store, order(4), model=model)
    half = run(few_digits, store, order(2), model=model)
    rest = run(few_digits, store, order(4, start=2, state=half.state), model=model)
    assert same(state_of(store, whole), state_of(store, rest))


def test_a_single_row_left_over_is_dropped_only_under_batch_norm():
    knobs = read_knobs({"batch_size": 8})
    rows = torch.arange(17)
    assert [len(b) for b in batches(rows, net(None), knobs)] == [8, 8]
    assert [len(b) for b in batches(rows, linear(), knobs)] == [8, 8, 1]
    assert [len(b) for b in batches(rows[:12], net(None), knobs)] == [8, 4]
    assert [len(b) for b in batches(rows[:3], net(None), knobs)] == [3]


def test_an_epoch_that_leaves_one_row_over_is_trained(few_digits, store):
    rows = len(few_digits.train) - 1
    outcome = run(few_digits, store, order(1, batch_size=rows))
    assert outcome.status is OutcomeStatus.DONE, outcome.error


def test_a_runner_can_be_sent_to_another_process(few_digits, store):
    width = 9
    recipe = Recipe(
        lambda config: nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.Linear(width, 10))
    )
    runner = TrainerRunner(recipe, few_digits)
    twin = cloudpickle.loads(cloudpickle.dumps(runner))
    (here,) = runner.run([order(1)], store, lambda: False)
    (there,) = twin.run([order(1)], store, lambda: False)
    assert here.metrics == there.metrics
    assert (runner.width, runner.group(order(1))) == (1, "custom")


def test_read_only_data_are_no_obstacle(few_digits, store):
    for part in (few_digits.train, few_digits.validation):
        part.x.flags.writeable = False
        part.y.flags.writeable = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            assert run(few_digits, store, order(1)).status is OutcomeStatus.DONE
    finally:
        for part in (few_digits.train, few_digits.validation):
            part.x.flags.writeable = True
            part.y.flags.writeable = True


def test_a_table_of_strings_as_classes_is_trained(store):
    rng = np.random.default_rng(0)
    y = rng.choice(["no", "yes"], 80)
    x = rng.normal(size=(80, 3)) + (y == "yes")[:, None]
    data = Data.from_arrays(x, y)
    outcome = run(data, store, order(15, lr=0.05), model=lambda config: nn.Linear(3, 2))
    assert outcome.metrics[-1]["accuracy"] > 0.7
