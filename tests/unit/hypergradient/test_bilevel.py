"""Hyperparameters that are tuned on validation data beside a training loop."""

import copy
import gc

import pytest
import torch
import torch.nn.functional as F

from ripieno.errors import HypergradientError
from ripieno.hypergradient import Bilevel, Bounded, Free, Implicit, Positive

GENERATOR = torch.Generator().manual_seed(0)
TRUE = torch.zeros(20)
TRUE[:2] = 2.0
X, VX = torch.randn(2, 30, 20, generator=GENERATOR)
Y, VY = (x @ TRUE + 2 * torch.randn(30, generator=GENERATOR) for x in (X, VX))


def squares(params, x, y):
    return (x @ params["w"] - y).square().mean()


def train(params, hyper):
    decay = hyper["weight_decay"]
    penalty = decay * params["w"].square()
    return squares(params, X, Y) + penalty.sum()


def validate(params, hyper):
    return squares(params, VX, VY)


def tuned(tuner, *, train=train, validate=validate, steps=400, size=20, lr=0.05):
    """Train by gradient descent beside a tuner; return the validation loss at the end."""
    params = {"w": torch.zeros(size)}
    for _ in range(steps):
        w = params["w"].requires_grad_()
        slope = torch.autograd.grad(train({"w": w}, tuner.values), w)[0]
        params = {"w": (w - lr * slope).detach()}
        tuner.step(train, validate, params)
    return float(validate(params, {}))


def test_weight_decay_is_tuned_to_the_best_of_a_grid():
    eye = torch.eye(20)
    best = min(
        float(validate({"w": torch.linalg.solve(X.T @ X / 30 + d * eye, X.T @ Y / 30)}, {}))
        for d in torch.logspace(-3, 1, 60)
    )
    for start in (1e-3, 1.0):
        found = tuned(Bilevel({"weight_decay": Positive(start)}, lr=0.1, iterations=5))
        assert found == pytest.approx(best, rel=0.02)


def test_one_weight_decay_a_parameter_beats_one_for_all():
    one, many = (
        tuned(Bilevel({"weight_decay": Bounded(start, 0.0, 10.0)}, lr=0.1, every=2))
        for start in (0.1, torch.full((20,), 0.1))
    )
    assert many < 0.9 * one


def labelled():
    """Two classes, of which the training labels of one are often wrong."""
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(120, 2, generator=generator)
    y = (x.sum(1) > 0).long()
    wrong = (torch.rand(120, generator=generator) < 0.4) & (y == 1)
    noisy = torch.where(wrong, 1 - y, y)
    return x[:60], noisy[:60], x[60:], y[60:]


def logits(params, x):
    return x @ params["w"].view(2, 2)


def classify(params, hyper):
    return F.cross_entropy(logits(params, labelled()[2]), labelled()[3])


def weighted(params, hyper):
    x, y, _, _ = labelled()
    logs = torch.log_softmax(logits(params, x), 1)
    losses = -logs.gather(1, y[:, None]).squeeze(1)
    if "class_weights" in hyper:
        weights = hyper["class_weights"][y]
        return (weights * losses).sum() / weights.sum()
    share = hyper["label_smoothing"]
    return (1 - share) * losses.mean() - share * logs.mean()


def test_class_weights_rise_for_the_class_whose_labels_are_missing():
    tuner = Bilevel({"class_weights": Positive(torch.ones(2))}, lr=0.1, every=5)
    tuned(tuner, train=weighted, validate=classify, size=4, steps=300)
    weights = tuner.values["class_weights"]
    assert float(weights[1] / weights[0]) > 2


def test_label_smoothing_falls_where_it_only_harms():
    tuner = Bilevel({"label_smoothing": Bounded(0.4)}, lr=0.1, every=5)
    before = tuned(Bilevel({"label_smoothing": Bounded(0.4)}, warmup=999), train=weighted,
                   validate=classify, size=4, steps=300)  # fmt: skip
    after = tuned(tuner, train=weighted, validate=classify, size=4, steps=300)
    assert 0 < float(tuner.values["label_smoothing"]) < 0.2
    assert after < before


def test_the_weight_of_a_second_loss_and_the_strength_of_noise_are_tuned():
    noise = torch.randn(30, 20, generator=torch.Generator().manual_seed(2))

    def both(params, hyper):
        noisy = squares(params, X + hyper["noise"] * noise, Y)
        # A second task that has nothing to do with the first one.
        return noisy + hyper["weight"] * (params["w"] - 3.0).square().sum()

    tuner = Bilevel({"noise": Positive(0.1), "weight": Positive(1.0)}, lr=0.1)
    tuned(tuner, train=both, steps=200)
    assert float(tuner.values["weight"]) < 0.2
    assert float(tuner.values["noise"]) > 0.3


def test_values_stay_within_what_is_allowed():
    def pushed(params, hyper):
        return (params["w"] - 1e3 * (hyper["a"] - hyper["b"] + hyper["c"])).square().sum()

    kinds = {"a": Positive(1e-3), "b": Bounded(0.9, 0.0, 1.0), "c": Free(0.0)}
    tuner = Bilevel(kinds, lr=2.0)
    params = {"w": torch.zeros(1)}
    for _ in range(20):
        tuner.step(pushed, lambda w, h: w["w"].sum(), params)
    values = {name: float(value) for name, value in tuner.values.items()}
    assert 0 < values["a"] < 1e-6
    assert 0.9 < values["b"] <= 1.0
    assert values["c"] == pytest.approx(-40.0, rel=1e-3)
    assert float(kinds["c"].first) == 0.0


@pytest.mark.parametrize(
    "make", [lambda: Positive(0.0), lambda: Bounded(1.0), lambda: Bounded(2.0, 0.0, 1.0),
             lambda: Free(float("nan"))]
)  # fmt: skip
def test_a_start_that_is_not_allowed_is_refused(make):
    with pytest.raises(HypergradientError, match="cannot begin at") as caught:
        make()
    assert "allowed" in caught.value.problem


def rows(decay):
    """The same problem for several decays, one a row."""

    def train(params, hyper):
        residual = torch.einsum("rd,md->mr", X, params["w"]) - Y
        return residual.square().mean(1) + hyper["weight_decay"] * params["w"].square().sum(1)

    def validate(params, hyper):
        return (torch.einsum("rd,md->mr", VX, params["w"]) - VY).square().mean(1)

    tuner = Bilevel({"weight_decay": Positive(torch.tensor(decay))}, lr=0.1)
    params = {"w": torch.zeros(len(decay), 20)}
    for _ in range(30):
        w = params["w"].requires_grad_()
        slope = torch.autograd.grad(train({"w": w}, tuner.values).sum(), w)[0]
        params = {"w": (w - 0.05 * slope).detach()}
        tuner.step(train, validate, params)
    return tuner


def test_a_row_does_not_depend_on_its_neighbours():
    starts = [0.01, 0.1, 1.0]
    together = rows(starts).values["weight_decay"]
    alone = torch.cat([rows([start]).values["weight_decay"] for start in starts])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=0)


def test_a_row_that_is_not_finite_keeps_its_value_and_its_neighbours_go_on():
    together = rows([0.01, 1e30, 1.0])
    values = together.values["weight_decay"]
    assert together.skipped > 0
    torch.testing.assert_close(values[[0, 2]], rows([0.01, 1.0]).values["weight_decay"],
                               rtol=1e-5, atol=0)  # fmt: skip


def test_it_waits_for_its_turn():
    tuner = Bilevel({"weight_decay": Positive(0.1)}, every=3, warmup=4)
    params = {"w": torch.ones(20)}
    moved = [tuner.step(train, validate, params) for _ in range(10)]
    assert [number for number, each in enumerate(moved, 1) if each] == [7, 10]


def test_a_tuning_goes_on_where_it_was_stored():
    def new():
        return Bilevel({"weight_decay": Positive(0.1)}, method=Implicit("neumann"), every=2)

    params = {"w": torch.ones(20)}
    whole, first, second = new(), new(), new()
    for _ in range(9):
        whole.step(train, validate, params)
    for _ in range(5):
        first.step(train, validate, params)
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for _ in range(4):
        second.step(train, validate, params)
    assert torch.equal(whole.values["weight_decay"], second.values["weight_decay"])


@pytest.mark.parametrize("options", [{"every": 0}, {"lr": 0.0}, {"warmup": -1}])
def test_values_that_make_no_sense_are_refused(options):
    with pytest.raises(HypergradientError):
        Bilevel({"weight_decay": Positive(0.1)}, **options)
    with pytest.raises(HypergradientError):
        Bilevel({})


def test_memory_does_not_grow_over_ten_thousand_steps():
    tuner = Bilevel({"weight_decay": Positive(0.1)}, iterations=1, every=10)
    params = {"w": torch.ones(20)}
    counts = []
    for step in range(10_000):
        tuner.step(train, validate, params)
        if step in {10, 9_999}:
            gc.collect()
            counts.append(sum(issubclass(type(each), torch.Tensor) for each in gc.get_objects()))
    assert counts[0] == counts[1]
