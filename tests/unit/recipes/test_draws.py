import numpy as np
import pytest
import torch
from scipy import stats
from torch.fx.experimental.proxy_tensor import make_fx

from ripieno.recipes import draws


def fmix(value):
    """The 32-bit mixer in Python integers, written from its definition."""
    value ^= value >> 16
    value = value * 0x21F0AAAD % 2**32
    value ^= value >> 15
    value = value * 0x735A2D97 % 2**32
    return value ^ value >> 15


def keys(count, start=0):
    return draws.key_tensor(*[draws.fold(7, start + i) for i in range(count)])


def test_fold_mixes_with_splitmix64():
    # The first outputs of splitmix64 seeded with 0 and 1234567, as published with it.
    mix = draws._mix64  # noqa: SLF001 - the published function under our own
    assert mix(0) == 0xE220A8397B1DCDAF
    assert mix(0x9E3779B97F4A7C15) == 0x6E789E6AA1B965F4
    assert mix(1234567) == 6457827717110365317


def test_fold_depends_on_every_number_and_on_their_order():
    seen = {draws.fold(0, a, b) for a in range(60) for b in range(60)}
    assert len(seen) == 3600
    assert draws.fold(1, 0) != draws.fold(0, 1)
    assert draws.fold(-1, -1) == draws.fold(2**64 - 1, 2**64 - 1)
    assert all(0 <= value < 2**64 for value in seen)


def test_trial_seeds_of_neighbouring_studies_and_trials_differ():
    seeds = {draws.trial_seed(study, trial) for study in range(50) for trial in range(200)}
    assert len(seeds) == 10_000


def test_step_keys_equal_the_folded_keys_one_by_one():
    expected = [draws.fold(9, draws.Purpose.DROPOUT, 4, step) for step in range(70)]
    assert torch.equal(draws.step_keys(9, 4, 70), draws.key_tensor(*expected))


def test_bits_equal_the_definition_in_python_integers():
    key, layer = draws.fold(5, 6), 3
    drawn = draws.bits(draws.key_tensor(key), (5, 7), layer=layer).flatten().tolist()
    low, high = (key ^ layer * 0x9E3779B9) % 2**32, key >> 32
    assert drawn == [fmix(fmix(position ^ low) ^ high) for position in range(35)]


def test_no_bits_come_twice_within_a_key():
    drawn = draws.bits(keys(1), (100_000,))
    assert len(drawn.unique()) == 100_000


def test_uniform_numbers_are_uniform():
    drawn = draws.uniform(keys(1), (200_000,)).numpy()
    assert drawn.min() >= 0.0
    assert drawn.max() < 1.0
    # Five standard errors.
    assert abs(drawn.mean() - 0.5) < 5 * np.sqrt(1 / 12 / 200_000)
    assert abs(drawn.var() - 1 / 12) < 5 * np.sqrt(1 / 180 / 200_000)
    counts = np.bincount((drawn * 256).astype(int), minlength=256)
    assert stats.chisquare(counts).pvalue > 1e-4


@pytest.mark.parametrize("bit", [8, 16, 24, 31])
def test_every_bit_is_fair_over_positions_and_over_keys(bit):
    drawn = draws.bits(keys(300), (300,)) >> bit & 1
    for axis in (0, 1):
        totals = drawn.sum(axis).double().numpy()
        z = (totals - 150) / np.sqrt(75)
        assert abs(z).max() < 5
        assert stats.kstest(z + np.linspace(-1e-3, 1e-3, 300), "norm").pvalue > 1e-4


@pytest.mark.parametrize(
    "neighbour",
    [
        lambda key, layer: draws.uniform(draws.key_tensor(key + 1), (50_000,), layer=layer),
        lambda key, layer: draws.uniform(draws.key_tensor(key), (50_000,), layer=layer + 1),
        lambda key, layer: draws.uniform(draws.key_tensor(key ^ 1 << 32), (50_000,), layer=layer),
        lambda key, layer: draws.uniform(draws.key_tensor(draws.fold(key, 1)), (50_000,)),
        lambda key, layer: draws.uniform(draws.key_tensor(key), (50_001,), layer=layer)[1:],
    ],
    ids=["next key", "next layer", "next high word", "next step", "next position"],
)
def test_neighbouring_draws_are_independent(neighbour):
    key = draws.fold(11, 2)
    left = draws.uniform(draws.key_tensor(key), (50_000,), layer=2).numpy()
    right = neighbour(key, 2).numpy()
    assert abs(np.corrcoef(left, right)[0, 1]) < 5 / np.sqrt(50_000)
    table = np.histogram2d(left, right, bins=8)[0]
    assert stats.chi2_contingency(table).pvalue > 1e-4


def test_keep_mask_keeps_with_probability_one_minus_p():
    for p in (0.01, 0.2, 0.5, 0.9):
        kept = draws.keep_mask(keys(1), (400_000,), p=p).double().mean().item()
        assert abs(kept - (1 - p)) < 5 * np.sqrt(p * (1 - p) / 400_000)
    assert draws.keep_mask(keys(1), (1000,), p=0.0).all()
    assert not draws.keep_mask(keys(1), (1000,), p=1.0).any()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_stack_draws_what_every_row_draws_alone(dtype):
    p = torch.tensor([0.1, 0.2, 0.5, 0.7, 0.9], dtype=dtype)
    stack = keys(5)

    def mask(key, p):
        return draws.keep_mask(key, (6, 9), p=p, layer=1)

    alone = torch.stack([mask(key, float(q)) for key, q in zip(stack, p, strict=True)])
    assert torch.equal(mask(stack, p), alone)
    assert torch.equal(torch.vmap(mask)(stack, p), alone)
    assert torch.equal(draws.uniform(stack, (6, 9))[3], draws.uniform(stack[3], (6, 9)))


def test_a_traced_mask_takes_keys_and_rates_as_inputs():
    def mask(key, p):
        return draws.keep_mask(key, (4, 9), p=p, layer=1)

    traced = make_fx(mask)(keys(3), torch.tensor([0.1, 0.5, 0.6]))
    others, p = keys(3, start=50), torch.tensor([0.3, 0.4, 0.8])
    assert torch.equal(traced(others, p), mask(others, p))


def test_permutation_holds_every_row_once_and_changes_with_epoch_and_seed():
    first = draws.permutation(3, 0, 1001)
    assert first.sort().values.tolist() == list(range(1001))
    assert not torch.equal(first, draws.permutation(3, 1, 1001))
    assert not torch.equal(first, draws.permutation(4, 0, 1001))
    assert torch.equal(first, draws.permutation(3, 0, 1001))


def test_permutations_of_a_stack_equal_those_of_its_rows():
    stacked = draws.permutations(keys(4), 50)
    alone = [draws.permutations(key, 50) for key in keys(4)]
    assert torch.equal(stacked, torch.stack(alone))


def test_all_orders_of_four_rows_are_equally_frequent():
    drawn = draws.permutations(keys(24_000), 4).numpy() @ np.array([64, 16, 4, 1])
    _, counts = np.unique(drawn, return_counts=True)
    assert len(counts) == 24
    assert stats.chisquare(counts).pvalue > 1e-4


def test_short_epochs_go_through_every_row_equally_often():
    rows, size = 10, 4
    seen = torch.cat([draws.epoch_order(5, e, rows=rows, size=size) for e in range(5)])
    assert torch.equal(torch.bincount(seen), torch.full((rows,), 2))
    whole = torch.cat([draws.permutation(5, 0, rows), draws.permutation(5, 1, rows)])
    assert torch.equal(seen, whole)


def test_an_epoch_of_all_rows_is_one_permutation():
    for size in (None, 10, 11):
        order = draws.epoch_order(5, 3, rows=10, size=size)
        assert torch.equal(order, draws.permutation(5, 3, 10))


def test_a_sample_is_gone_through_as_if_it_were_the_whole_part():
    sample = torch.tensor([9, 4, 4, 7])
    order = draws.epoch_order(3, 1, rows=10, sample=sample)
    assert order.tolist() == sample[draws.epoch_order(3, 1, rows=4)].tolist()
    assert sorted(draws.epoch_order(3, 0, rows=10, size=8, sample=sample).tolist()) == [4, 4, 7, 9]
