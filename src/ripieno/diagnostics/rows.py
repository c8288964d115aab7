"""What can be wrong with the data themselves: nothing is trained here."""

import numpy as np

from ripieno.diagnostics.finding import Finding, number
from ripieno.recipes import Data, Split, find_duplicates

__all__ = ["constant_features", "has_classes", "imbalance", "leaks", "scaling", "scarcity"]

_FEW = 1_000
_LEAK = 0.01
_MOST_SCALED_ROWS = 10_000
_LARGE, _SMALL = 5.0, 0.1
_UNLIKE = 100.0
_RARE = 0.1
_FEWEST_OF_CLASS = 10
_FEWEST_ROWS = 30
_RARE_LABEL = 0.02


def has_classes(data: Data) -> bool:
    """Say whether the targets are one class a row."""
    return data.train.y.ndim == 1 and data.train.y.dtype.kind == "i"


def leaks(data: Data) -> list[Finding]:
    """Find validation and test rows whose features, bit for bit, are those of training rows.

    Where over half of a thousand training rows equal one another, features are so coarse that
    equal rows say nothing, and there is no finding.
    """
    if _is_coarse(data.train):
        return []
    found = []
    for twice in find_duplicates(data):
        if twice.other != "train" or len(twice) < 2 or twice.share < _LEAK:
            continue
        part = data.validation if twice.part == "validation" else data.test
        assert part is not None  # noqa: S101 - duplicates were found in it
        same = float((part.y[twice.rows] == data.train.y[twice.others]).mean())
        found.append(
            Finding(
                "leakage",
                "warning",
                f"{len(twice):,} of {len(part):,} {twice.part} rows ({twice.share:.1%}) stand in "
                f"the training part too, {same:.0%} of them with the same target: what is "
                "measured on them flatters.",
                {"part": twice.part, "rows": len(twice), "share": twice.share, "same_target": same},
                "Drop duplicate rows before splitting, or keep rows that belong together in one "
                "part.",
            )
        )
    return found


def scaling(data: Data) -> list[Finding]:
    """Find features that are far from unit scale, or of scales far from each other's."""
    x = np.asarray(data.train.x[:_MOST_SCALED_ROWS], dtype=np.float64)
    looked_up = len(data.preprocess.cardinalities)
    if looked_up and x.shape[1] > looked_up:  # the last columns are numbers of categories
        x = x[:, :-looked_up]
    elif looked_up:
        return []
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
    """Find a class with less than a tenth of the rows that an equal share would give it.

    Of labels, one that fewer than one row in fifty has.
    """
    if data.task == "multilabel":
        return _rare_labels(data)
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


def _rare_labels(data: Data) -> list[Finding]:
    shares = data.train.y.mean(axis=0)
    rarest = int(shares.argmin())
    if shares[rarest] >= _RARE_LABEL:
        return []
    count = int(data.train.y[:, rarest].sum())
    return [
        Finding(
            "class_imbalance",
            "advice",
            f"The label {data.classes[rarest]!r} is there in {count:,} of {len(data.train):,} "
            f"training rows, and {int((shares < _RARE_LABEL).sum())} of {len(shares)} labels in "
            "fewer than one row in fifty.",
            {"label": str(data.classes[rarest]), "rows": count},
            "Weigh labels with pos_weight = 'balanced', and judge by average_precision.",
        )
    ]


def scarcity(data: Data) -> list[Finding]:
    """Find a training part with fewer than ten rows a class, or fewer than thirty at all."""
    if not has_classes(data):
        return _few_rows(data)
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


def _few_rows(data: Data) -> list[Finding]:
    if len(data.train) >= _FEWEST_ROWS:
        return []
    return [
        Finding(
            "too_little_data",
            "warning",
            f"There are {len(data.train):,} training rows.",
            {"rows": len(data.train)},
            "Gather more rows, give fewer to validation and test (folds use all), or augment.",
        )
    ]


def _is_coarse(part: Split) -> bool:
    """Say whether over half of a thousand rows equal one another."""
    rows = part.x[:_FEW]
    return len(np.unique(rows.reshape(len(rows), -1), axis=0)) < len(rows) / 2
