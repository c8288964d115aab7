"""A learning rate that tunes itself beside an optimizer of the user's."""

import gc
from itertools import pairwise

import pytest
import torch

from ripieno.errors import HypergradientError
from ripieno.hypergradient import OnlineLearningRate

OPTIMIZERS = {
    "sgd": lambda p, lr: torch.optim.SGD(p, lr=lr),
    "momentum": lambda p, lr: torch.optim.SGD(p, lr=lr, momentum=0.9),
    "adam": lambda p, lr: torch.optim.Adam(p, lr=lr),
}
SCALES = torch.tensor([1.0, 3.0, 10.0])


def parabola(w):
    return 0.5 * (SCALES * w.square()).sum()


def trained(make, lr, steps=150, **options):
    """Minimize a parabola; return the loss, and the rates on the way."""
    w = torch.nn.Parameter(torch.ones(3))
    online = OnlineLearningRate(make([w], lr), **options)
    rates = []
    for _ in range(steps):
        w.grad = None
        loss = parabola(w)
        loss.backward()
        online.step(loss)
        rates += online.rates
    return float(parabola(w).detach()), rates


def test_the_additive_form_is_that_of_the_paper():
    found, rates = [], []
    w, lr = torch.ones(3), 0.01
    last = torch.zeros(3)
    for _ in range(5):
        gradient = SCALES * w
        lr += 1e-4 * float(gradient @ last)  # Baydin et al., Eq. (5)
        w, last = w - lr * gradient, gradient
        rates.append(lr)
    found = trained(OPTIMIZERS["sgd"], 0.01, steps=5, form="additive", strength=1e-4)[1]
    assert found == pytest.approx(rates, rel=1e-5)


def test_the_additive_form_of_adam_takes_adams_own_direction():
    w = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([w], lr=0.01)
    online = OnlineLearningRate(optimizer, form="additive", strength=1e-4)
    rates, lr = [], 0.01
    for _ in range(4):
        state = optimizer.state.get(w)
        w.grad = None
        parabola(w).backward()
        if state:
            step = int(state["step"])
            mean, square = state["exp_avg"], state["exp_avg_sq"]
            direction = (mean / (1 - 0.9**step)) / ((square / (1 - 0.999**step)).sqrt() + 1e-8)
            lr += 1e-4 * float(w.grad @ direction)  # Eq. (8)
        rates.append(lr)
        online.step()
        assert online.rates[0] == pytest.approx(rates[-1], rel=1e-5)


def test_the_cosine_form_multiplies_by_at_most_its_strength():
    rates = trained(OPTIMIZERS["sgd"], 1e-5, steps=40, strength=0.3)[1]
    factors = [after / before for before, after in pairwise(rates)]
    assert factors[:5] == pytest.approx([1.3] * 5, rel=1e-3)
    assert all(0.7 <= factor <= 1.3 + 1e-6 for factor in factors)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_first_rate_no_longer_decides(name):
    fixed = [trained(OPTIMIZERS[name], lr, strength=1e-12, cliff=1e30)[0]
             for lr in (1e-5, 1e-3, 0.1)]  # fmt: skip
    tuned = [trained(OPTIMIZERS[name], lr)[0] for lr in (1e-5, 1e-3, 0.1, 10.0)]
    assert max(fixed) > 5
    assert max(tuned) < 0.5


def test_a_step_off_the_cliff_is_undone_and_halves_the_rate():
    w = torch.nn.Parameter(torch.ones(3))
    online = OnlineLearningRate(torch.optim.SGD([w], lr=100.0))
    for expected, taken in ((100.0, True), (50.0, False)):
        w.grad = None
        loss = parabola(w)
        loss.backward()
        assert online.step(loss) is taken
        assert online.rates == [expected]
    assert torch.equal(w, torch.ones(3))
    loss = parabola(w) * torch.nan
    assert online.step(loss) is False
    # Nothing has moved since: no step is to blame for what is higher now.
    rates = online.rates
    assert online.step(3 * parabola(w)) is True
    assert online.rates == rates


def test_a_gradient_that_is_not_finite_leaves_the_rate():
    w = torch.nn.Parameter(torch.ones(3))
    online = OnlineLearningRate(torch.optim.SGD([w], lr=0.1))
    for factor in (1.0, torch.inf):
        w.grad = factor * torch.ones(3)
        online.step()
    assert online.rates == [0.1]


def test_each_group_and_a_rate_that_is_a_tensor_follow_for_themselves():
    a, b = (torch.nn.Parameter(torch.ones(2)) for _ in range(2))
    optimizer = torch.optim.SGD(
        [{"params": [a], "lr": torch.tensor(0.1)}, {"params": [b], "lr": 0.2}]
    )
    online = OnlineLearningRate(optimizer, strength=0.5)
    for sign in (1.0, -1.0):
        a.grad, b.grad = torch.ones(2), sign * torch.ones(2)
        online.step()
    assert online.rates == pytest.approx([0.15, 0.1])
    assert isinstance(optimizer.param_groups[0]["lr"], torch.Tensor)


def test_a_training_goes_on_where_it_was_stored():
    w = torch.nn.Parameter(torch.ones(3))
    optimizer = torch.optim.Adam([w], lr=1e-3)
    online = OnlineLearningRate(optimizer)
    for step in range(8):
        if step == 4:  # everything is made anew, out of what was stored
            stored, kept = online.state_dict(), optimizer.state_dict()
            w = torch.nn.Parameter(w.detach().clone())
            optimizer = torch.optim.Adam([w], lr=1e-3)
            optimizer.load_state_dict(kept)
            online = OnlineLearningRate(optimizer)
            online.load_state_dict(stored)
        w.grad = None
        loss = parabola(w)
        loss.backward()
        online.step(loss)
    assert online.rates == trained(OPTIMIZERS["adam"], 1e-3, steps=8)[1][-1:]


def test_a_state_of_another_optimizer_is_refused():
    a, b = torch.nn.Parameter(torch.ones(3)), torch.nn.Parameter(torch.ones(2))
    a.grad = torch.ones(3)
    first, second = (OnlineLearningRate(torch.optim.SGD([p], lr=0.1)) for p in (a, b))
    first.step()
    with pytest.raises(HypergradientError, match="does not fit"):
        second.load_state_dict(first.state_dict())


@pytest.mark.parametrize(
    "options", [{"form": "sine"}, {"strength": 0.0}, {"strength": 1.5}, {"cliff": 0.5},
                {"lowest": 1.0, "highest": 0.1}]
)  # fmt: skip
def test_values_that_make_no_sense_are_refused(options):
    with pytest.raises(HypergradientError) as caught:
        OnlineLearningRate(torch.optim.SGD([torch.ones(1)], lr=0.1), **options)
    assert caught.value.fix


def test_memory_does_not_grow_over_ten_thousand_steps():
    w = torch.nn.Parameter(torch.ones(3))
    online = OnlineLearningRate(torch.optim.SGD([w], lr=1e-3))
    counts = []
    for step in range(10_000):
        w.grad = None
        loss = parabola(w)
        loss.backward()
        online.step(loss)
        if step in {10, 9_999}:
            gc.collect()
            counts.append(sum(issubclass(type(thing), torch.Tensor) for thing in gc.get_objects()))
    assert counts[0] == counts[1]
