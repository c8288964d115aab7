import math
import random

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


def one_cycle_of_28(step):
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=1.0)
    cycle = lr_scheduler.OneCycleLR(optimizer, 1.0, total_steps=28, cycle_momentum=False)
    for _ in range(step):
        optimizer.step()
        cycle.step()
    return optimizer.param_groups[0]["lr"]


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
            {"schedule": "cosine_restarts", "schedule_period": 2},
            lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, 2 * STEPS),
        ),
        (
            {"schedule": "cosine_restarts", "schedule_period": 1, "schedule_period_mult": 2},
            lambda o: lr_scheduler.CosineAnnealingWarmRestarts(o, STEPS, T_mult=2),
        ),
        (
            {"schedule": "step", "schedule_period": 2},
            lambda o: lr_scheduler.StepLR(o, 2 * STEPS),
        ),
        (
            {"schedule": "step", "schedule_period": 1.5, "schedule_gamma": 0.5},
            # 1.5 epochs are 10.5 steps.
            lambda o: lr_scheduler.MultiStepLR(o, [11, 21, 32], gamma=0.5),
        ),
        (
            {"schedule": "one_cycle"},
            lambda o: lr_scheduler.OneCycleLR(o, 1.0, total_steps=EPOCHS * STEPS,
                                              cycle_momentum=False),
        ),
        (
            {"schedule": "one_cycle", "schedule_peak": 0.55},
            lambda o: lr_scheduler.OneCycleLR(o, 1.0, total_steps=EPOCHS * STEPS, pct_start=0.55,
                                              cycle_momentum=False),
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
        (
            {"schedule": "one_cycle", "warmup_epochs": 2},
            lambda o: lr_scheduler.SequentialLR(
                o,
                [
                    lr_scheduler.LambdaLR(o, lambda step: (step + 1) / 14),
                    lr_scheduler.LambdaLR(o, one_cycle_of_28),
                ],
                milestones=[14],
            ),
        ),
    ],
    ids=["constant", "cosine", "exponential", "polynomial", "restarts", "growing restarts",
         "step", "broken step", "one cycle", "one late cycle", "warm-up", "warm-up, one cycle"],
)  # fmt: skip
def test_factors_equal_torchs_scheduler_step_by_step(config, make):
    assert factors(**config) == pytest.approx(torchs(make), rel=1e-12, abs=1e-15)


def test_beyond_the_last_epoch_one_cycle_stays_where_it_ended():
    knobs = read_knobs({"schedule": "one_cycle"})
    for step in (41, 42, 1000):
        factor = learning_rate_factor(step, STEPS, epochs=EPOCHS, knobs=knobs)
        assert factor == pytest.approx(1 / 25e4)


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


@pytest.mark.parametrize("mode", ["min", "max"])
@pytest.mark.parametrize("patience", [0, 1, 3])
@pytest.mark.parametrize("lr", [1.0, 1e-6])
def test_plateau_equals_torchs_scheduler_epoch_by_epoch(mode, patience, lr):
    rng = random.Random(patience)
    values = [round(abs(1.0 / (1 + epoch) + rng.gauss(0, 0.05)), 2) for epoch in range(40)]
    values[7] = math.nan
    optimizer = torch.optim.SGD([torch.zeros(1, requires_grad=True)], lr=lr)
    scheduler = lr_scheduler.ReduceLROnPlateau(optimizer, mode, factor=0.3, patience=patience)
    knobs = read_knobs({"schedule": "plateau", "schedule_patience": patience,
                        "schedule_gamma": 0.3, "lr": lr})  # fmt: skip
    seen = []
    for epoch, value in enumerate(values):
        factor = learning_rate_factor(epoch * STEPS, STEPS, epochs=40, knobs=knobs, values=seen)
        assert lr * factor == pytest.approx(optimizer.param_groups[0]["lr"], rel=1e-12)
        scheduler.step(value)
        seen.append(value if mode == "min" else -value)
    assert factor < 0.1


def test_plateau_leaves_the_warm_up_out():
    knobs = read_knobs({"schedule": "plateau", "schedule_patience": 1, "warmup_epochs": 2})
    values = [1.0, 2.0, 3.0, 4.0, 5.0]
    drawn = [
        learning_rate_factor(e * STEPS, STEPS, epochs=9, knobs=knobs, values=values[:e])
        for e in range(6)
    ]
    assert drawn == pytest.approx([1 / 14, 8 / 14, 1.0, 1.0, 1.0, 0.1])


@pytest.mark.parametrize("schedule", ["cosine", "polynomial"])
def test_beyond_the_last_epoch_the_factor_stays_where_it_ended(schedule):
    knobs = read_knobs({"schedule": schedule})
    for step in (42, 43, 1000):
        factor = learning_rate_factor(step, STEPS, epochs=EPOCHS, knobs=knobs)
        assert factor == pytest.approx(0.0, abs=1e-15)
