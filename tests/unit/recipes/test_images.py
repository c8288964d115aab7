import sys

import numpy as np
import pytest
from PIL import Image
from sklearn.datasets import load_digits

from ripieno.errors import DataError
from ripieno.recipes import load
from ripieno.recipes.images import image_size, read_folder

DIGITS = load_digits()


def save(path, pixels, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.asarray(pixels, dtype=np.uint8)).save(path, **options)
    return path


@pytest.fixture
def folder(tmp_path):
    """Twenty images of each of three digits, as a folder a class."""
    for number in range(3):
        images = DIGITS.images[number == DIGITS.target][:20] * 15
        for i, image in enumerate(images):
            save(tmp_path / "digits" / str(number) / f"{i:02}.png", image)
    return tmp_path / "digits"


def test_a_folder_a_class_is_read_as_arrays_are(folder):
    data = load(folder)
    assert data.shape == (1, 8, 8)
    assert data.classes == ("0", "1", "2")
    parts = (data.train, data.validation, data.test)
    assert sum(map(len, parts)) == 60
    assert data.name == "digits"
    pixels = np.concatenate([part.x for part in parts])[:, 0]
    restored = pixels * data.preprocess.scale[0] + data.preprocess.mean[0]
    expected = [DIGITS.images[number == DIGITS.target][:20] * 15 for number in range(3)]
    assert restored.sum() == pytest.approx(np.sum(expected), rel=1e-6)


@pytest.mark.parametrize("names", [("train", "val", "test"), ("Training", "valid", "testing")])
def test_the_usual_parts_are_recognised(folder, names):
    for name in names:
        for number in range(3):
            for i in range(4):
                save(folder.parent / "all" / name / f"n{number}" / f"{i}.png", np.full((3, 4), i))
    parts = read_folder(folder.parent / "all").parts
    assert set(parts) == {"train", "validation", "test"}
    data = load(folder.parent / "all")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [12, 12, 12]
    assert data.shape == (1, 3, 4)


def test_a_test_part_is_split_off_where_there_is_none(folder):
    (folder.parent / "all").mkdir()
    folder.rename(folder.parent / "all" / "train")
    data = load(folder.parent / "all")
    assert [len(part) for part in (data.train, data.validation, data.test)] == [36, 12, 12]


def test_colours_gray_palettes_and_transparency_go_together(tmp_path):
    colours = np.random.default_rng(0).integers(256, size=(6, 5, 3))
    save(tmp_path / "a" / "colour.png", colours)
    save(tmp_path / "a" / "gray.png", colours[..., 0])
    alpha = np.concatenate([colours, np.zeros((6, 5, 1))], axis=2)
    save(tmp_path / "b" / "alpha.png", alpha)
    Image.fromarray(colours.astype(np.uint8)).quantize(256).save(tmp_path / "b" / "palette.png")
    pixels, labels = read_folder(tmp_path).parts["train"]
    assert pixels.shape == (4, 6, 5, 3)
    assert labels.tolist() == ["a", "a", "b", "b"]
    assert np.array_equal(pixels[0], colours)
    assert np.array_equal(pixels[1], np.repeat(colours[..., :1], 3, axis=2))
    assert np.array_equal(pixels[2], colours)


def test_sixteen_bits_are_cut_to_eight(tmp_path):
    deep = (np.arange(12).reshape(3, 4) * 5000).astype(np.uint16)
    for name in "ab":
        (tmp_path / name).mkdir()
        Image.fromarray(deep).save(tmp_path / name / "deep.png")
    assert np.array_equal(read_folder(tmp_path).parts["train"][0][0], deep >> 8)


def test_a_photograph_is_turned_as_its_camera_noted(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turned by a quarter
    for name in "ab":
        save(tmp_path / name / "photo.jpg", np.zeros((4, 9)), exif=exif)
    assert read_folder(tmp_path).parts["train"][0].shape == (2, 9, 4)


def test_different_sizes_are_refused_or_resized(folder):
    save(folder / "1" / "large.png", np.zeros((16, 12)))
    with pytest.raises(DataError, match=r"'00.png' is 8 x 8, and 'large.png' is 16 x 12") as caught:
        load(folder)
    assert "--image-size 8x8" in caught.value.fix
    assert load(folder, image_size=(6, 4)).shape == (1, 6, 4)
    data = load(folder, image_size=10)
    assert data.shape == (1, 10, 10)
    assert data.preprocess.image_size == (10, 10)
    assert data.preprocess.read(folder / "1").shape == (21, 10, 10)


def test_new_images_are_read_as_the_training_ones_were(folder):
    data = load(folder)
    raw = data.preprocess.read(folder)
    assert raw.shape == (60, 8, 8)
    assert data.preprocess.row_names(folder)[20] == "1/00.png"
    everything = data.preprocess.apply(raw)
    assert {row.tobytes() for row in data.test.x} <= {row.tobytes() for row in everything}
    one = folder / "2" / "07.png"
    assert np.array_equal(data.preprocess.apply(data.preprocess.read(one)), everything[47:48])
    assert data.preprocess.row_names(one) == ["07.png"]


def test_new_images_of_another_kind_are_refused_or_made_alike(folder, tmp_path):
    data = load(folder)
    path = save(tmp_path / "new" / "colour.png", np.full((8, 8, 3), 90))
    assert np.array_equal(data.preprocess.read(path.parent), np.full((1, 8, 8), 90))
    save(path, np.zeros((9, 8)))
    with pytest.raises(DataError, match="of size 9 x 8, and the model was trained on 8 x 8"):
        data.preprocess.read(path)
    (tmp_path / "none").mkdir()
    with pytest.raises(DataError, match="holds no image"):
        data.preprocess.read(tmp_path / "none")


@pytest.mark.parametrize("content", [b"", b"no image", b"\x89PNG\r\n\x1a\nbroken"])
def test_a_damaged_image_is_named(folder, content):
    (folder / "1" / "05.png").write_bytes(content)
    with pytest.raises(DataError, match=r"the image '05\.png' cannot be read") as caught:
        load(folder)
    assert caught.value.where.endswith("05.png")


def test_a_truncated_image_is_named(folder):
    path = save(folder / "1" / "05.jpg", np.random.default_rng(0).integers(256, size=(8, 8)))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"the image '05\.jpg' cannot be read: .*[Tt]runcated"):
        load(folder)


def test_an_image_that_would_fill_the_memory_is_refused(folder, monkeypatch):
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 40)
    with pytest.raises(DataError, match=r"cannot be read: .*exceeds limit"):
        load(folder)


def test_hidden_files_and_texts_are_no_images_and_other_images_are_refused(folder):
    (folder / ".DS_Store").write_text("")
    (folder / "1" / "notes.txt").write_text("")
    (folder / ".cache").mkdir()
    assert len(load(folder).train) == 36
    save(folder / "1" / "x.gif", np.zeros((8, 8)))
    with pytest.raises(DataError, match=r"'x\.gif' is an image of a kind that is not read"):
        load(folder)


def test_folders_that_hold_no_classes_are_refused(folder, tmp_path):
    with pytest.raises(DataError, match="holds no sub-folders, and every class needs one"):
        load(folder / "1")
    (tmp_path / "one").mkdir()
    folder.rename(tmp_path / "one" / "cats")
    with pytest.raises(DataError, match="holds 1 sub-folder, and every class needs one"):
        load(tmp_path / "one")
    (tmp_path / "one" / "dogs").mkdir()
    with pytest.raises(DataError, match="the folder 'dogs' holds no image"):
        load(tmp_path / "one")
    for name in ("train", "training"):
        (tmp_path / "two" / name).mkdir(parents=True)
    with pytest.raises(DataError, match="'train' and 'training' are both a train part"):
        load(tmp_path / "two")
    (tmp_path / "two" / "training").rename(tmp_path / "two" / "extra")
    with pytest.raises(DataError, match="'extra' is no part, beside 'train'"):
        load(tmp_path / "two")


def test_options_of_tables_are_refused(folder):
    with pytest.raises(DataError, match="groups = 'a' is given, but only a table"):
        load(folder, groups="a")
    with pytest.raises(DataError, match=r"image_size = \(0, 4\) is no height and width"):
        load(folder, image_size=(0, 4))


def test_images_without_pillow_say_how_to_install_it(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "PIL", None)
    with pytest.raises(DataError, match="Pillow, which is not installed") as caught:
        load(folder)
    assert 'pip install "ripieno[images]"' in caught.value.fix


def test_sizes_are_read_off_text():
    assert image_size("32") == (32, 32)
    assert image_size("32x48") == (32, 48)
    for wrong in ("", "0", "32x", "axb", "1x2x3", "-3"):
        with pytest.raises(DataError, match="is no size of an image"):
            image_size(wrong)
