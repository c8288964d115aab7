import numpy as np
import pytest
import torch
from scipy import stats

from ripieno.errors import RecipeError
from ripieno.recipes import (
    Mixing,
    add_noise,
    draws,
    mix_inputs,
    mix_losses,
    partners,
    plan_mixing,
    read_knobs,
)

IMAGE = (3, 8, 12)


def plan(steps=2000, seed=1, epoch=0, shape=IMAGE, **config):
    return plan_mixing(seed, epoch, steps, knobs=read_knobs(config), shape=shape)


def areas(mixing):
    top, bottom, left, right = mixing.box.unbind(-1)
    return ((bottom - top) * (right - left)).double() / (IMAGE[1] * IMAGE[2])


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_shares_of_mixup_have_the_beta_distribution(alpha):
    share = plan(mixup=alpha).share.numpy()
    assert stats.kstest(share, stats.beta(alpha, alpha).cdf).pvalue > 0.01


def test_mixup_keeps_of_inputs_what_it_keeps_of_targets_and_cuts_no_box():
    mixing = plan(mixup=0.4)
    assert torch.equal(mixing.share, mixing.blend)
    assert not mixing.box.any()


def test_a_box_takes_the_share_of_the_target_that_its_area_has():
    mixing = plan(cutmix=1.0)
    assert torch.equal(mixing.share, 1 - areas(mixing))
    assert torch.equal(mixing.blend, torch.ones(2000).double())
    top, bottom, left, right = mixing.box.unbind(-1)
    assert (torch.stack([top, left]) >= 0).all()
    assert (bottom <= 8).all()
    assert (right <= 12).all()
    assert mixing.share.min() < 0.5
    assert mixing.share.max() == 1.0


def test_boxes_away_from_the_border_have_the_area_that_was_drawn():
    """A share of 1 - lambda, but for whole pixels: the box of the paper's Eq. (2)."""
    knobs = read_knobs({"cutmix": 1.0})
    size = 1000
    mixing = plan_mixing(1, 0, 500, knobs=knobs, shape=(1, size, size))
    top, bottom, left, right = mixing.box.unbind(-1)
    inner = (top > 0) & (bottom < size) & (left > 0) & (right < size)
    sides = (bottom - top)[inner].double() / size
    assert torch.equal((bottom - top)[inner], (right - left)[inner])
    u = draws.uniform(draws.key_tensor(draws.fold(1, draws.Purpose.MIXING, 0)), (5, 500))[2]
    assert torch.allclose(sides**2, 1 - u[inner].double(), atol=0.005)  # Beta(1, 1) is uniform


def test_with_both_each_step_takes_one_of_them():
    mixing = plan(mixup=0.4, cutmix=1.0)
    boxed = mixing.blend == 1
    assert 0.45 < boxed.double().mean() < 0.55
    assert not mixing.box[~boxed].any()
    assert torch.equal(mixing.share[~boxed], mixing.blend[~boxed])


def test_a_plan_depends_on_seed_and_epoch_alone():
    first = plan(mixup=0.4, cutmix=1.0)
    for field in ("share", "blend", "box"):
        assert torch.equal(getattr(first, field), getattr(plan(mixup=0.4, cutmix=1.0), field))
    assert not torch.equal(first.share, plan(mixup=0.4, cutmix=1.0, seed=2).share)
    assert not torch.equal(first.share, plan(mixup=0.4, cutmix=1.0, epoch=1).share)


@pytest.mark.parametrize("alpha", [1e-3, 1e3])
def test_extreme_distributions_give_numbers(alpha):
    share = plan(mixup=alpha).share
    assert ((share >= 0) & (share <= 1)).all()


@pytest.mark.parametrize("shape", [(5,), (8, 12)])
def test_cutmix_refuses_what_is_no_image(shape):
    with pytest.raises(RecipeError, match="an example has the shape") as caught:
        plan(shape=shape, cutmix=1.0)
    assert "use mixup" in caught.value.fix
    assert plan(shape=shape, mixup=1.0).share.min() >= 0


def test_partners_are_permutations_of_each_rows_own():
    keys = torch.tensor([3, 4, 3])
    found = partners(keys, 9)
    assert torch.equal(found.sort(dim=-1).values, torch.arange(9).expand(3, 9))
    assert torch.equal(found[0], found[2])
    assert torch.equal(found[0], partners(keys[0], 9))
    assert not torch.equal(found[0], found[1])


def test_inputs_are_mixed_as_the_papers_say():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4, *IMAGE, dtype=torch.float64, generator=generator)
    partner = torch.tensor([1, 2, 3, 0])
    blended = Mixing(torch.tensor(0.3).double(), torch.tensor(0.3).double(), torch.zeros(4).long())
    expected = 0.3 * x + 0.7 * x[partner]
    torch.testing.assert_close(mix_inputs(x, partner, blended, boxes=True), expected)
    torch.testing.assert_close(mix_inputs(x, partner, blended, boxes=False), expected)
    one = torch.tensor(1.0).double()
    boxed = Mixing(one, one, torch.tensor([2, 5, 0, 7]))
    expected = x.clone()
    expected[:, :, 2:5, 0:7] = x[partner][:, :, 2:5, 0:7]
    assert torch.equal(mix_inputs(x, partner, boxed, boxes=True), expected)


def test_rows_of_a_stack_are_mixed_as_each_alone_and_one_without_stays_as_it_is():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(3, 4, *IMAGE, generator=generator)
    keys = torch.tensor([5, 6, 7])
    mixing = Mixing(
        torch.tensor([0.3, 0.5, 1.0]).double(),
        torch.tensor([0.3, 1.0, 1.0]).double(),
        torch.tensor([[0, 0, 0, 0], [2, 5, 0, 7], [0, 0, 0, 0]]),
    )
    together = mix_inputs(x, partners(keys, 4), mixing, boxes=True)
    for row in range(3):
        alone = mix_inputs(x[row], partners(keys[row], 4), mixing.at(row), boxes=True)
        assert torch.equal(together[row], alone)
    assert torch.equal(together[2], x[2])
    losses, others = torch.rand(3, 4), torch.full((3, 4), torch.inf)
    mixed = mix_losses(losses, others, mixing.share)
    assert torch.equal(mixed[2], losses[2])
    assert mixed[:2].isinf().all()


def test_noise_is_normal_and_belongs_to_the_row():
    x = torch.zeros(2, 100, 200)
    keys, scales = torch.tensor([1, 2]), torch.tensor([0.5, 2.0]).double()
    noisy = add_noise(x, keys, scales)
    for row, scale in enumerate((0.5, 2.0)):
        assert stats.kstest(noisy[row].flatten().numpy() / scale, "norm").pvalue > 0.01
        torch.testing.assert_close(noisy[row], add_noise(x[row], keys[row], scale))
    assert abs(np.corrcoef(noisy.flatten(1).numpy())[0, 1]) < 0.03
    silent = add_noise(x + 1, keys, torch.tensor([0.0, 1.0]).double())
    assert torch.equal(silent[0], x[0] + 1)


def test_noise_is_the_same_in_both_precisions_and_always_finite():
    x = torch.zeros(1 << 20)
    single = add_noise(x, torch.tensor(9), 1.0)
    double = add_noise(x.double(), torch.tensor(9), 1.0)
    torch.testing.assert_close(single.double(), double, rtol=1e-4, atol=1e-5)
    assert single.abs().max() < 6
