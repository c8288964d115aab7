"""What can be wrong with the data themselves: nothing is trained here."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from ripieno.diagnostics.finding import Finding, number
from ripieno.recipes import Data, Split

__all__ = ["constant_features", "has_classes", "imbalance", "leaks", "scaling", "scarcity"]

_CHUNK = 1024
_LEAK = 0.01
_MOST_SCALED_ROWS = 10_000
_LARGE, _SMALL = 5.0, 0.1
_UNLIKE = 100.0
_RARE = 0.1
_FEWEST_OF_CLASS = 10


def has_classes(data: Data) -> bool:
    """Say whether the targets are one class a row."""
    return data.train.y.ndim == 1 and data.train.y.dtype.kind == "i"


def leaks(data: Data) -> list[Finding]:
    """Find validation and test rows whose features, bit for bit, are those of training rows.

    Where over half of the training rows equal one another, features are so coarse that equal
    rows say nothing, and there is no finding.
    """
    known = _hashes(data.train)
    if len(set(known)) < len(known) / 2:
        return []
    first = {digest: row for row, digest in reversed(list(enumerate(known)))}
    found = []
    for name, part in (("validation", data.validation), ("test", data.test)):
        if part is None:
            continue
        pairs = [(row, first[h]) for row, h in enumerate(_hashes(part)) if h in first]
        share = len(pairs) / len(part)
        if len(pairs) < 2 or share < _LEAK:
            continue
        rows, others = np.array(pairs).T
        same = float((part.y[rows] == data.train.y[others]).mean())
        found.append(
            Finding(
                "leakage",
                "warning",
                f"{len(pairs):,} of {len(part):,} {name} rows ({share:.1%}) stand in the training "
                f"part too, {same:.0%} of them with the same target: what is measured on them "
                "flatters.",
                {"part": name, "rows": len(pairs), "share": share, "same_target": same},
                "Drop duplicate rows before splitting, or keep rows that belong together in one "
                "part.",
            )
        )
    return found


def scaling(data: Data) -> list[Finding]:
    """Find features that are far from unit scale, or of scales far from each other's."""
    x = np.asarray(data.train.x[:_MOST_SCALED_ROWS], dtype=np.float64)
    size = float(np.sqrt(np.mean(np.square(x))))
    evidence: dict[str, float | int | str] = {"root_mean_square": size}
    sentence = None
    if size > 0.0 and not _SMALL <= size <= _LARGE:
        sentence = (
            f"The inputs are not scaled: their root mean square is {number(size)}, and networks "
            "expect about 1."
        )
    elif x.ndim == 2:
        spreads = x.std(axis=0)
        spreads = spreads[spreads > 0.0]
        ratio = float(spreads.max() / np.median(spreads)) if len(spreads) else 1.0
        if ratio > _UNLIKE:
            evidence["largest_to_median_spread"] = ratio
            sentence = (
                "The inputs are not scaled alike: the widest column has a standard deviation "
                f"{number(ratio)} times that of the median column."
            )
    if sentence is None:
        return []
    fix = "Standardise the features with statistics of the training part (rp.Data.from_arrays)."
    return [Finding("unscaled_inputs", "warning", sentence, evidence, fix)]


def constant_features(data: Data) -> list[Finding]:
    """Find columns of a table with one value in all training rows."""
    x = data.train.x
    if x.ndim != 2:
        return []
    rows = np.asarray(x[:_MOST_SCALED_ROWS])
    constant = np.flatnonzero(rows.min(axis=0) == rows.max(axis=0))
    if not len(constant):
        return []
    named = ", ".join(map(str, constant[:5].tolist())) + ("…" if len(constant) > 5 else "")
    return [
        Finding(
            "constant_features",
            "advice",
            f"{len(constant)} of {x.shape[1]:,} columns have one value in all training rows: "
            f"{named}.",
            {"columns": len(constant), "first": int(constant[0])},
            "Drop them, or find out why nothing was recorded there.",
        )
    ]


def imbalance(data: Data) -> list[Finding]:
    """Find a class with less than a tenth of the rows that an equal share would give it."""
    if not has_classes(data):
        return []
    counts = np.bincount(data.train.y, minlength=len(data.classes))
    fewest = int(counts.argmin())
    equal = len(data.train) / len(counts)
    if counts[fewest] >= _RARE * equal:
        return []
    most = counts.max() / len(data.train)
    return [
        Finding(
            "class_imbalance",
            "advice",
            f"The class {data.classes[fewest]!r} has {counts[fewest]:,} of {len(data.train):,} "
            f"training rows, and always naming the largest class is right in {most:.1%}.",
            {"class": str(data.classes[fewest]), "rows": int(counts[fewest]), "largest": most},
            "Weigh classes with class_weights = 'balanced', and do not judge by accuracy.",
        )
    ]


def scarcity(data: Data) -> list[Finding]:
    """Find a training part with fewer than ten rows a class."""
    if not has_classes(data):
        return []
    each = len(data.train) / len(data.classes)
    if each >= _FEWEST_OF_CLASS:
        return []
    return [
        Finding(
            "too_little_data",
            "warning",
            f"There are {len(data.train):,} training rows for {len(data.classes)} classes, "
            f"{number(each)} for each.",
            {"rows": len(data.train), "classes": len(data.classes), "rows_of_class": each},
            "Gather more rows, give fewer to validation and test (folds use all), augment, or "
            "fine-tune a trained network.",
        )
    ]


def _hashes(part: Split) -> list[bytes]:
    digests = []
    for start in range(0, len(part), _CHUNK):
        # Plus zero: minus zero is the same number in other bits.
        rows: NDArray[np.float32] = np.ascontiguousarray(part.x[start : start + _CHUNK])
        rows = rows + np.float32(0)
        digests += [hashlib.blake2b(row.tobytes(), digest_size=16).digest() for row in rows]
    return digests
