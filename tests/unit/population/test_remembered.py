import json

import pytest

from ripieno.population.remembered import Remembered, cache_folder


def test_what_was_put_is_there_in_another_process_object(tmp_path):
    Remembered(tmp_path / "new").put("width", "a", {"rows": 3})
    assert Remembered(tmp_path / "new").get("width", "a") == {"rows": 3}
    assert Remembered(tmp_path / "new").get("width", "b") == {}
    assert Remembered(tmp_path / "new").get("other", "a") == {}
    assert [path.suffix for path in (tmp_path / "new").iterdir()] == [".json"]


@pytest.mark.parametrize(
    "content",
    [
        b"", b"{", b"\xff\xfe", b"[]", b"null", b'{"version": 0, "measured": {"width": {"a": {}}}}',
        b'{"version": 1}', b'{"version": 1, "measured": 3}',
        b'{"version": 1, "measured": {"width": [1]}}',
        b'{"version": 1, "measured": {"width": {"a": 7}}}',
    ],
)  # fmt: skip
def test_a_damaged_file_is_an_empty_one_and_is_mended(tmp_path, content):
    remembered = Remembered(tmp_path)
    remembered.path.write_bytes(content)
    assert remembered.get("width", "a") == {}
    remembered.put("width", "a", {"rows": 1})
    assert remembered.get("width", "a") == {"rows": 1}


def test_a_folder_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("")
    remembered = Remembered(tmp_path / "file" / "cache")
    remembered.put("width", "a", {"rows": 1})
    assert remembered.get("width", "a") == {}


def test_the_oldest_are_forgotten_first(tmp_path):
    remembered = Remembered(tmp_path)
    for number in range(500):
        remembered.put("width", str(number), {"rows": number})
    remembered.put("width", "0", {"rows": 0})  # it is the newest now
    remembered.put("width", "500", {"rows": 500})
    kept = json.loads(remembered.path.read_text())["measured"]["width"]
    assert len(kept) == 500
    assert "1" not in kept
    assert {"0", "2", "500"} <= set(kept)


def test_the_cache_folder_is_the_users(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "ripieno"
    assert Remembered().path.parent == tmp_path / "ripieno"
    monkeypatch.setenv("XDG_CACHE_HOME", "relative")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert cache_folder() == tmp_path / "home/.cache/ripieno"
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert cache_folder() == tmp_path / "home/.cache/ripieno"
