import pickle
import subprocess
import sys

import numpy as np
import pytest
from safetensors.numpy import save_file

from ripieno.errors import ArtifactError
from ripieno.ledger import FileArtifacts, MemoryArtifacts

ARRAYS = {"w": np.arange(6, dtype=np.float32).reshape(2, 3), "n": np.array(3)}
FACTS = {"trial": 7, "epoch": 2}


@pytest.fixture
def stored(tmp_path):
    """A folder with one artifact, and its key."""
    store = FileArtifacts(tmp_path / "artifacts")
    return store, store.write("state", ARRAYS, FACTS)


def file_of(store, key, tmp_path):
    return tmp_path / "artifacts" / f"{key}.safetensors"


def test_a_key_ends_with_sixteen_hexadecimal_digits_of_the_content(stored):
    _, key = stored
    name, _, digest = key.rpartition("-")
    assert name == "state"
    assert len(digest) == 16
    assert set(digest) <= set("0123456789abcdef")


def test_the_key_is_the_same_in_every_store(stored):
    assert MemoryArtifacts().write("state", ARRAYS, FACTS) == stored[1]


def test_a_folder_holds_one_file_a_key_and_no_scratch(stored, tmp_path):
    store, key = stored
    store.write("state", ARRAYS, FACTS)
    assert [path.name for path in (tmp_path / "artifacts").iterdir()] == [f"{key}.safetensors"]


def test_a_file_is_ordinary_safetensors(stored, tmp_path):
    from safetensors.numpy import load_file

    loaded = load_file(file_of(*stored, tmp_path))
    assert loaded["w"].tolist() == ARRAYS["w"].tolist()


def test_any_byte_that_changed_is_found_out(stored, tmp_path):
    store, key = stored
    path = file_of(store, key, tmp_path)
    whole = path.read_bytes()
    for position in range(len(whole)):
        changed = bytearray(whole)
        changed[position] ^= 0x01
        path.write_bytes(changed)
        with pytest.raises(ArtifactError, match="is damaged") as caught:
            store.read(key)
        assert key in caught.value.problem
        assert str(path) == caught.value.where
    path.write_bytes(whole)
    assert store.read(key)[1] == FACTS


def test_a_file_that_was_cut_off_anywhere_is_found_out(stored, tmp_path):
    store, key = stored
    path = file_of(store, key, tmp_path)
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(ArtifactError, match="is damaged"):
            store.read(key)


def test_a_file_under_the_name_of_another_is_found_out(stored, tmp_path):
    store, key = stored
    other = store.write("state", ARRAYS, {"trial": 8})
    file_of(store, key, tmp_path).write_bytes(file_of(store, other, tmp_path).read_bytes())
    with pytest.raises(ArtifactError, match="not what was written"):
        store.read(key)


def test_a_missing_file_is_named_with_what_can_be_done(stored, tmp_path):
    store, key = stored
    file_of(store, key, tmp_path).unlink()
    with pytest.raises(ArtifactError, match="is missing") as caught:
        store.read(key)
    assert "restore" in caught.value.fix


@pytest.mark.parametrize(
    "key",
    ["../state-0123456789abcdef", "/etc/passwd", "state", "", "a/b-0123456789abcdef", "state-0123"],
)
def test_a_key_cannot_leave_the_folder(stored, key):
    store, _ = stored
    for use in (store.read, store.delete):
        with pytest.raises(ArtifactError, match="is not a key"):
            use(key)


def test_a_folder_that_cannot_be_made_is_an_artifact_error(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(ArtifactError, match="cannot be written") as caught:
        FileArtifacts(tmp_path / "file" / "artifacts")
    assert "another folder" in caught.value.fix


def test_a_folder_that_is_lost_is_an_artifact_error(tmp_path):
    store = FileArtifacts(tmp_path / "artifacts")
    (tmp_path / "artifacts").rmdir()
    with pytest.raises(ArtifactError, match="cannot be written"):
        store.write("state", ARRAYS)


def test_a_relative_folder_stays_where_it_was_when_the_process_moves(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    store = FileArtifacts("artifacts")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    key = store.write("state", ARRAYS, FACTS)
    assert file_of(store, key, tmp_path).is_file()


def sent(store):
    """A copy as a worker process gets it."""
    return pickle.loads(pickle.dumps(store))  # noqa: S301 - our own


def test_a_copy_in_another_process_reads_the_same_folder(stored):
    store, key = stored
    copy = sent(store)
    assert copy.read(key)[0]["w"].tolist() == ARRAYS["w"].tolist()


def test_a_copy_of_a_memory_store_refuses_to_keep_what_would_be_lost():
    copy = sent(MemoryArtifacts())
    with pytest.raises(ArtifactError, match="memory of another process") as caught:
        copy.write("state", ARRAYS)
    assert "workers=1" in caught.value.fix


def test_storing_arrays_loads_no_database_library():
    code = (
        "import sys; from ripieno.ledger import FileArtifacts, MemoryArtifacts;"
        "assert 'sqlalchemy' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)


def test_facts_without_end_in_a_file_of_somebody_else_are_damage(tmp_path):
    store = FileArtifacts(tmp_path)
    key = store.write("a", {"x": np.zeros(2)})
    save_file({"x": np.zeros(2)}, tmp_path / f"{key}.safetensors", {"facts": "[" * 100_000})
    with pytest.raises(ArtifactError, match="is damaged"):
        store.read(key)


def test_numbers_of_a_kind_that_numpy_lacks_are_damage(tmp_path):
    store = FileArtifacts(tmp_path)
    key = store.write("a", {"x": np.zeros(2, np.uint8)}, {"epoch": 1})
    file = tmp_path / f"{key}.safetensors"
    file.write_bytes(file.read_bytes().replace(b'"dtype":"U8"', b'"dtype":"F8_E4M3"'))
    content = file.read_bytes()
    grown = int.from_bytes(content[:8], "little") + len("F8_E4M3") - len("U8")
    file.write_bytes(grown.to_bytes(8, "little") + content[8:])
    with pytest.raises(ArtifactError, match="is damaged"):
        store.read(key)
