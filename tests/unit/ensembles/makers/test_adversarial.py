import pytest
import torch
from torch import nn

import ripieno as rp
from ripieno.ensembles.makers import Adversarial
from ripieno.errors import EnsembleError

CONFIG = rp.Config({"lr": 0.1, "optimizer": "sgd", "batch_size": 16})


def test_each_member_is_trained_on_its_batch_and_on_what_misleads_it(
    recipe, blobs, plain, assert_equal_members
):
    # Standardised features are not in [0, 1], where torchensemble 0.2.0 wants them.
    assert blobs.train.x.min() < -1
    made = Adversarial(members=2, size=0.2).make(recipe, blobs, CONFIG, seed=7)
    states = []
    for trial in (0, 1):
        alone = plain(recipe, blobs, CONFIG, trial=trial)
        for epoch in range(4):
            for rows in alone.batches(epoch):
                x, y = alone.x[rows].requires_grad_(), alone.y[rows]
                gradient = torch.autograd.grad(nn.functional.cross_entropy(alone.model(x), y), x)[0]
                moved = (x + 0.2 * gradient.sign()).detach()
                both = [nn.functional.cross_entropy(alone.model(part), y) for part in (x, moved)]
                alone.step(sum(both) / 2)
        states.append(alone.state)
    assert_equal_members(made, states)


def test_a_negative_size_is_refused():
    with pytest.raises(EnsembleError, match="size = -1"):
        Adversarial(size=-1)
