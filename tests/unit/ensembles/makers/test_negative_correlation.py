import pytest
import torch
import torch.nn.functional as F

import ripieno as rp
from ripieno.ensembles.makers import Fusion, NegativeCorrelation, correlated_loss
from ripieno.errors import EnsembleError

CONFIG = rp.Config({"lr": 0.1, "optimizer": "sgd", "batch_size": 16})
TARGETS = {
    "classification": lambda: torch.tensor([[0, 2, 1, 1, 0]]).expand(4, 5),
    "multilabel": lambda: (torch.arange(15.0).view(1, 5, 3) % 2).expand(4, 5, 3).double(),
    "regression": lambda: torch.linspace(-1, 1, 15).view(1, 5, 3).expand(4, 5, 3).double(),
}


def loss_of_the_mean(outputs, y, task):
    mean = outputs.mean(0)
    if task == "regression":
        return 0.5 * ((mean - y[0]) ** 2).sum(-1).mean()
    if task == "multilabel":
        return F.binary_cross_entropy_with_logits(mean, y[0])
    return F.cross_entropy(mean, y[0])


@pytest.mark.parametrize("task", TARGETS)
def test_at_strength_one_a_gradient_is_that_of_the_mean_once_a_member(task):
    torch.manual_seed(0)
    outputs, y = torch.randn(4, 5, 3).double().requires_grad_(), TARGETS[task]()
    found = torch.autograd.grad(
        correlated_loss(outputs, y, task=task, strength=1.0).sum(), outputs
    )[0]
    wanted = torch.autograd.grad(loss_of_the_mean(outputs, y, task), outputs)[0]
    torch.testing.assert_close(found, 4 * wanted)


@pytest.mark.parametrize("task", TARGETS)
def test_losses_less_their_ambiguity_are_the_loss_of_the_mean(task):
    torch.manual_seed(1)
    outputs, y = torch.randn(4, 5, 3).double(), TARGETS[task]()
    found = correlated_loss(outputs, y, task=task, strength=1.0).mean()
    torch.testing.assert_close(found, loss_of_the_mean(outputs, y, task))


def test_the_gradient_of_a_value_is_the_published_one():
    # Liu and Yao, Eq. (5): (f_m - y) - strength (f_m - F).
    outputs = torch.tensor([[[1.0]], [[4.0]]]).double().requires_grad_()
    y = torch.full((2, 1, 1), 2.0).double()
    found = torch.autograd.grad(
        correlated_loss(outputs, y, task="regression", strength=0.5).sum(), outputs
    )[0]
    assert found.flatten().tolist() == [-1 - 0.5 * (1 - 2.5), 2 - 0.5 * (4 - 2.5)]


def joint(recipe, data, plain, loss):
    """Members in a plain loop that all see the first one's rows."""
    each = [plain(recipe, data, CONFIG, trial=trial) for trial in (0, 1, 2)]
    for epoch in range(4):
        for rows in each[0].batches(epoch):
            outputs = torch.stack([one.model(one.x[rows]) for one in each])
            value = loss(outputs, each[0].y[rows].expand(3, -1))
            for one in each:
                one.optimizer.zero_grad()
            value.backward()
            for one in each:
                one.optimizer.step()
    return [one.state for one in each]


def test_members_are_trained_as_in_a_plain_loop(recipe, blobs, plain, assert_equal_members):
    made = NegativeCorrelation(members=3, strength=0.4).make(recipe, blobs, CONFIG, seed=7)

    def loss(outputs, y):
        return correlated_loss(outputs, y, task="classification", strength=0.4).sum()

    assert_equal_members(made, joint(recipe, blobs, plain, loss))


def test_a_fusion_is_one_model_whose_output_is_the_mean(recipe, blobs, plain, assert_equal_members):
    made = Fusion(members=3).make(recipe, blobs, CONFIG, seed=7)
    states = joint(recipe, blobs, plain, lambda outputs, y: F.cross_entropy(outputs.mean(0), y[0]))
    assert_equal_members(made, states)
    x = torch.from_numpy(blobs.test.x).double()
    mean = torch.stack([member(x) for member in made.members]).mean(0)
    torch.testing.assert_close(made(x), torch.log_softmax(mean, -1))


def test_more_strength_gives_members_that_agree_less(recipe, line):
    recipe = rp.Recipe(model=lambda config: torch.nn.Linear(3, 1), epochs=3, dtype="float64")
    spread = [
        NegativeCorrelation(members=4, strength=strength)
        .make(recipe, line, CONFIG)
        .predictions(line.test)
        .probabilities.std(axis=0)
        .mean()
        for strength in (0.0, 0.9)
    ]
    assert spread[1] > 1.5 * spread[0]


def test_members_that_diverge_beside_others_are_an_error(line):
    recipe = rp.Recipe(model=lambda config: torch.nn.Linear(3, 1), epochs=3)
    wild = rp.Config({"lr": 1e30, "optimizer": "sgd"})
    with pytest.raises(EnsembleError, match="the others were trained beside it"):
        Fusion(members=2).make(recipe, line, wild)
    with pytest.raises(EnsembleError, match="strength = 2"):
        NegativeCorrelation(strength=2)
