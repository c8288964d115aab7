"""Folders of PNG and JPEG images, one sub-folder a class, as arrays of bytes."""

import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import DataError
from ripieno.recipes.files import SUFFIXES

if TYPE_CHECKING:
    from types import ModuleType

    from PIL.Image import Image

__all__ = ["ImageFolder", "find_images", "holds_images", "image_size", "read_folder", "read_images"]

_SUFFIXES = frozenset({".png", ".jpg", ".jpeg"})
_OTHER_IMAGES = frozenset({".bmp", ".gif", ".heic", ".tif", ".tiff", ".webp"})
_PARTS = {
    "train": ("train", "training"),
    "validation": ("validation", "valid", "val"),
    "test": ("test", "testing"),
}
_GRAY = frozenset({"1", "L", "LA", "I;16", "I;16B", "I;16L", "I", "F"})


@dataclass(frozen=True, slots=True, eq=False)
class ImageFolder:
    """The images of a folder, part by part.

    Args:
        parts: Images and the names of their classes by the name of the part, ``"train"`` and
            perhaps ``"validation"`` and ``"test"``. Images are uint8 ``(rows, height,
            width)`` if all are gray, else ``(rows, height, width, 3)``.
    """

    parts: dict[str, tuple[NDArray[np.uint8], NDArray[np.str_]]]


def read_folder(path: Path, *, size: tuple[int, int] | None = None) -> ImageFolder:
    """Read the images of a folder.

    Args:
        path: Holds one sub-folder a class, or sub-folders ``train``, ``val`` and ``test``
            (or one or two of them), each with one sub-folder a class.
        size: Height and width that every image is resized to; None where all have one size.

    Raises:
        DataError: Pillow is not installed, or the folder holds something else.
    """
    folders = _part_folders(path)
    found = {part: _labelled_files(folder) for part, folder in folders.items()}
    files = [file for labelled in found.values() for file, _ in labelled]
    pixels = read_images(files, size=size, root=path)
    parts, begin = {}, 0
    for part, labelled in found.items():
        labels = np.array([label for _, label in labelled])
        parts[part] = (pixels[begin : begin + len(labelled)], labels)
        begin += len(labelled)
    return ImageFolder(parts)


def holds_images(path: Path) -> bool:
    """Say whether the path is a folder or an image file, and not a file of another kind."""
    suffix = path.suffix.lower()
    return suffix in _SUFFIXES or (path.is_dir() and suffix not in SUFFIXES)


def find_images(path: Path) -> list[Path]:
    """Return the images of a folder and of all folders below it, sorted; or the one file.

    Raises:
        DataError: There are none, or some of a kind that is not read.
    """
    if path.is_file():
        return [path]
    # Hidden files are not the user's own: thumbnails, and what a Mac leaves behind.
    files = [
        file
        for file in sorted(path.rglob("*"))
        if not any(part.startswith(".") for part in file.relative_to(path).parts)
    ]
    other = [file for file in files if file.suffix.lower() in _OTHER_IMAGES]
    if other:
        raise DataError(
            f"{other[0].name!r} is an image of a kind that is not read.",
            where=str(other[0].parent),
            fix="convert such images to .png or .jpg.",
        )
    images = [file for file in files if file.suffix.lower() in _SUFFIXES and file.is_file()]
    if not images:
        raise DataError(
            f"the folder {path.name!r} holds no image.",
            where=str(path.absolute()),
            fix="give a folder of .png or .jpg files.",
        )
    return images


def read_images(
    files: Sequence[Path],
    *,
    size: tuple[int, int] | None,
    root: Path,
    channels: int | None = None,
) -> NDArray[np.uint8]:
    """Read image files: uint8 ``(rows, height, width)``, or ``(…, 3)`` where one has colours.

    Transparency is dropped, sixteen bits are cut to eight, and an image is turned as its
    camera noted.

    Args:
        files: The files, at least one.
        size: Height and width to resize to; None where all must have one size.
        root: Their common folder, for messages.
        channels: 1 reads everything as gray, 3 as colours; None as the files are.

    Raises:
        DataError: Pillow is not installed, or a file is damaged or of another size.
    """
    pillow = _pillow(root)
    images = [_opened(pillow, file, size=size) for file in files]
    if size is None:
        _refuse_sizes(files, images, root)
    if channels is None:
        channels = 1 if all(image.ndim == 2 for image in images) else 3
    height, width = images[0].shape[:2]
    shape = (len(images), height, width) if channels == 1 else (len(images), height, width, 3)
    pixels = np.empty(shape, dtype=np.uint8)
    for row, image in enumerate(images):
        if channels == 1 and image.ndim == 3:
            pixels[row] = np.asarray(pillow.fromarray(image).convert("L"))
        else:
            pixels[row] = image if image.ndim == len(shape) - 1 else image[..., None]
    return pixels


def image_size(text: str) -> tuple[int, int]:
    """Read a height and width: ``"32"`` or ``"32x48"``.

    Raises:
        DataError: It is something else.
    """
    numbers = text.lower().split("x")
    if len(numbers) in {1, 2} and all(n.isdecimal() and int(n) > 0 for n in numbers):
        return int(numbers[0]), int(numbers[-1])
    raise DataError(
        f"{text!r} is no size of an image.",
        where="--image-size",
        fix="give one number, or height x width: 32 or 32x48.",
    )


def _pillow(where: Path) -> "ModuleType":
    try:
        from PIL import Image
    except ImportError as error:
        raise DataError(
            "images are read with Pillow, which is not installed.",
            where=str(where),
            fix='install it: pip install "ripieno[images]", or give the images as .npz.',
        ) from error
    return Image


def _part_folders(path: Path) -> dict[str, Path]:
    """The folder of each part; the folder itself where it holds the classes."""
    found = {}
    for part, names in _PARTS.items():
        folders = [f for f in _subfolders(path) if f.name.lower() in names]
        if len(folders) > 1:
            raise DataError(
                f"{folders[0].name!r} and {folders[1].name!r} are both a {part} part.",
                where=str(path),
                fix="leave one folder for each part.",
            )
        if folders:
            found[part] = folders[0]
    if "train" not in found:
        return {"train": path}
    known = set(found.values())
    other = [folder for folder in _subfolders(path) if folder not in known]
    if other:
        raise DataError(
            f"{other[0].name!r} is no part, beside {found['train'].name!r}.",
            where=str(path),
            fix="leave the folders train, val and test alone, or one folder a class alone.",
        )
    return found


def _labelled_files(folder: Path) -> list[tuple[Path, str]]:
    classes = _subfolders(folder)
    if len(classes) < 2:
        raise DataError(
            f"the folder {folder.name!r} holds {len(classes) or 'no'} "
            f"sub-folder{'s' * (not classes)}, and every class needs one.",
            where=str(folder.absolute()),
            fix="put the images of each class into a sub-folder with its name: cats/1.png, "
            "dogs/1.png.",
        )
    return [(file, label.name) for label in classes for file in find_images(label)]


def _subfolders(path: Path) -> list[Path]:
    return sorted(f for f in path.iterdir() if f.is_dir() and not f.name.startswith("."))


def _opened(pillow: "ModuleType", file: Path, *, size: tuple[int, int] | None) -> NDArray[np.uint8]:
    """Return one image: uint8 ``(height, width)`` if it is gray, else ``(…, 3)``."""
    from PIL import ImageOps

    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of transparency, which is dropped
            # Of a size that fills the memory, as a file made to do harm has.
            warnings.simplefilter("error", pillow.DecompressionBombWarning)
            with pillow.open(file) as stored:
                image = _eight_bits(pillow, ImageOps.exif_transpose(stored))
                if size is not None:
                    image = image.resize((size[1], size[0]), pillow.Resampling.BILINEAR)
                return np.asarray(image)
    # Pillow raises a SyntaxError at a damaged PNG.
    except (OSError, SyntaxError, ValueError, EOFError, *_bombs(pillow)) as error:
        raise DataError(
            f"the image {file.name!r} cannot be read: {str(error).rstrip('.')}.",
            where=str(file),
            fix="replace or delete the file.",
        ) from error


def _bombs(pillow: "ModuleType") -> tuple[type[Exception], type[Exception]]:
    return pillow.DecompressionBombError, pillow.DecompressionBombWarning


def _eight_bits(pillow: "ModuleType", image: "Image") -> "Image":
    if image.mode in {"L", "RGB"}:
        return image
    if image.mode.startswith("I;16") or image.mode == "I":
        return pillow.fromarray((np.asarray(image) >> 8).astype(np.uint8))  # type: ignore[no-any-return]
    return image.convert("L" if image.mode in _GRAY else "RGB")


def _refuse_sizes(files: Sequence[Path], images: Sequence[NDArray[np.uint8]], root: Path) -> None:
    shapes = [image.shape[:2] for image in images]
    odd = next((i for i, shape in enumerate(shapes) if shape != shapes[0]), None)
    if odd is None:
        return
    heights, widths = zip(*shapes, strict=True)
    middle = f"{int(np.median(heights))}x{int(np.median(widths))}"
    raise DataError(
        f"the images have different sizes: {files[0].name!r} is {_size(shapes[0])}, and "
        f"{files[odd].name!r} is {_size(shapes[odd])}.",
        where=str(root),
        fix=f"resize them all: image_size={middle.replace('x', ', ')} (--image-size {middle}), "
        "or bring them to one size yourself.",
    )


def _size(shape: tuple[int, ...]) -> str:
    return f"{shape[0]} x {shape[1]}"
