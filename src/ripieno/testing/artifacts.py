"""What every store of arrays must keep to."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from ripieno.errors import ArtifactError
from ripieno.records import ArtifactStore

__all__ = ["ArtifactStoreContract"]

_ARRAYS: dict[str, Any] = {
    "weights": np.linspace(-1.0, 1.0, 12, dtype=np.float32).reshape(3, 4),
    "fortran": np.asfortranarray(np.arange(6.0).reshape(2, 3)),
    "half": np.array([1.5, -0.0, np.inf, np.nan], dtype=np.float16),
    "count": np.array(7, dtype=np.int64),
    "mask": np.array([True, False, True]),
    "image": np.arange(256, dtype=np.uint8),
    "empty": np.zeros((0, 3)),
}
_FACTS: dict[str, Any] = {"trial": 3, "epoch": 9, "config": {"lr": 0.1, "name": "sgd", "x": None}}


class ArtifactStoreContract:
    """Tests that a store gives back what it was given, and nothing else.

    Inherit from it in a class whose name begins with ``Test``, and say how to make the store.

    Example:
        >>> class TestFileArtifacts(ArtifactStoreContract):
        ...     def make(self, folder):
        ...         return FileArtifacts(folder)
    """

    def make(self, folder: Path) -> ArtifactStore:
        """Return an empty store; ``folder`` is empty and may be used for it."""
        raise NotImplementedError

    @pytest.fixture
    def store(self, tmp_path: Path) -> ArtifactStore:
        """Return an empty store."""
        return self.make(tmp_path / "artifacts")

    @pytest.mark.parametrize("label", sorted(_ARRAYS))
    def test_an_array_comes_back_bit_for_bit(self, store: ArtifactStore, label: str) -> None:
        """Values, dtype and shape, whatever the layout in memory was."""
        arrays, _ = store.read(store.write("state", {label: _ARRAYS[label]}))
        assert list(arrays) == [label]
        assert arrays[label].dtype == _ARRAYS[label].dtype
        assert arrays[label].shape == _ARRAYS[label].shape
        assert arrays[label].tobytes() == _ARRAYS[label].tobytes()

    def test_all_arrays_and_facts_of_a_key_come_back(self, store: ArtifactStore) -> None:
        """Names with slashes and dots among them."""
        given = {f"model/{label}.0": array for label, array in _ARRAYS.items()}
        arrays, facts = store.read(store.write("trial-3-epoch-9-state", given, _FACTS))
        assert arrays.keys() == given.keys()
        assert facts == _FACTS

    def test_facts_keep_numbers_that_are_not_finite(self, store: ArtifactStore) -> None:
        """A diverged trial's facts are facts too."""
        _, facts = store.read(store.write("state", {}, {"loss": math.nan, "best": -math.inf}))
        assert math.isnan(facts["loss"])
        assert facts["best"] == -math.inf

    def test_nothing_at_all_can_be_stored(self, store: ArtifactStore) -> None:
        """No arrays and no facts."""
        assert store.read(store.write("empty", {})) == ({}, {})

    def test_a_key_begins_with_its_name(self, store: ArtifactStore) -> None:
        """So that a folder can be read by a person."""
        assert store.write("trial-3-epoch-9-state", _ARRAYS).startswith("trial-3-epoch-9-state-")

    def test_the_same_content_gives_the_same_key(self, store: ArtifactStore) -> None:
        """Whatever the order of the names; and nothing is lost by writing twice."""
        turned = dict(reversed(_ARRAYS.items()))
        key = store.write("state", _ARRAYS, {"a": 1, "b": 2})
        assert store.write("state", turned, {"b": 2, "a": 1}) == key
        assert store.read(key)[1] == {"a": 1, "b": 2}

    @pytest.mark.parametrize(
        "other",
        [
            {"w": np.array([1.0, 2.5])},
            {"v": np.array([1.0, 2.0])},
            {"w": np.array([[1.0, 2.0]])},
            {"w": np.array([1.0, 2.0]).view(np.int64)},
            {"w": np.array([1.0, 2.0]), "v": np.zeros(0)},
        ],
        ids=["value", "name", "shape", "dtype", "another"],
    )
    def test_other_content_gives_another_key(
        self, store: ArtifactStore, other: dict[str, Any]
    ) -> None:
        """A value, a name, a shape, a dtype or one array more."""
        assert store.write("s", other) != store.write("s", {"w": np.array([1.0, 2.0])})

    def test_other_facts_give_another_key(self, store: ArtifactStore) -> None:
        """They are part of the content."""
        assert store.write("s", {}, {"epoch": 1}) != store.write("s", {}, {"epoch": 2})

    def test_what_is_read_belongs_to_the_reader(self, store: ArtifactStore) -> None:
        """Changing it, or what was written, changes nothing in the store."""
        given = np.zeros(3)
        key = store.write("state", {"w": given})
        given[:] = 1.0
        first, _ = store.read(key)
        first["w"][...] = 2.0
        assert store.read(key)[0]["w"].tolist() == [0.0, 0.0, 0.0]

    def test_a_missing_key_is_an_error_that_names_it(self, store: ArtifactStore) -> None:
        """Never an empty answer."""
        with pytest.raises(ArtifactError, match="state-0123456789abcdef"):
            store.read("state-0123456789abcdef")

    def test_a_deleted_key_is_gone_and_may_be_deleted_again(self, store: ArtifactStore) -> None:
        """The second time is no error."""
        key, other = store.write("a", {"w": np.ones(2)}), store.write("b", {"w": np.ones(2)})
        store.delete(key)
        store.delete(key)
        with pytest.raises(ArtifactError):
            store.read(key)
        assert store.read(other)[0]["w"].tolist() == [1.0, 1.0]

    @pytest.mark.parametrize("name", ["", "../up", "a/b", ".hidden", "a b", "ä", "a" * 300])
    def test_a_name_that_could_leave_the_store_is_refused(
        self, store: ArtifactStore, name: str
    ) -> None:
        """A name becomes part of a key, and a key may become a file."""
        with pytest.raises(ArtifactError, match="name of an artifact"):
            store.write(name, {})

    @pytest.mark.parametrize(
        "array",
        [np.array(["text"]), np.array([object()]), np.array([1j])],
        ids=["text", "object", "complex"],
    )
    def test_an_array_that_holds_no_plain_numbers_is_refused(
        self, store: ArtifactStore, array: Any
    ) -> None:
        """Nothing is pickled to get it through."""
        with pytest.raises(ArtifactError, match="dtype"):
            store.write("state", {"w": array})

    def test_facts_that_are_no_json_are_refused(self, store: ArtifactStore) -> None:
        """They would come back as something else."""
        with pytest.raises(ArtifactError, match="JSON"):
            store.write("state", {}, {"model": object()})
