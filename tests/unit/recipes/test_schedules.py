import pytest
import torch
from torch.optim import lr_scheduler

from ripieno.recipes import learning_rate_factor, read_knobs

EPOCHS, STEPS = 6, 7


def factors(**config):
    knobs = read_knobs(config)
    return [
        learning_rate_factor(step, STEPS, epochs=EPOCHS, knobs=knobs)
        for step in range(EPOCHS * STEPS)
    ]


def torchs(make):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    scheduler, rates = make(optimizer), []
    for _ in range(EPOCHS * STEPS):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


@pytest.mark.parametrize(
    ("config", "make"),
    [
        ({"schedule": "constant"}, lambda o: lr_scheduler.ConstantLR(o, factor=1.0)),
        ({"schedule": "cosine"}, lambda o: lr_scheduler.CosineAnnealingLR(o, EPOCHS * STEPS)),
        (
            {"schedule": "exponential", "schedule_gamma": 0.7},
            lambda o: lr_scheduler.ExponentialLR(o, 0.7 ** (1 / STEPS)),
        ),
        (
            {"schedule": "polynomial", "schedule_power": 1.7},
            lambda o: lr_scheduler.PolynomialLR(o, EPOCHS * STEPS, power=1.7),
        ),
        (
            {"schedule": "cosine", "warmup_epochs": 2},
            lambda o: lr_scheduler.SequentialLR(
                o,
                [
                    lr_scheduler.LambdaLR(o, lambda step: (step + 1) / 14),
                    lr_scheduler.CosineAnnealingLR(o, 28),
                ],
                milestones=[14],
            ),
        ),
    ],
    ids=["constant", "cosine", "exponential", "polynomial", "warm-up"],
)
def test_factors_equal_torchs_scheduler_step_by_step(config, make):
    assert factors(**config) == pytest.approx(torchs(make), rel=1e-12, abs=1e-15)


def test_the_exponential_factor_falls_by_gamma_an_epoch():
    drawn = factors(schedule="exponential", schedule_gamma=0.5)
    assert drawn[::STEPS] == pytest.approx([0.5**epoch for epoch in range(EPOCHS)])


def test_the_warm_up_ends_at_one():
    drawn = factors(schedule="polynomial", warmup_epochs=1.5)
    assert drawn[:10] == pytest.approx([(i + 1) / 10 for i in range(10)])
    assert drawn[10] == 1.0


def test_a_warm_up_longer_than_the_training_never_ends():
    drawn = factors(schedule="cosine", warmup_epochs=100)
    assert drawn[-1] == 1.0
    assert drawn == sorted(drawn)


@pytest.mark.parametrize("schedule", ["cosine", "polynomial"])
def test_beyond_the_last_epoch_the_factor_stays_where_it_ended(schedule):
    knobs = read_knobs({"schedule": schedule})
    for step in (42, 43, 1000):
        factor = learning_rate_factor(step, STEPS, epochs=EPOCHS, knobs=knobs)
        assert factor == pytest.approx(0.0, abs=1e-15)
