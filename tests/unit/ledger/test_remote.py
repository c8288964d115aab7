"""Arrays behind an address: on a real FTP server, and in a folder by its address."""

import math
import subprocess
import sys
import threading
import time
from datetime import UTC, datetime, timedelta, timezone

import numpy as np
import pytest

from ftp_server import PASSWORD, FtpServer
from ripieno.errors import ArtifactError, DiskLimitError
from ripieno.ledger import FileArtifacts, RemoteArtifacts, filesystems
from ripieno.ledger.filesystems import changed_at, is_transient, without_secret

ARRAYS = {"w": np.arange(5.0)}
FACTS = {"trial": 3}


def names(folder):
    return sorted(path.name for path in folder.iterdir())


@pytest.fixture
def serve(tmp_path):
    begun = []

    def serve(**options):
        begun.append(FtpServer(tmp_path, **options))
        return begun[-1]

    yield serve
    for server in begun:
        server.stop()


def test_a_place_holds_the_files_that_a_folder_would(tmp_path):
    there, here = RemoteArtifacts(f"file://{tmp_path}/a"), FileArtifacts(tmp_path / "b")
    key = there.write("state", ARRAYS, FACTS)
    assert here.write("state", ARRAYS, FACTS) == key
    files = [tmp_path / folder / f"{key}.safetensors" for folder in "ab"]
    assert files[0].read_bytes() == files[1].read_bytes()
    (found,) = there.files()
    assert (found.path.name, found.key, found.size_bytes) == (
        files[0].name,
        key,
        here.files()[0].size_bytes,
    )
    assert found.changed_at == pytest.approx(files[0].stat().st_mtime)


def test_files_of_others_are_left_alone_and_half_ones_are_known(serve, tmp_path):
    store = RemoteArtifacts(serve().url("study"))
    key = store.write("state", ARRAYS)
    half = f".{key}.{'0' * 32}"
    for name in ("notes.txt", "state.safetensors", half):
        (tmp_path / "study" / name).write_text("mine")
    assert [(file.path.name, file.key) for file in store.files()] == [
        (half, None), (f"{key}.safetensors", key)]  # fmt: skip
    store.discard(store.files())
    store.discard([])
    assert names(tmp_path / "study") == ["notes.txt", "state.safetensors"]


def test_what_another_process_writes_is_seen_at_once(serve):
    url = serve().url("study")
    store = RemoteArtifacts(url)
    assert store.files() == []
    code = (
        "import sys, numpy as np; from ripieno.ledger import RemoteArtifacts;"
        "print(RemoteArtifacts(sys.argv[1]).write('state', {'w': np.arange(5.0)}, {'trial': 3}))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, url], capture_output=True, text=True, check=True
    )
    key = done.stdout.strip()
    assert [file.key for file in store.files()] == [key]
    assert store.read(key)[1] == FACTS


def test_damage_is_noticed(serve, tmp_path):
    store = RemoteArtifacts(serve().url("study"))
    file = tmp_path / "study" / f"{store.write('state', ARRAYS)}.safetensors"
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)
    with pytest.raises(ArtifactError, match="is damaged: its content is not what was written"):
        store.read(file.stem)
    file.write_bytes(content[:-3])
    with pytest.raises(ArtifactError, match="is damaged"):
        store.read(file.stem)


def test_nothing_passes_the_limit(tmp_path):
    store = RemoteArtifacts(f"file://{tmp_path}/a").limited(5_000)
    store.write("state", {"w": np.zeros(400)})
    with pytest.raises(DiskLimitError, match="more than 5,000 bytes"):
        store.write("state", {"w": np.ones(400)})
    assert len(names(tmp_path / "a")) == 1


def test_a_server_that_renames_onto_nothing_keeps_what_is_there(serve, tmp_path):
    store = RemoteArtifacts(serve(replaces=False).url("study"))
    key = store.write("state", ARRAYS)
    assert store.write("state", ARRAYS) == key
    assert names(tmp_path / "study") == [f"{key}.safetensors"]


def test_an_object_store_is_written_to_at_once(monkeypatch, tmp_path):
    monkeypatch.setattr(filesystems, "_WHOLE", {"file"})
    (tmp_path / "a").mkdir()  # which object stores do not have
    moved = []
    monkeypatch.setattr(filesystems, "_move", lambda *which: moved.append(which))
    store = RemoteArtifacts(f"file://{tmp_path}/a")
    assert store.read(store.write("state", ARRAYS, FACTS))[1] == FACTS
    assert moved == []


def test_a_write_that_fails_leaves_nothing(serve, tmp_path):
    (tmp_path / "study").mkdir()
    store = RemoteArtifacts(serve(writable=False).url("study"))
    with pytest.raises(ArtifactError) as told:
        store.write("state", ARRAYS)
    assert "cannot be written: 550 permission denied" in told.value.problem
    assert "read, write, list and delete there" in told.value.fix
    assert names(tmp_path / "study") == []


def test_a_server_that_comes_back_is_waited_for(serve):
    server = serve()
    store = RemoteArtifacts(server.url("study"))
    key = store.write("state", ARRAYS)
    server.stop()
    threading.Timer(0.3, serve, kwargs={"port": server.port}).start()
    began = time.monotonic()
    np.testing.assert_array_equal(store.read(key)[0]["w"], ARRAYS["w"])
    assert time.monotonic() - began > 0.25
    assert store.files()[0].key == key


def test_one_that_stays_away_is_told_without_the_password(serve):
    server = serve()
    store = RemoteArtifacts(server.url("study"))
    server.stop()
    with pytest.raises(ArtifactError) as told:
        store.check()
    assert "cannot be written" in told.value.problem
    assert told.value.where == f"ftp://ann@127.0.0.1:{server.port}/study"
    assert PASSWORD not in str(told.value)
    with pytest.raises(ArtifactError, match="cannot be written: 530 wrong"):
        RemoteArtifacts(serve().url("study").replace(PASSWORD, "guess")).check()


def test_a_place_that_works_is_left_as_it_was(serve, tmp_path):
    RemoteArtifacts(serve().url("deep/study")).check()
    assert names(tmp_path / "deep" / "study") == []


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("study", "'study' is no address of a place"),
        ("", "'' is no address"),
        ("file://", "is no address"),
        ("s3:///", "is no address"),
        ("simplecache::file:///tmp/a", "is no address"),
        ("nowhere://ann:secret@host/a", "nothing is known of addresses that begin with nowhere"),
        ("memory://a", "memory:// is no place that several processes keep files in"),
        ("reference://a", "reference:// is no place"),
        ("http://host/a", "http:// is no place"),
    ],
)
def test_what_is_no_place_for_arrays_is_refused(url, problem):
    with pytest.raises(ArtifactError) as told:
        RemoteArtifacts(url)
    assert problem in told.value.problem
    assert "s3://bucket/study" in told.value.fix
    assert "secret" not in str(told.value)


def test_a_package_that_is_missing_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "s3fs", None)
    with pytest.raises(ArtifactError) as told:
        RemoteArtifacts("s3://bucket/study")
    assert "Install s3fs" in told.value.problem
    assert "pip install 'ripieno[s3]'" in told.value.fix


@pytest.mark.parametrize(
    ("said", "when"),
    [
        ({"mtime": 12.5}, 12.5),
        ({"LastModified": datetime(1970, 1, 2, tzinfo=UTC)}, 86_400),
        ({"mtime": datetime(1970, 1, 2)}, 86_400),  # noqa: DTZ001 - as sftp says it
        ({"last_modified": datetime(1970, 1, 2, tzinfo=timezone(timedelta(hours=1)))}, 82_800),
        ({"mtime": None, "updated": "1970-01-02T00:00:00Z"}, 86_400),
        ({"modify": "19700102000001"}, 86_401),
        ({"modify": "19700102000001.123"}, 86_401),
        ({"mtime": "yesterday"}, math.inf),
        ({}, math.inf),
    ],
)
def test_the_age_of_a_file_is_read_in_every_spelling(said, when):
    assert changed_at(said) == when


@pytest.mark.parametrize(
    ("error", "transient"),
    [
        (ConnectionResetError(), True),
        (TimeoutError(), True),
        (EOFError(), True),
        (OSError(5, "input or output"), True),
        (type("EndpointConnectionError", (Exception,), {})(), True),
        (FileNotFoundError(), False),
        (PermissionError(), False),
        (OSError(28, "no space left"), False),
        (NotImplementedError(), False),
        (ValueError(), False),
    ],
)
def test_only_what_may_pass_is_tried_again(error, transient):
    assert is_transient(error) is transient


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("s3://bucket/study", "s3://bucket/study"),
        ("ftp://ann:secret@host:2121/a", "ftp://ann@host:2121/a"),
        ("sftp://ann@host/a", "sftp://ann@host/a"),
        ("ftp://[secret@host/a", "ftp://…"),
    ],
)
def test_an_address_is_shown_without_its_password(url, shown):
    assert without_secret(url) == shown
