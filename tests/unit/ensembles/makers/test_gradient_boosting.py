import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import nn

import ripieno as rp
from ripieno.ensembles.makers import (
    GradientBoosting,
    SoftGradientBoosting,
    best_constant,
    gradients,
)
from ripieno.errors import EnsembleError
from ripieno.recipes import Data

CONFIG = rp.Config({"lr": 0.1, "optimizer": "sgd", "batch_size": 16})


@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_gradients_are_those_of_autograd(task):
    torch.manual_seed(0)
    total = torch.randn(6, 3).double().requires_grad_()
    y = {
        "classification": torch.tensor([0, 1, 2, 0, 1, 1]),
        "multilabel": (torch.rand(6, 3) > 0.5).double(),
        "regression": torch.randn(6, 3).double(),
    }[task]
    losses = {
        "classification": lambda t: F.cross_entropy(t, y, reduction="sum"),
        "multilabel": lambda t: F.binary_cross_entropy_with_logits(t, y, reduction="sum"),
        "regression": lambda t: 0.5 * ((t - y) ** 2).sum(),
    }
    wanted = torch.autograd.grad(losses[task](total), total)[0]
    curve = torch.autograd.functional.hessian(losses[task], total.detach())
    slope, diagonal = gradients(total.detach(), y, task=task)
    torch.testing.assert_close(slope, wanted)
    own = torch.einsum("rkrk->rk", curve).clamp_min(1e-2)
    torch.testing.assert_close(diagonal, own)


def test_the_step_for_two_classes_is_that_of_grownet():
    # -g/h = y (1 + exp(-y F)) for y = -1 or 1, and one log-odds F.
    f, y = torch.tensor([[0.3], [-0.7]]).double(), torch.tensor([[1.0], [0.0]]).double()
    slope, curve = gradients(f, y, task="multilabel")
    sign = 2 * y - 1
    torch.testing.assert_close(-slope / curve, sign * (1 + torch.exp(-sign * f)))
    torch.testing.assert_close(curve, 1 / ((1 + torch.exp(f)) * (1 + torch.exp(-f))))


def test_the_best_constant_has_no_slope_left():
    y = torch.tensor([0, 0, 0, 1, 2, 2] * 50)
    start = best_constant(y, task="classification", outputs=3)
    slope, _ = gradients(start.expand(300, -1), y, task="classification")
    assert slope.mean(0).abs().max() < 5e-3


def test_members_are_trained_on_what_is_left_as_in_a_plain_loop(
    recipe, blobs, plain, assert_equal_members
):
    maker = GradientBoosting(members=3, rate=0.5, corrective_epochs=0)
    made = maker.make(recipe, blobs, CONFIG, seed=7)
    states, total = [], None
    for trial in range(len(made.members)):
        alone = plain(recipe, blobs, CONFIG, trial=trial)
        if total is None:
            total = best_constant(alone.y, task="classification", outputs=3).expand(60, 3)
        p = torch.softmax(total, -1)
        h = (p * (1 - p)).clamp_min(1e-2)
        wanted = (F.one_hot(alone.y, 3) - p) / h
        for epoch in range(4):
            for rows in alone.batches(epoch):
                alone.step((h[rows] * (alone.model(alone.x[rows]) - wanted[rows]) ** 2).mean())
        total = (total + 0.5 * alone.model(alone.x)).detach()
        states.append(alone.state)
    assert_equal_members(made, states)
    said = made(torch.from_numpy(blobs.train.x).double())
    torch.testing.assert_close(said, torch.log_softmax(total, -1))


def test_the_stage_that_is_best_on_the_validation_part_answers(recipe, blobs):
    for corrective in (0, 1):
        maker = GradientBoosting(members=5, rate=0.8, corrective_epochs=corrective)
        made = maker.make(recipe, blobs, CONFIG, seed=7)
        losses = made.facts["stage_losses"]
        assert len(losses) == 5
        assert len(made.members) == int(np.argmin(losses)) + 1
        found = made.score(blobs.validation)["log_loss"]
        assert found == pytest.approx(min(losses), rel=1e-5)


def test_a_corrective_step_lowers_the_loss_itself(recipe, blobs):
    plain, corrected = (
        GradientBoosting(members=4, corrective_epochs=epochs).make(recipe, blobs, CONFIG, seed=7)
        for epochs in (0, 3)
    )
    loss = [made.score(blobs.train)["log_loss"] for made in (plain, corrected)]
    assert loss[1] < loss[0]


def test_values_come_back_in_their_own_units(line):
    recipe = rp.Recipe(model=lambda config: nn.Linear(3, 1), epochs=30, dtype="float64")
    maker = GradientBoosting(members=6, rate=0.7, corrective_epochs=0)
    made = maker.make(recipe, line, CONFIG)
    x = np.c_[line.train.x.astype(np.float64), np.ones(48)]
    solution = np.linalg.lstsq(x, line.train.y, rcond=None)[0]
    wanted = np.c_[line.test.x.astype(np.float64), np.ones(len(line.test))] @ solution
    # Each stage takes 70 % of what is left of the way to least squares.
    left = 0.3 ** len(made.members)
    np.testing.assert_allclose(made.predict(line.test), wanted, atol=10 * left + 0.05)


class Counted(nn.Linear):
    """Counts how often any model of its kind is run."""

    calls = 0

    def forward(self, x):
        Counted.calls += 1
        return super().forward(x)


def test_a_member_costs_no_more_however_many_were_there_before(line):
    # torchensemble 0.2.0 runs all earlier members for every batch of the next one.
    recipe = rp.Recipe(model=lambda config: Counted(3, 1), epochs=2)
    calls = []
    for members in (2, 4):
        before = Counted.calls
        GradientBoosting(members=members, corrective_epochs=0).make(recipe, line, CONFIG)
        calls.append(Counted.calls - before)
    assert 0 < calls[1] <= 2 * calls[0]


def test_names_of_classes_may_be_anything(recipe):
    # torchensemble 0.2.0 crashes on labels that are not 0 to K - 1.
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 80)
    x = (rng.normal(size=(80, 5)) + 2 * np.eye(5)[y]).astype(np.float32)
    data = Data.from_arrays(x, np.array([10, 7, 42])[y])
    made = GradientBoosting(members=2).make(recipe, data, CONFIG)
    assert set(made.predict(data.test)) <= {7, 10, 42}


def test_soft_boosting_trains_all_on_what_those_before_leave(
    recipe, blobs, plain, assert_equal_members
):
    made = SoftGradientBoosting(members=3, rate=0.4).make(recipe, blobs, CONFIG, seed=7)
    each = [plain(recipe, blobs, CONFIG, trial=trial) for trial in range(3)]
    start = best_constant(each[0].y, task="classification", outputs=3)
    for epoch in range(4):
        for rows in each[0].batches(epoch):
            total = start
            outputs = [one.model(one.x[rows]) for one in each]
            for one, output in zip(each, outputs, strict=True):
                left = F.one_hot(one.y[rows], 3) - torch.softmax(total.expand_as(output), -1)
                one.step(((output - left) ** 2).mean())
                total = total + 0.4 * output.detach()
    assert_equal_members(made, [one.state for one in each])
    x = torch.from_numpy(blobs.test.x).double()
    total = start + 0.4 * torch.stack([member(x) for member in made.members]).sum(0)
    torch.testing.assert_close(made(x), torch.log_softmax(total, -1))


def test_a_first_member_that_diverges_is_an_error(line):
    recipe = rp.Recipe(model=lambda config: nn.Linear(3, 1), epochs=3)
    with pytest.raises(EnsembleError, match="the first member diverged"):
        GradientBoosting().make(recipe, line, rp.Config({"lr": 1e30, "optimizer": "sgd"}))
    with pytest.raises(EnsembleError, match="order = 3"):
        GradientBoosting(order=3)
