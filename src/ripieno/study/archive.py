"""A study as one file, to keep or to send, and back.

The file is a zip of stored, uncompressed entries: ``study.db`` (SQLite, wherever the record
lay before), the arrays that the record names, and what was written at the end of the search.
``ripieno.json`` lists them with their SHA-256. Whoever reads one trusts nothing in it: only
known names are taken, each entry is checked, and the record is copied row by row.
"""

import hashlib
import json
import re
import shutil
import tempfile
import uuid
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from ripieno.errors import ArtifactError, RipienoError, StudyError
from ripieno.ledger import FileArtifacts, RemoteArtifacts, SqlLedger
from ripieno.study.folder import Folder
from ripieno.study.keeping import needed_keys
from ripieno.study.settings import Settings

__all__ = ["Archived", "export_study", "import_study"]

_MANIFEST = "ripieno.json"
_VERSION = 1
_PART = r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,219}"
_KNOWN = re.compile(
    rf"study\.db|report\.html|results\.json|diagnosis\.json|artifacts/{_PART}\.safetensors"
    rf"|ensemble/{_PART}\.(json|safetensors)"
)
_CHUNK_BYTES = 1 << 20
_MOST_MANIFEST_BYTES = 1 << 28
_UNREADABLE = (OSError, zipfile.BadZipFile, ValueError, KeyError, TypeError, EOFError,
               RuntimeError, NotImplementedError)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Archived:
    """What was written into an archive, or read from one.

    Args:
        study: The study's folder.
        file: The archive.
        files: How many files of the study it holds.
        size_bytes: How long those are together.
        trials: Trials in the record.
        runs: What of a user's code a resumed study would run, as ``FILE.py:NAME``.
    """

    study: str
    file: str
    files: int
    size_bytes: int
    trials: int
    runs: tuple[str, ...]


def export_study(path: Path, file: Path) -> Archived:
    """Write a study into one new file.

    Raises:
        StudyError: The folder holds no study, the file exists or cannot be written, or the
            study was trained on while it was read.
        LedgerError: The record cannot be read.
    """
    if file.exists():
        raise StudyError(
            f"{str(file)!r} exists already.",
            where="ripieno export",
            fix="name a new file, or remove this one.",
        )
    folder = Folder(path)
    hidden = file.with_name(f".{file.name}.{uuid.uuid4().hex}")
    ledger = folder.open_ledger()
    try:
        with tempfile.TemporaryDirectory(prefix="ripieno-") as scratch:
            ledger.copy_to(Path(scratch, "study.db"))
            snapshot = SqlLedger.open(Path(scratch, "study.db"))
            try:
                sources = {
                    "study.db": Path(scratch, "study.db"),
                    **_arrays(folder, needed_keys(snapshot), Path(scratch)),
                    **_written(folder),
                }
                facts = _facts(snapshot, where=str(folder.path))
            finally:
                snapshot.close()
            _write(hidden, sources)
        hidden.replace(file)
    except OSError as error:
        if isinstance(error, RipienoError):
            raise
        raise StudyError(
            f"the archive cannot be written: {error.strerror or error}.",
            where=str(error.filename or file),
            fix="end the study that is being trained, choose a folder that can be written, "
            "on a disk with room, then try again.",
        ) from error
    finally:
        ledger.close()
        hidden.unlink(missing_ok=True)
    size = file.stat().st_size
    return Archived(str(folder.path), str(file), len(sources), size, **facts)


def import_study(file: Path, path: Path) -> Archived:
    """Bring a study back from one file into a new folder.

    Nothing of it is run or unpickled, and nothing is written outside of the folder; after an
    error there is no folder.

    Raises:
        StudyError: The folder is there already, the file cannot be read, holds what a study
            does not have, or does not hold all of it.
        LedgerError: The record in it cannot be read.
    """
    folder = Folder(path)
    folder.create(overwrite=False)
    folder.artifacts.rmdir()
    scratch = folder.path / f".import-{uuid.uuid4().hex}"
    scratch.mkdir()
    try:
        with _translated(file), zipfile.ZipFile(file) as archive:
            count, size = _extract(archive, scratch, file=file)
        facts = _check_record(scratch, file)
        for part in sorted(scratch.iterdir()):
            part.replace(folder.path / part.name)
        scratch.rmdir()
    except BaseException:
        shutil.rmtree(folder.path)
        raise
    return Archived(str(folder.path), str(file), count, size, **facts)


def _arrays(folder: Folder, keys: set[str], scratch: Path) -> dict[str, Path]:
    """Return the files of a study's arrays by their names in the archive.

    Args:
        folder: The study's.
        keys: What is wanted.
        scratch: An empty folder for copies of what lies elsewhere.
    """
    arrays = folder.open_artifacts()
    if isinstance(arrays, RemoteArtifacts):
        for key in keys:
            arrays.fetch(key, scratch / f"{key}.safetensors")
    place = scratch if isinstance(arrays, RemoteArtifacts) else folder.artifacts
    names = (f"{key}.safetensors" for key in sorted(keys))
    return _known({f"artifacts/{name}": place / name for name in names})


def _written(folder: Folder) -> dict[str, Path]:
    """Return what was written at the end of a search, by its names in the archive."""
    ready = (folder.report, folder.results, folder.diagnosis)
    files = {path.name: path for path in ready if path.is_file()}
    ensemble = sorted(folder.ensemble.iterdir()) if folder.ensemble.is_dir() else []
    return _known({**files, **{f"ensemble/{path.name}": path for path in ensemble}})


def _known(files: dict[str, Path]) -> dict[str, Path]:
    return {name: path for name, path in files.items() if _KNOWN.fullmatch(name)}


def _facts(ledger: SqlLedger, *, where: str) -> dict[str, Any]:
    """Return what is said of a record, after reading all of it."""
    settings = Settings.from_dict(ledger.settings, where=where)
    trials = len(ledger.trials())
    list(ledger.events())
    further = [metric.metric_source for metric in settings.further]
    data = settings.data and settings.data.source
    named = (settings.recipe, settings.metric_source, *further, data)
    runs = [name for name in named if name and ".py:" in name]
    return {"trials": trials, "runs": tuple(dict.fromkeys(runs))}


def _write(target: Path, sources: dict[str, Path]) -> None:
    listed = {}
    with zipfile.ZipFile(target, "x", zipfile.ZIP_STORED) as archive:
        for name, source in sources.items():
            with source.open("rb") as reader, archive.open(name, "w", force_zip64=True) as writer:
                listed[name] = _copy(reader, writer)
        manifest = {"version": _VERSION, "sha256": listed}
        archive.writestr(_MANIFEST, json.dumps(manifest, indent=1))


def _extract(archive: zipfile.ZipFile, folder: Path, *, file: Path) -> tuple[int, int]:
    """Write the entries into an empty folder; return how many, and how long they are."""
    entries = archive.infolist()
    listed = _manifest(archive)
    names = [entry.filename for entry in entries if entry.filename != _MANIFEST]
    if len(names) != len({name.lower() for name in names}) or set(names) != set(listed):
        raise ValueError("its list of files is not what it holds")
    if "study.db" not in listed:
        raise ValueError("it holds no study.db")
    size = sum(entry.file_size for entry in entries)
    if size > file.stat().st_size or any(entry.compress_type for entry in entries):
        raise ValueError("its entries are compressed, or overlap")
    for part in ("artifacts", "ensemble"):
        (folder / part).mkdir()
    for name in names:
        if not _KNOWN.fullmatch(name):
            raise ValueError(f"{name!r} is no file of a study")
        with archive.open(name) as reader, (folder / name).open("xb") as writer:
            if _copy(reader, writer) != listed[name]:
                raise ValueError(f"{name!r} is not what was written")
    return len(names), size


def _manifest(archive: zipfile.ZipFile) -> dict[str, str]:
    if archive.getinfo(_MANIFEST).file_size > _MOST_MANIFEST_BYTES:
        raise ValueError(f"{_MANIFEST} is too long")
    manifest = json.loads(archive.read(_MANIFEST))
    if manifest["version"] != _VERSION:
        raise ValueError(f"version {manifest['version']!r}; this Ripieno reads {_VERSION}")
    return dict(manifest["sha256"])


def _check_record(folder: Path, file: Path) -> dict[str, Any]:
    """Copy the record into a database of our own making, and see that all it names is there."""
    given = folder / "given.db"
    (folder / "study.db").replace(given)
    theirs = SqlLedger.open(given)
    try:
        theirs.copy_to(folder / "study.db")
    finally:
        theirs.close()
    for path in folder.glob("given.db*"):
        path.unlink()
    ledger = SqlLedger.open(folder / "study.db")
    try:
        facts = _facts(ledger, where=str(file))
        needed = needed_keys(ledger)
    finally:
        ledger.close()
    missing = needed - {stored.key for stored in FileArtifacts(folder / "artifacts").files()}
    if missing:
        raise ArtifactError(
            f"the archive lacks {len(missing)} of the arrays that its record names.",
            where=str(file),
            fix="export the study again.",
        )
    return facts


def _copy(reader: IO[bytes], writer: IO[bytes]) -> str:
    """Copy a file and return its SHA-256."""
    digest = hashlib.sha256()
    while chunk := reader.read(_CHUNK_BYTES):
        digest.update(chunk)
        writer.write(chunk)
    return digest.hexdigest()


@contextmanager
def _translated(file: Path) -> Iterator[None]:
    """Turn what a damaged or foreign file raises into a StudyError."""
    try:
        yield
    except _UNREADABLE as error:
        raise StudyError(
            f"the archive cannot be read: {str(error).rstrip('.') or type(error).__name__}.",
            where=str(file),
            fix="pass a file that `ripieno export` wrote, or export the study again.",
        ) from error
