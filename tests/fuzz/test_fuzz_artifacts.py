"""A file of arrays, and an ensemble, of anybody's is read as it was written, or refused."""

import hashlib
import json
import shutil
import struct

import numpy as np
import pandas as pd
import pytest
from hypothesis import strategies as st

import ripieno as rp
from fuzz.fuzzing import fuzz, met
from fuzz.hostile import as_text, damaged, lies, names, numbers, tree_with_lies
from ripieno.ensembles import Ensemble
from ripieno.ledger import FileArtifacts

ARRAYS = {
    "weights": np.arange(6, dtype=np.float32).reshape(2, 3),
    "count": np.array(3, dtype=np.int64),
    "flags": np.array([True, False]),
    "none": np.zeros((0, 4), dtype=np.float16),
}
FACTS = {"trial": 1, "epoch": 2, "lr": 0.1, "words": ["a", None], "nested": {"b": True}}


@st.composite
def _lying_file(draw, content):
    """A safetensors file whose head lies: of offsets, dtypes, shapes, names, its own length."""
    length = struct.unpack("<Q", content[:8])[0]
    head, rest = json.loads(content[8 : 8 + length]), content[8 + length :]
    for _ in range(draw(st.integers(0, 3))):
        name = draw(st.sampled_from(sorted(head)))
        entry = head[name]
        if name == "__metadata__" and isinstance(entry, dict):
            if draw(st.booleans()):
                entry["facts"] = draw(as_text(tree_with_lies(FACTS)))
            else:
                entry[draw(names)] = draw(st.text(max_size=3))
            continue
        match draw(st.integers(0, 5)):
            case 0 if isinstance(entry, dict) and "data_offsets" in entry:
                entry["data_offsets"] = draw(
                    st.lists(numbers | st.integers(0, 60), min_size=2, max_size=2) | lies
                )
            case 1 if isinstance(entry, dict) and "dtype" in entry:
                entry["dtype"] = draw(
                    st.sampled_from(["F64", "F32", "F16", "BF16", "I64", "U8", "BOOL", "F8_E4M3",
                                     "F8_E5M2", "F4", "C64", "F8_E8M0", "U16"]) | lies
                )  # fmt: skip
            case 2 if isinstance(entry, dict) and "shape" in entry:
                entry["shape"] = draw(
                    st.lists(st.integers(0, 7) | st.just(2**62), max_size=4) | lies
                )
            case 3:
                head[draw(names)] = head.pop(name)
            case _:
                head[name] = draw(tree_with_lies(entry))
    text = json.dumps(head).encode("utf-8", "surrogateescape")
    if not draw(st.integers(0, 9)):
        text = draw(as_text(st.just(head))).encode("utf-8", "surrogateescape")
    told = draw(st.sampled_from([len(text)] * 9 + [0, 1, 2**31, 2**63, 2**64 - 1, len(text) + 5]))
    if not draw(st.integers(0, 9)):
        rest = draw(damaged(rest))
    return struct.pack("<Q", told) + text + rest


def test_any_file_of_arrays_is_read_as_it_was_written_or_refused(fence, tmp_path):
    store = FileArtifacts(tmp_path / "store")
    key = store.write("trial-1-state", ARRAYS, FACTS)
    file = tmp_path / "store" / f"{key}.safetensors"
    good = file.read_bytes()

    def read(content):
        file.write_bytes(content)
        with fence.watch():
            found = met(store.read, key)
        if found is None:
            return
        arrays, facts = found
        assert facts == FACTS
        assert arrays.keys() == ARRAYS.keys()
        for name, array in arrays.items():
            assert array.dtype == ARRAYS[name].dtype
            np.testing.assert_array_equal(array, ARRAYS[name])

    fuzz(read, _lying_file(good) | damaged(good) | st.just(good), examples=150)


def test_any_key_and_any_name_stay_in_the_folder(fence):
    def used(drawn):
        name, end = drawn
        with fence.watch() as place:
            store = FileArtifacts(place)
            met(store.read, name + end)
            met(store.delete, name + end)
            key = met(store.write, name, ARRAYS, {"name": name})
            if key is not None:
                assert [each.key for each in store.files()] == [key]
                store.delete(key)
            shutil.rmtree(place)

    ends = st.sampled_from(
        ["", "-0123456789abcdef", ".safetensors", "\n", "/../x-0123456789abcdef"]
    )
    fuzz(used, st.tuples(names | st.text(max_size=8) | st.just("trial-1"), ends), examples=60)


@pytest.fixture(scope="module")
def ensemble(tmp_path_factory):
    """The folder of a small ensemble of the built-in recipe, on a table with words in it."""
    rng = np.random.default_rng(0)
    rows = [
        f"{a:.3f},{('red', 'blue')[b]},{('no', 'yes')[int(a + b > 0.5)]}"
        for a, b in zip(rng.normal(size=80), rng.integers(0, 2, 80), strict=True)
    ]
    folder = tmp_path_factory.mktemp("tuned")
    (folder / "rows.csv").write_text("\n".join(["a,b,y", *rows]))
    with rp.tune(
        "mlp", str(folder / "rows.csv"), trials=3, epochs=1, workers=1, scheduler="full",
        out=folder / "study", progress=False, target_column="y",
    ) as study:  # fmt: skip
        study.finish()
    return folder / "study" / "ensemble"


def test_any_ensemble_is_loaded_or_refused(ensemble, fence, tmp_path):
    tree = json.loads((ensemble / "ensemble.json").read_text())
    tensors = (ensemble / "members.safetensors").read_bytes()
    folder = tmp_path / "ensemble"
    folder.mkdir()
    rows = pd.DataFrame({"a": [0.5, 1.0], "b": ["red", "green"]})

    @st.composite
    def ensembles(draw):
        content = tensors
        if not draw(st.integers(0, 3)):
            content = draw(_lying_file(tensors) | damaged(tensors))
        told = {**tree, "checksum": hashlib.sha256(content).hexdigest()}
        if draw(st.booleans()):
            inner = tree_with_lies(json.loads(tree["preprocess"]), most=2)
            told["preprocess"] = draw(as_text(inner))
            if draw(st.booleans()):
                return json.dumps(told), content
        return draw(as_text(tree_with_lies(told))), content

    def loaded(drawn):
        text, content = drawn
        (folder / "ensemble.json").write_bytes(text.encode("utf-8", "surrogateescape"))
        (folder / "members.safetensors").write_bytes(content)
        with fence.watch():
            found = met(Ensemble.load, folder)
            if found is not None:
                repr(found)
                met(found.predict, rows)

    fuzz(loaded, ensembles(), examples=60)
