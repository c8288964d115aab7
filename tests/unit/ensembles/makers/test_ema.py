import pytest
import torch
from torch import nn
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn, update_bn

import ripieno as rp
from ripieno.ensembles.makers import Ema
from ripieno.errors import EnsembleError


@pytest.mark.parametrize("norm", [False, True])
@pytest.mark.parametrize("member", [0, 1])
def test_the_mean_is_that_of_torch(recipe, blobs, plain, norm, member):
    config = rp.Config({"lr": 0.2, "optimizer": "sgd", "batch_size": 16, "norm": norm})
    made = Ema(members=2, decay=0.8, warmup=False).make(recipe, blobs, config, seed=7)

    alone = plain(recipe, blobs, config, trial=member)
    mean = AveragedModel(alone.model, multi_avg_fn=get_ema_multi_avg_fn(0.8))
    for epoch in range(4):
        for rows in alone.batches(epoch):
            alone.step(nn.functional.cross_entropy(alone.model(alone.x[rows]), alone.y[rows]))
            mean.update_parameters(alone.model)
    update_bn(alone.x.split(16), mean)
    torch.testing.assert_close(
        made.members[member].state_dict(), dict(mean.module.state_dict()), rtol=0, atol=1e-10
    )


def test_a_mean_that_warms_up_forgets_the_first_weights(recipe, blobs, plain):
    config = rp.Config({"lr": 0.2, "optimizer": "sgd", "batch_size": 30})
    recipe = rp.Recipe(model=recipe.model, epochs=2, dtype="float64")
    made = Ema(decay=0.9999).make(recipe, blobs, config, seed=7)
    alone, seen = plain(recipe, blobs, config), []
    for epoch in range(2):
        for rows in alone.batches(epoch):
            alone.step(nn.functional.cross_entropy(alone.model(alone.x[rows]), alone.y[rows]))
            seen.append(alone.state["0.weight"])
    wanted = seen[0]
    for t, weight in enumerate(seen[1:], 1):
        decay = (1 + t) / (10 + t)
        wanted = decay * wanted + (1 - decay) * weight
    torch.testing.assert_close(made.members[0].state_dict()["0.weight"], wanted)


def test_a_decay_of_one_would_never_move():
    with pytest.raises(EnsembleError, match="decay = 1"):
        Ema(decay=1)
