import numpy as np
import pytest

import ripieno as rp
from ripieno.diagnostics import learning_rate_range, suggest
from ripieno.diagnostics.range_test import smooth
from ripieno.errors import RecipeError

RATES = np.geomspace(1e-6, 10.0, 141)


def valley(rates, *, fall=1e-3, cliff=0.3):
    """Flat, a fall around one rate, and a cliff: losses as a range test gives them."""
    x = np.log10(rates)
    falling = 2.3 - 1.8 / (1 + np.exp(-4 * (x - np.log10(fall))))
    return falling + np.where(rates > cliff, 4 * (x - np.log10(cliff)) ** 2, 0.0)


def near(suggestion, rate, factor=3.0):
    return rate / factor < suggestion < rate * factor


@pytest.mark.parametrize("fall", [1e-4, 1e-3, 1e-2])
def test_the_suggestion_is_where_the_loss_falls_fastest(fall):
    assert near(suggest(RATES, smooth(valley(RATES, fall=fall))), fall)


def test_early_spikes_do_not_move_the_suggestion():
    losses = valley(RATES)
    calm = suggest(RATES, smooth(losses))
    losses[[3, 11, 12, 25]] = [9.0, 7.0, 8.0, 0.1]
    assert near(suggest(RATES, smooth(losses)), calm, 1.3)


def test_a_fall_back_from_the_cliff_is_not_the_suggestion():
    losses = valley(RATES)
    # Beyond the cliff the loss falls faster than anywhere else, yet never as low.
    losses[-10:] = np.linspace(losses[-11], 1.5, 10)
    assert near(suggest(RATES, smooth(losses)), 1e-3)


def test_noise_moves_the_suggestion_by_less_than_a_decade():
    rng = np.random.default_rng(0)
    for _ in range(20):
        noisy = valley(RATES) + rng.normal(0.0, 0.15, len(RATES))
        assert near(suggest(RATES, smooth(noisy)), 1e-3, 6.0)


def test_where_the_loss_never_falls_there_is_no_suggestion():
    rng = np.random.default_rng(0)
    flat = 2.3 + rng.normal(0.0, 0.1, len(RATES))
    assert suggest(RATES, smooth(flat)) is None
    assert suggest(RATES, smooth(np.linspace(2.3, 5.0, len(RATES)))) is None


def test_a_constant_stays_what_it_is_under_smoothing():
    assert smooth([1.5] * 20) == pytest.approx(np.full(20, 1.5), abs=1e-12)


def test_the_test_is_the_same_each_time_and_leaves_torch_as_it_was(recipe, data):
    import torch

    torch.manual_seed(3)
    before = torch.get_rng_state()
    config = rp.Config({"dropout": 0.2})
    first = learning_rate_range(recipe, data, config, seed=1)
    assert learning_rate_range(recipe, data, config, seed=1) == first
    assert torch.equal(torch.get_rng_state(), before)
    assert 1e-4 < first.suggestion < first.lowest < 10.0
    assert len(first.rates) == len(first.losses) == len(first.smoothed)


def test_an_empty_range_is_refused(recipe, data):
    with pytest.raises(RecipeError, match="no range of learning rates"):
        learning_rate_range(recipe, data, rp.Config({}), low=1.0, high=0.1)
