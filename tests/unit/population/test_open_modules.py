"""Rows of open modules are modules that ``torch.optim`` trains alone."""

import pytest
import torch
import torch.nn.functional as F
from torch import nn

from ripieno.population import OpenModules

MEMBERS, STEPS = 3, 4
MOMENTUM, DECAYS, CLIPS = [0.9, 0.5, 0.0], [1e-2, 0.0, 1e-3], [0.1, 0.0, 5.0]
RATES = [0.1, 0.01, 0.3]


class Scaled(nn.Module):
    """A module with a buffer that is given from outside."""

    def __init__(self):
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2, track_running_stats=False), nn.Flatten(),
            nn.Linear(32, 3),
        )  # fmt: skip
        self.register_buffer("scale", torch.ones(()))

    def forward(self, x):
        return self.scale * self.layers(x)


@pytest.fixture
def modules():
    torch.manual_seed(0)
    return [Scaled().double() for _ in range(MEMBERS)]


def opened(modules, rows=slice(None)):
    hyper = {"momentum": MOMENTUM, "weight_decay": DECAYS, "gradient_clip": CLIPS}
    numbers = {name: torch.tensor(values).double()[rows] for name, values in hyper.items()}
    return OpenModules(modules, numbers)


def batches(members=MEMBERS):
    torch.manual_seed(1)
    return [
        {
            "x": torch.randn(members, 5, 1, 6, 6, dtype=torch.float64),
            "y": torch.randint(3, (members, 5)),
            "scale": torch.rand(members, dtype=torch.float64) + 0.5,
        }
        for _ in range(STEPS)
    ]


def slopes_of(stack):
    def slopes(params, batch):
        with torch.enable_grad():
            own = {name: p.detach().requires_grad_() for name, p in params.items()}
            outputs = stack.forward({**own, "scale": batch["scale"]}, batch["x"])
            losses = F.cross_entropy(
                outputs.flatten(0, 1), batch["y"].flatten(), reduction="none"
            ).view(batch["y"].shape).mean(1)  # fmt: skip
            return losses.detach(), *torch.autograd.grad(losses.sum(), list(own.values()))

    return slopes


def test_steps_equal_those_of_torch(modules):
    stack = opened(modules)
    run = stack.recorded(slopes_of(stack), batches()[0])
    for batch in batches():
        losses, *slopes = run(stack.params, batch)
        gradients = dict(zip(stack.params, slopes, strict=True))
        stack.apply(gradients, losses=losses, rates=torch.tensor(RATES).double())
    for row, module in enumerate(modules):
        optimizer = torch.optim.SGD(
            module.parameters(), RATES[row], MOMENTUM[row], weight_decay=DECAYS[row]
        )
        for batch in batches():
            module.scale = batch["scale"][row]
            optimizer.zero_grad()
            F.cross_entropy(module(batch["x"][row]), batch["y"][row]).backward()
            if CLIPS[row]:
                nn.utils.clip_grad_norm_(module.parameters(), CLIPS[row])
            optimizer.step()
        for name, own in module.named_parameters():
            torch.testing.assert_close(stack.weights(row)[name], own.detach())


def test_rows_that_are_kept_keep_their_momentum(modules):
    stack, whole = opened(modules), opened(modules)
    first, second, *_ = batches()
    for batch, rows in ((first, [0, 1, 2]), (second, [2, 0])):
        if len(rows) < MEMBERS:
            stack.select(rows)
        for own, chosen in ((whole, [0, 1, 2]), (stack, rows)):
            some = {name: tensor[chosen] for name, tensor in batch.items()}
            losses, *slopes = slopes_of(own)(own.params, some)
            own.apply(
                dict(zip(own.params, slopes, strict=True)),
                losses=losses,
                rates=torch.tensor(RATES).double()[chosen],
            )
    assert stack.members == 2
    for name, tensor in whole.params.items():
        torch.testing.assert_close(stack.params[name], tensor[[2, 0]])


def test_a_row_whose_loss_is_not_finite_stays_as_it_is(modules):
    stack = opened(modules)
    before = {name: tensor.clone() for name, tensor in stack.params.items()}
    gradients = {name: torch.ones_like(tensor) for name, tensor in before.items()}
    losses = torch.tensor([1.0, torch.nan, 1.0], dtype=torch.float64)
    stack.apply(gradients, losses=losses, rates=torch.ones(MEMBERS))
    for name, tensor in stack.params.items():
        assert torch.equal(tensor[1], before[name][1])
        assert not torch.equal(tensor[0], before[name][0])
