"""Augmentations against PIL, SciPy and counts."""

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import ndimage

from ripieno.errors import RecipeError
from ripieno.recipes import (
    AUGMENTATIONS,
    KNOBS,
    augment,
    augmentation_strengths,
    draws,
    read_knobs,
)
from ripieno.recipes.augmentation import _Layer

SEED, EPOCH, STEPS = 11, 3, 4


def keys(*seeds, step=0):
    purpose = draws.Purpose.AUGMENTATION
    return torch.stack([draws.step_keys(s, EPOCH, STEPS, purpose=purpose)[step] for s in seeds])


def run(x, *, seeds=(SEED,), step=0, **knobs):
    """Augment batches ``(members, batch, ...)`` with one strength for all members."""
    rows = [read_knobs(knobs) for _ in seeds]
    strengths = augmentation_strengths(rows, tuple(x.shape[2:]))
    return augment(x, keys(*seeds, step=step), strengths)


def images(members=1, batch=300, channels=1, side=8, dtype=torch.float32):
    generator = torch.Generator().manual_seed(0)
    shape = (members, batch, channels, side, side)
    return torch.rand(shape, generator=generator, dtype=torch.float64).to(dtype) + 0.5


def drawn(layer, batch):
    """Return the numbers in [0, 1) that an augmentation draws."""
    return draws.uniform(keys(SEED)[0], (batch,), layer=layer).double().numpy()


def pil(x):
    return Image.fromarray(x.numpy(), mode=None)


def test_the_names_are_knobs_that_are_off():
    assert all(KNOBS[name].default == 0 for name in AUGMENTATIONS)


def test_without_strengths_nothing_is_computed():
    x = images()
    assert run(x) is x


def test_a_flip_is_pils_mirror_image_for_the_chosen_share():
    x = images(side=7)
    out = run(x, flip=0.3)
    mirrored = drawn(_Layer.FLIP, 300) < 0.3
    assert 60 < mirrored.sum() < 120
    for before, after, flipped in zip(x[0, :, 0], out[0, :, 0], mirrored, strict=True):
        image = pil(before)
        expected = image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if flipped else image
        np.testing.assert_array_equal(after.numpy(), np.asarray(expected))
    assert torch.equal(run(x, flip=1.0), x.flip(-1))


def test_a_shift_is_pils_crop_of_the_padded_image():
    x = images(batch=400)
    padding, side = 2, 8
    out = run(x, crop_padding=padding)
    down = np.floor(drawn(_Layer.DOWN, 400) * 5).astype(int)
    right = np.floor(drawn(_Layer.RIGHT, 400) * 5).astype(int)
    seen = set()
    for before, after, top, left in zip(x[0, :, 0], out[0, :, 0], down, right, strict=True):
        padded = Image.new("F", (side + 2 * padding, side + 2 * padding))
        padded.paste(pil(before), (padding, padding))
        expected = padded.crop((left, top, left + side, top + side))
        np.testing.assert_array_equal(after.numpy(), np.asarray(expected))
        seen.add((top, left))
    assert len(seen) == 25


def test_all_channels_move_together():
    x = images(batch=50, channels=3)
    out = run(x, crop_padding=2, flip=0.5, rotation=40.0, cutout=0.3)
    for channel in range(3):
        alone = run(x[:, :, channel : channel + 1], crop_padding=2, flip=0.5, rotation=40.0,
                    cutout=0.3)  # fmt: skip
        assert torch.equal(out[:, :, channel], alone[:, :, 0])


@pytest.mark.parametrize("size", [(9, 9), (8, 8), (6, 9)])
def test_a_rotation_is_scipys_linear_one_with_zeros_around(size):
    height, width = size
    x = images(batch=40, side=9, dtype=torch.float64)[..., :height, :width].contiguous()
    out = run(x, rotation=180.0)
    angles = np.pi * (2 * drawn(_Layer.ANGLE, 40) - 1)
    centre = np.array([(height - 1) / 2, (width - 1) / 2])
    for before, after, angle in zip(x[0, :, 0].numpy(), out[0, :, 0].numpy(), angles, strict=True):
        back = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
        expected = ndimage.affine_transform(
            before, back, centre - back @ centre, order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(after, expected, rtol=0, atol=1e-12)


def test_quarter_turns_are_pils_counter_clockwise():
    x = images(batch=20, dtype=torch.float64)
    seen = set()
    for number, share in enumerate(2 * drawn(_Layer.ANGLE, 20) - 1):
        if abs(share) < 0.5:
            continue
        # Just so strong that this example is turned by a quarter.
        after = run(x, rotation=90.0 / abs(share))[0, number, 0]
        quarters = 1 if share > 0 else -1
        expected = np.rot90(x[0, number, 0].numpy(), quarters)
        np.testing.assert_allclose(after, expected, atol=1e-12)
        turned = pil(x[0, number, 0].float()).rotate(90 * quarters)
        np.testing.assert_allclose(after, np.asarray(turned), atol=1e-6)
        seen.add(quarters)
    assert seen == {-1, 1}


def test_a_small_rotation_stays_within_its_degrees():
    x = torch.zeros(1, 500, 1, 41, 41, dtype=torch.float64)
    x[..., 20, 40] = 1.0
    out = run(x, rotation=10.0)[0, :, 0]
    down = (out * torch.arange(41.0).view(-1, 1)).sum((-1, -2)) / out.sum((-1, -2)) - 20
    largest = 20 * np.sin(np.radians(10))
    assert float(down.abs().max()) < largest + 0.6
    assert float(down.max()) > 0.8 * largest
    assert float(down.min()) < -0.8 * largest


def test_a_cut_is_a_blank_rectangle_of_its_share_around_any_pixel():
    x = images(batch=2_000, side=10)
    out = run(x, cutout=0.4)
    blank = out[0, :, 0] == 0
    assert torch.equal(out[0, :, 0][~blank], x[0, :, 0][~blank])
    rows, columns = blank.any(2), blank.any(1)
    assert torch.equal(blank, rows.unsqueeze(2) & columns.unsqueeze(1))
    # Centres are uniform on the 10 pixels; around the first and the last two some is lost.
    lengths = [2, 3, 4, 4, 4, 4, 4, 4, 4, 3]
    for cut in (rows, columns):
        found = torch.bincount(cut.sum(1), minlength=5)
        expected = np.array([2_000 * lengths.count(n) / 10 for n in range(5)])
        assert np.abs(found.numpy() - expected).max() < 5 * np.sqrt(2_000 * 0.16)
    area = float(blank.float().sum((1, 2)).mean())
    assert area == pytest.approx(np.mean(lengths) ** 2, rel=0.03)
    # Of the whole side, all but a part beyond the centre is lost.
    assert not run(x, cutout=1.0)[0, :, 0, 4, 4].any()


def test_a_cut_is_a_share_of_each_side():
    out = run(torch.ones(1, 500, 1, 6, 20), cutout=0.5)[0, :, 0]
    blank = out == 0
    assert int(blank.any(2).sum(1).max()) == 3
    assert int(blank.any(1).sum(1).max()) == 10


def test_jitter_of_gray_images_changes_mean_and_spread_as_it_says():
    x = images(batch=4_000, side=6, dtype=torch.float64) - 1.0
    out = run(x, color_jitter=0.4)
    brightness = (out.mean((2, 3, 4)) - x.mean((2, 3, 4)))[0].numpy()
    contrast = (out.std((2, 3, 4)) / x.std((2, 3, 4)))[0].numpy() - 1
    for found in (brightness, contrast):
        assert np.abs(found).max() <= 0.4
        assert abs(found.mean()) < 5 * 0.4 / np.sqrt(3 * 4_000)
        assert found.std() == pytest.approx(0.4 / np.sqrt(3), rel=0.05)
    assert abs(np.corrcoef(brightness, contrast)[0, 1]) < 0.08
    # Nothing else: every image is a straight line of itself.
    rebuilt = (x - x.mean((2, 3, 4), keepdim=True)) * torch.from_numpy(contrast + 1)[
        :, None, None, None
    ]
    rebuilt = rebuilt + out.mean((2, 3, 4), keepdim=True)
    torch.testing.assert_close(out, rebuilt)


def test_jitter_of_images_in_color_changes_the_saturation_too():
    x = images(batch=2_000, channels=3, side=4, dtype=torch.float64)
    out = run(x, color_jitter=0.3)
    contrast = 0.3 * (2 * drawn(_Layer.CONTRAST, 2_000) - 1) + 1
    gray, was = out.mean(2, keepdim=True), x.mean(2, keepdim=True)
    factor = ((out - gray) / (x - was))[0].flatten(1)
    saturation = factor.mean(1).numpy() / contrast - 1
    assert float(factor.std(1).max()) < 1e-6
    assert np.abs(saturation).max() <= 0.3
    assert saturation.std() == pytest.approx(0.3 / np.sqrt(3), rel=0.05)


ALL = {"flip": 0.5, "crop_padding": 1, "rotation": 25.0, "color_jitter": 0.3, "cutout": 0.3}


def test_a_row_does_not_depend_on_its_neighbours_bit_for_bit():
    x = images(members=4, batch=20, channels=3)
    rows = [ALL, {}, {"rotation": 90.0}, {"flip": 1.0, "cutout": 0.5}]
    seeds = (5, 6, 7, 8)
    strengths = augmentation_strengths([read_knobs(row) for row in rows], (3, 8, 8))
    together = augment(x, keys(*seeds), strengths)
    for number, (row, seed) in enumerate(zip(rows, seeds, strict=True)):
        alone = run(x[number : number + 1], seeds=(seed,), **row)
        assert torch.equal(together[number], alone[0])
    assert torch.equal(together[1], x[1])


def test_draws_differ_between_examples_steps_and_trials_and_not_between_runs():
    x = images(batch=1).expand(1, 30, 1, 8, 8)
    out = run(x, **ALL)
    assert torch.equal(out, run(x, **ALL))
    assert len({tuple(image.flatten().tolist()) for image in out[0]}) == 30
    assert not torch.equal(out, run(x, step=1, **ALL))
    assert not torch.equal(out, run(x, seeds=(SEED + 1,), **ALL))


def test_the_images_are_left_as_they_were_and_keep_their_type():
    for dtype in (torch.float32, torch.float64):
        x = images(batch=10, dtype=dtype)
        before = x.clone()
        out = run(x, **ALL)
        assert torch.equal(x, before)
        assert out.dtype == dtype


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_a_table_is_refused_by_name(name):
    with pytest.raises(RecipeError, match=f"{name!r} changes images") as caught:
        augmentation_strengths([read_knobs({name: 1})], (14,))
    assert "a table has no left and right" in caught.value.fix
    assert augmentation_strengths([read_knobs({name: 0})], (14,)) == {}
