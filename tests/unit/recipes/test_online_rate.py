"""Learning rates that tune themselves in the trials of a study: the rule, and one model."""

import pytest
import torch

from ripieno.errors import RecipeError
from ripieno.hypergradient import OnlineLearningRate
from ripieno.recipes import ONLINE, RateRule, along_steps, next_rates, rate_rule
from ripieno.recipes.knobs import read_knobs
from ripieno.recipes.online_rate import OnlineRate

SCALES = torch.tensor([1.0, 3.0, 10.0], dtype=torch.float64)
OPTIMIZERS = {
    "sgd": lambda p, lr: torch.optim.SGD([p], lr=lr),
    "adam": lambda p, lr: torch.optim.Adam([p], lr=lr),
}


def numbers(**values):
    return {name: torch.tensor(v, dtype=torch.float64) for name, v in values.items()}


def trained(make, lr, steps, *, schedule=lambda step: 1.0, store_at=None, rule=None):
    """Minimize a parabola; return the rates, each as the schedule scales it, and the factor."""
    w = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
    optimizer = make(w, lr)
    online, rates = OnlineRate(rule or RateRule(), optimizer, lr=lr), []
    for step in range(steps):
        if step == store_at:  # nothing but what the optimizer keeps is left
            kept = {name: value.clone() for name, value in optimizer.state[w].items()}
            w = torch.nn.Parameter(w.detach().clone())
            optimizer = make(w, lr)
            optimizer.state[w] = kept
            online = OnlineRate(rule or RateRule(), optimizer, lr=lr)
        w.grad = None
        loss = 0.5 * (SCALES * w.square()).sum()
        loss.backward()
        if online.follow(loss.item(), scheduled=lr * schedule(step)):
            optimizer.param_groups[0]["lr"] = online.rate
            optimizer.step()
            online.remember()
        rates.append(online.rate)
    return rates, online, w


def test_both_forms_are_those_of_the_paper_row_by_row():
    u, g = torch.tensor([[1.0, 2.0], [0.5, 0.0]]).double(), torch.tensor([[3.0, -1.0], [2.0, 7.0]])
    g, last = g.double(), torch.tensor([0.1, 0.2]).double()
    found = along_steps([g], [torch.zeros(2, 2).double()], [last.unsqueeze(1) * u])
    lr = torch.tensor([0.4, 0.1]).double()
    kept = numbers(online_factor=[0.25, 2.0], online_rate=last.tolist(), online_first=[1.0, 1.0])
    for rule, wanted in (
        (RateRule("additive", 0.01), 0.25 * 0.4 + 0.01 * (3.0 - 2.0)),  # Baydin et al., Eq. (5)
        (RateRule("cosine", 0.2), 0.1 * (1 + 0.2 * 1.0 / (5.0 * 10.0) ** 0.5)),
    ):
        after, fallen = next_rates(
            rule, kept, losses=torch.tensor([0.5, 0.5]).double(), lr=lr, scheduled=0.5 * lr,
            found=found,
        )  # fmt: skip
        assert float(after["online_factor"][0] * lr[0]) == pytest.approx(wanted)
        assert float(after["online_rate"][0]) == pytest.approx(0.5 * wanted)
        assert not fallen.any()


def test_a_first_step_and_one_off_the_cliff():
    lr = torch.ones(3).double()
    kept = numbers(
        online_factor=[1.0, 1.0, 1.0],
        online_rate=[0.0, 1.0, 1.0],
        online_first=[float("nan"), 1.0, 1.0],
    )
    assert set(kept) == set(ONLINE)
    after, fallen = next_rates(
        RateRule(), kept, losses=torch.tensor([7.0, 2.1, float("nan")]).double(), lr=lr,
        scheduled=lr, found=(-torch.ones(3).double(), torch.ones(3).double()),
    )  # fmt: skip
    assert fallen.tolist() == [False, True, True]
    assert after["online_factor"].tolist() == [1.0, 0.5, 0.5]
    assert after["online_first"].tolist() == [7.0, 1.0, 1.0]


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_one_model_gives_the_rates_of_the_callback(name):
    w = torch.nn.Parameter(torch.ones(3, dtype=torch.float64))
    callback, wanted = OnlineLearningRate(OPTIMIZERS[name](w, 1e-3)), []
    for _ in range(30):
        w.grad = None
        loss = 0.5 * (SCALES * w.square()).sum()
        loss.backward()
        callback.step(loss)
        wanted += callback.rates
    rates, _, found = trained(OPTIMIZERS[name], 1e-3, 30)
    assert rates == pytest.approx(wanted, rel=1e-12)
    assert torch.allclose(found, w, rtol=1e-12)


def test_a_schedule_scales_what_is_tuned():
    plain, scaled = (
        trained(OPTIMIZERS["sgd"], 1e-3, 2, schedule=schedule)
        for schedule in (lambda _: 1.0, lambda step: 0.5**step)
    )
    assert scaled[0] == pytest.approx([plain[0][0], 0.5 * plain[0][1]])
    assert scaled[1].factor == pytest.approx(plain[1].factor)


@pytest.mark.parametrize("name", OPTIMIZERS)
def test_the_optimizers_state_is_all_that_a_training_goes_on_from(name):
    whole = trained(OPTIMIZERS[name], 3.0, 12)
    parts = trained(OPTIMIZERS[name], 3.0, 12, store_at=5)
    assert whole[0] == parts[0]
    assert torch.equal(whole[2], parts[2])


def test_a_step_off_the_cliff_is_undone():
    rates, online, w = trained(OPTIMIZERS["sgd"], 100.0, 2)
    assert rates == [100.0, 50.0]
    assert torch.equal(w, torch.ones(3).double())
    assert online.edge == pytest.approx(7.0 * RateRule().cliff)


def test_a_step_is_undone_only_if_the_gradient_lays_the_loss_on_it():
    lr = torch.ones(4).double()
    kept = numbers(online_factor=[1.0] * 4, online_rate=[1.0] * 4, online_first=[1.0] * 4)
    undoing = torch.tensor([-0.9, -0.7, 0.0, float("nan")]).double()  # g.d: a fifth of 4 is 0.8
    losses = torch.tensor([5.0, 5.0, 5.0, float("nan")]).double()
    after, fallen = next_rates(
        RateRule(), kept, losses=losses, lr=lr, scheduled=lr, found=(undoing, 10 * undoing.abs())
    )
    assert fallen.tolist() == [True, False, False, True]
    assert after["online_factor"].tolist() == pytest.approx([0.5, 0.99, 1.0, 0.5])


@pytest.mark.parametrize(
    "values",
    [{"hypergradient": "lr+lr_additive"}, {"hypergradient": "lr", "hypergradient_strength": 1.0},
     {"hypergradient": "lr", "optimizer": "prodigy"}],
)  # fmt: skip
def test_what_does_not_go_together_is_refused(values):
    with pytest.raises(RecipeError, match="cannot tune itself"):
        rate_rule(read_knobs(values))


def test_a_knob_of_several_names_allows_each_of_them_once():
    assert rate_rule(read_knobs({"hypergradient": "weight_decay"})) is None
    rule = rate_rule(read_knobs({"hypergradient": "l1+lr_additive", "hypergradient_strength": 2.0}))
    assert rule == RateRule("additive", 2.0)
    for wrong in ("off+lr", "lr+lr", "lr+", "dropout", "lr+dropout"):
        with pytest.raises(RecipeError, match="joined by"):
            read_knobs({"hypergradient": wrong})


def test_what_tunes_itself_does_not_begin_at_zero():
    own = read_knobs({"hypergradient": "weight_decay+label_smoothing", "weight_decay": 0.3})
    assert (own.weight_decay, own.label_smoothing, own.l1) == (0.3, 0.05, 0.0)
