import pytest
import torch
from torch import nn
from torch.optim.swa_utils import SWALR, AveragedModel, update_bn

import ripieno as rp
from ripieno.ensembles.makers import Swa, average, refresh_statistics
from ripieno.errors import EnsembleError
from ripieno.recipes import build_model, complete, draws


def test_the_mean_is_exact_from_the_first_state_on():
    # torch-uncertainty 0.8.0 gives 0.40 for the mean of 1, 0, 0, 0.
    states = [{"w": torch.tensor([value]), "n": torch.tensor(3)} for value in (1.0, 0.0, 0.0, 0.0)]
    assert average(states) == {"w": torch.tensor([0.25]), "n": torch.tensor(3)}
    assert average(states[:2], [3.0, 1.0])["w"].tolist() == [0.75]


def test_statistics_equal_those_of_torch_and_nothing_else_is_touched():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.0)).double()
    other = nn.Sequential(nn.Linear(4, 3), nn.BatchNorm1d(3), nn.Dropout(0.0)).double()
    other.load_state_dict(model.state_dict())
    x = torch.randn(40, 4).double()
    assert refresh_statistics(model, x, batch_size=16)
    update_bn(x.split(16), other)
    torch.testing.assert_close(model.state_dict(), other.state_dict())
    assert model.training
    assert model[1].momentum == 0.1


def test_a_last_row_alone_has_no_variance_and_is_left_out():
    model = nn.BatchNorm1d(2)
    x = torch.arange(10.0).view(5, 2)
    model.register_parameter("some", nn.Parameter(torch.zeros(1)))
    refresh_statistics(model, x, batch_size=4)
    torch.testing.assert_close(model.running_mean, x[:4].mean(0))
    assert not refresh_statistics(nn.Linear(2, 2), x)


@pytest.mark.parametrize("norm", [False, True])
def test_swa_is_that_of_torch(recipe, blobs, norm):
    config = rp.Config({"lr": 0.1, "optimizer": "sgd", "batch_size": 16, "norm": norm})
    made = Swa(start=0.5, rate=0.3).make(recipe, blobs, config, seed=7)

    seed = draws.trial_seed(7, 0)
    model = build_model(complete(recipe, blobs), config, seed)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    mean = AveragedModel(model)
    x, y = torch.from_numpy(blobs.train.x).double(), torch.from_numpy(blobs.train.y)
    for epoch in range(4):
        if epoch == 2:
            SWALR(optimizer, swa_lr=0.03, anneal_epochs=0)
        for rows in draws.epoch_order(seed, epoch, rows=len(x)).split(16):
            optimizer.zero_grad()
            nn.functional.cross_entropy(model(x[rows]), y[rows]).backward()
            optimizer.step()
        if epoch >= 2:
            mean.update_parameters(model)
    update_bn(x.split(16), mean)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.03)
    torch.testing.assert_close(
        made.members[0].state_dict(), dict(mean.module.state_dict()), rtol=0, atol=1e-10
    )


def test_several_means_are_members_and_bad_numbers_are_refused(recipe, blobs):
    made = Swa(members=3, start=0.5, every_epochs=2).make(recipe, blobs, rp.Config({"lr": 0.02}))
    assert len(made.members) == 3
    with pytest.raises(EnsembleError, match=r"start = 1\.0"):
        Swa(start=1.0)
