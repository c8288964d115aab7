"""Any file that is called .csv becomes data that can be trained on, or is refused."""

import numpy as np
from hypothesis import strategies as st

import ripieno as rp
from fuzz.fuzzing import fuzz, met
from fuzz.hostile import damaged

_CELLS = st.one_of(
    st.integers(-5, 20).map(str),
    st.floats(-10, 10).map(str),
    st.sampled_from(
        [
            "", " ", "?", "NA", "nan", "inf", "-inf", "1e400", "-1e39", "1e-400", "9" * 400, "0x10",
            "1_000", "1,5", "007", "true", "False", "yes", "2024-01-31", "31.12.2024", "12:00",
            "$5", "5%", "a", "b", "\N{GREEK SMALL LETTER ALPHA}", "\N{ARABIC-INDIC DIGIT FIVE}",
            '"', '""', "'", '"a,b"', '"a\nb"', '"a', "\0", "\x1a", "\N{BOM}", "\ud800", "None",
            "<b>", "x" * 5_000, "9" * 20, str(2**63), str(-(2**63) - 1), "1+2j", "[1, 2]", "{}",
            "-0.0", "1e308", "-1e308", "3.4e38", "3.5e38", "NaT", "<NA>", "1.0", "1", "2",
            "1e-300", "3e-320", "1e200", "1e-45",
        ]
    ),
    st.text(max_size=4),
)  # fmt: skip
# So many different values that none is refused for being constant or an identifier.
_GOOD = {
    "reals": lambda rng, rows: [f"{value:.4f}" for value in rng.normal(size=rows)],
    "counts": lambda rng, rows: [str(value) for value in rng.integers(0, 9, rows)],
    "words": lambda rng, rows: [("red", "green", "blue")[i] for i in rng.integers(0, 3, rows)],
    "flags": lambda rng, rows: [("true", "false")[i] for i in rng.integers(0, 2, rows)],
    "gaps": lambda rng, rows: [("1.5", "", "2.5", "NA")[i] for i in rng.integers(0, 4, rows)],
    "large": lambda rng, rows: [f"{value:.3e}" for value in rng.normal(size=rows) * 1e37],
    "steps": lambda rng, rows: [str(int(value)) for value in rng.permutation(rows)],
    "dates": lambda rng, rows: [f"2024-01-{1 + i:02d}" for i in rng.integers(0, 28, rows)],
}
_TWISTS = [
    "cells",
    "cells",
    "short",
    "head",
    "ragged",
    "ends",
    "coding",
    "damage",
    "said",
    "targets",
]
_HEADS = st.one_of(
    st.sampled_from(
        [
            "y", "label", "target", "class", "a", "b", "id", "", " ", "0", "1", "1.5", "index",
            "Unnamed: 0", "a.1", "a", '"', "\N{BOM}y", "x" * 3_000, "nan", "time", "a,b", '"a;b"',
        ]
    ),
    st.text(max_size=5),
)  # fmt: skip
_SAID = st.fixed_dictionaries(
    {},
    optional={
        "target": st.one_of(
            _HEADS, st.lists(_HEADS, max_size=3), st.sampled_from(["y", "label", "a,b"])
        ),
        "groups": _HEADS,
        "time": _HEADS,
        "drop": st.lists(_HEADS, max_size=2),
        "categorical": st.lists(_HEADS, max_size=2),
        "numeric": st.sampled_from(["quantile", "standardize", "other"]),
        "task": st.sampled_from(["classification", "regression", "multilabel", "other"]),
        "folds": st.sampled_from([1, 2, 5, 0, -1, 10**6]),
        "scale_targets": st.booleans(),
    },
)


@st.composite
def _files(draw):
    """The bytes of a table that could be read, but for a twist or two, and what is said of it."""
    twists = draw(st.lists(st.sampled_from(_TWISTS), max_size=3))
    rng = np.random.default_rng(draw(st.integers(0, 10**6)))
    rows = draw(st.sampled_from([12, 2, 1, 0])) if "short" in twists else 60
    heads = ["y", *"abc"[: draw(st.integers(1, 3))]]
    columns = [_GOOD[draw(st.sampled_from(sorted(_GOOD)))](rng, rows) for _ in heads]
    for _ in range(twists.count("cells") and rows and draw(st.integers(1, 4))):
        column = draw(st.sampled_from(columns))
        cell, many = draw(_CELLS), draw(st.sampled_from([1, 1, 2, rows // 2, rows]))
        for row in rng.permutation(rows)[:many]:
            column[row] = cell
    if "head" in twists:
        heads[draw(st.integers(0, len(heads) - 1))] = draw(_HEADS)
    lines = [heads, *map(list, zip(*columns, strict=True))]
    if "ragged" in twists:
        ragged = draw(st.sampled_from(lines))
        ragged[len(ragged) - 1 :] = ["1"] * draw(st.integers(0, 3))
    separator = draw(st.sampled_from([",", ",", ",", ";", "\t", "|", ", "]))
    end = draw(st.sampled_from(["\r\n", "\r", "\n\n"])) if "ends" in twists else "\n"
    text = end.join(separator.join(line) for line in lines)
    codings = st.sampled_from(["utf-8-sig", "utf-16", "utf-32", "latin-1"])
    coding = draw(codings) if "coding" in twists else "utf-8"
    handling = "surrogatepass" if coding.startswith("utf") else "replace"
    content = text.encode(coding, handling)
    if "damage" in twists:
        content = draw(damaged(content))
    said = draw(_SAID) if "said" in twists else {}
    for word in draw(
        st.lists(st.sampled_from(["groups", "time", "drop", "categorical"]), max_size=1)
    ):
        said[word] = draw(st.sampled_from(heads))
    if "targets" in twists:
        said["target"] = draw(st.sampled_from([heads[:2], heads[-1], heads]))
    return content, {"target": heads[0], **said}


def test_any_table_is_data_or_is_refused(fence, tmp_path):
    file = tmp_path / "table.csv"

    def read(drawn):
        content, said = drawn
        file.write_bytes(content)
        with fence.watch():
            data = met(rp.load_data, file, **said)
        if data is None:
            return
        for part in (data.train, data.validation, data.test):
            if part is not None and data.folds is None:
                assert np.isfinite(part.x).all()
                assert np.isfinite(part.y).all()
                assert len(part.x) == len(part.y) > 0
        repr(data)

    fuzz(read, _files(), examples=80)
