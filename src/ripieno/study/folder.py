"""A study's folder: where its ledger, its artifacts and its results lie."""

import json
import os
import shutil
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ripieno.errors import StudyError
from ripieno.ledger import (
    FileArtifacts,
    RemoteArtifacts,
    SqlLedger,
    named,
    study_of,
    without_password,
)

__all__ = [
    "DEFAULT_PARENT",
    "Folder",
    "new_folder",
    "remove_study",
    "report_path",
    "studies_in",
    "write_whole",
]

DEFAULT_PARENT = Path("ripieno-studies")


@dataclass(frozen=True, slots=True)
class Folder:
    """The paths inside one study's folder.

    Args:
        path: The folder itself.
        storage: Address of the database that holds the ledger; where absent the one that the
            folder remembers, or else ``study.db`` inside it.
        arrays: Address of the place of states and predictions; where absent the one that the
            folder remembers, or else ``artifacts`` inside it.
    """

    path: Path
    storage: str | None = None
    arrays: str | None = None

    @property
    def database(self) -> Path:
        """The ledger's SQLite file."""
        return self.path / "study.db"

    @property
    def url(self) -> str:
        """The ledger's address, as SQLAlchemy writes it."""
        remembered = _remembered(self.elsewhere, "storage")
        if self.storage is not None:
            known = remembered and study_of(remembered)
            return named(self.storage, known or self.path.absolute().name)
        return remembered or f"sqlite:///{self.database}"

    @property
    def elsewhere(self) -> Path:
        """Where the address of a ledger outside of the folder is written down."""
        return self.path / "storage.json"

    @property
    def holds_study(self) -> bool:
        """Whether a study was begun here."""
        return self.database.is_file() or self.elsewhere.is_file()

    @property
    def artifacts(self) -> Path:
        """Stored states and predictions, where they have no other place."""
        return self.path / "artifacts"

    @property
    def arrays_elsewhere(self) -> Path:
        """Where the address of arrays outside of the folder is written down."""
        return self.path / "artifacts.json"

    @property
    def is_everywhere(self) -> bool:
        """Whether record and arrays are said to lie outside: no machine needs this folder."""
        return self.storage is not None and self.arrays is not None

    @property
    def ensemble(self) -> Path:
        """The exported ensemble."""
        return self.path / "ensemble"

    @property
    def report(self) -> Path:
        """The report page."""
        return self.path / "report.html"

    @property
    def results(self) -> Path:
        """The numbers that were measured once, at the end."""
        return self.path / "results.json"

    @property
    def diagnosis(self) -> Path:
        """What the doctor found in the best trial."""
        return self.path / "diagnosis.json"

    @property
    def architecture(self) -> Path:
        """How the search of a supernet went."""
        return self.path / "architecture.json"

    def create(self, *, overwrite: bool) -> None:
        """Make the folder for a new study.

        Raises:
            StudyError: The folder holds a study and ``overwrite`` is False, holds other
                things, or cannot be written.
        """
        self.refuse_if_taken(overwrite=overwrite)
        if self.holds_study:
            self._clear()
        if self.arrays is not None:
            _prepare(self.arrays, overwrite=overwrite)
        try:
            place = self.artifacts if self.arrays is None else self.path
            place.mkdir(parents=True, exist_ok=True)
            if not os.access(self.path, os.W_OK):
                raise PermissionError(f"no permission to write into {self.path}")
        except OSError as error:
            raise StudyError(
                f"the folder {str(self.path)!r} cannot be written: {error.strerror or error}.",
                where="--out / out=",
                fix="name a folder that you may write to.",
            ) from error

    def refuse_if_taken(self, *, overwrite: bool) -> None:
        """Make sure that a new study may begin here.

        Raises:
            StudyError: The folder holds a study and ``overwrite`` is False, or other things.
        """
        if self.holds_study:
            if not overwrite:
                raise self._taken()
        elif self.path.is_dir() and any(self.path.iterdir()):
            raise StudyError(
                f"the folder {str(self.path)!r} is not empty and holds no study.",
                where="--out / out=",
                fix="name a new or an empty folder.",
            )

    def _taken(self) -> StudyError:
        return StudyError(
            f"the folder {str(self.path)!r} already holds a study.",
            where="--out / out=",
            fix=f"go on with it (`ripieno resume {self.path}`), name another folder, "
            "or say --overwrite / overwrite=True to lose it.",
        )

    def create_ledger(self, settings: Mapping[str, Any]) -> SqlLedger:
        """Begin the record of a study in this folder, which :meth:`create` made.

        Raises:
            StudyError: Another process was quicker.
            LedgerError: The database cannot be reached, or holds a study already; a new
                folder is gone again.
        """
        claim = self.database if self.storage is None else self.elsewhere
        claimed = False
        try:
            # Before it is claimed: what the folder remembers then is the address itself.
            url = self.url
            said = "" if self.storage is None else _address(without_password(url))
            with claim.open("x") as file:
                claimed = True
                file.write(said)
            self._remember_arrays()
            return SqlLedger.create(url, settings)
        except FileExistsError:
            raise self._taken() from None
        except BaseException:
            left = (claim, self.arrays_elsewhere, *self.path.glob("study.db-*"))
            for path in left if claimed else ():
                path.unlink(missing_ok=True)
            for path in (self.artifacts, self.path):
                with suppress(OSError):  # not empty
                    path.rmdir()
            raise

    def open_ledger(self) -> SqlLedger:
        """Open the record of the study that the folder holds.

        Raises:
            StudyError: The folder holds no study.
            LedgerError: The record cannot be read.
        """
        if self.storage is None:
            self.check()
        return SqlLedger.open(self.url)

    def open_artifacts(self) -> FileArtifacts | RemoteArtifacts:
        """Return the store of the study's arrays.

        Raises:
            ArtifactError: It lies at an address that cannot be read, or in a folder that
                cannot be made.
        """
        address = self.arrays or _remembered(self.arrays_elsewhere, "artifacts")
        return FileArtifacts(self.artifacts) if address is None else RemoteArtifacts(address)

    def take_part(self) -> None:
        """Make this the folder of a study that another machine began, unless it is already."""
        if not self.holds_study:
            self.path.mkdir(parents=True, exist_ok=True)
            self._remember_arrays()
            write_whole(self.elsewhere, _address(without_password(self.url)))

    def check(self) -> None:
        """Make sure that the folder holds a study.

        Raises:
            StudyError: It does not.
        """
        if not self.holds_study:
            studies = [str(folder.path) for folder in studies_in(DEFAULT_PARENT)]
            known = f"studies here: {', '.join(studies)}" if studies else "no study is near"
            raise StudyError(
                f"{str(self.path)!r} holds no study ({self.database.name} is missing).",
                where=known,
                fix="name the folder that `ripieno tune` or `tune(out=…)` wrote.",
            )

    def remove(self) -> list[str]:
        """Remove the study, and the folder if nothing else lies in it.

        Returns:
            Names of what else lies there and was left.

        Raises:
            StudyError: The folder holds no study.
            LedgerError: The database that holds the record cannot be reached; nothing was
                removed.
        """
        self.check()
        self._clear()
        left = sorted(path.name for path in self.path.iterdir())
        if not left:
            self.path.rmdir()
        return left

    def _clear(self) -> None:
        """Remove what a study wrote, and nothing else that may lie beside it."""
        if self.arrays_elsewhere.is_file():
            # Before the record: without that, nobody would know of them.
            arrays = self.open_artifacts()
            arrays.discard(arrays.files())
        if self.elsewhere.is_file():
            SqlLedger.remove(self.url)
        for path in (self.artifacts, self.ensemble):
            shutil.rmtree(path, ignore_errors=True)
        files = (
            self.elsewhere, self.arrays_elsewhere, self.report, self.results, self.diagnosis,
            self.architecture,
        )  # fmt: skip
        for path in (*self.path.glob("study.db*"), *files):
            path.unlink(missing_ok=True)

    def _remember_arrays(self) -> None:
        if self.arrays is not None:
            write_whole(self.arrays_elsewhere, _address(RemoteArtifacts(self.arrays).place))


def _address(url: str) -> str:
    return json.dumps({"url": url})


def _remembered(file: Path, option: str) -> str | None:
    """Return the address that was written down, or None.

    Args:
        file: Where.
        option: The option that names it anew.
    """
    try:
        found = json.loads(file.read_text())["url"]
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, RecursionError) as error:
        raise StudyError(
            f"an address in the study's folder cannot be read: {error}.",
            where=str(file),
            fix=f"restore the file from a copy, or say it with --{option} / {option}=.",
        ) from error
    return str(found)


def _prepare(address: str, *, overwrite: bool) -> None:
    """Make sure that a place for arrays can be used, and is this study's alone.

    Raises:
        StudyError: Arrays of a study lie there and ``overwrite`` is False.
        ArtifactError: It cannot be reached, or not be written.
    """
    arrays = RemoteArtifacts(address)
    arrays.check()
    found = arrays.files()
    if found and not overwrite:
        raise StudyError(
            f"arrays of a study lie there already ({len(found)} files).",
            where=arrays.place,
            fix="go on with that study (`ripieno resume DIR --storage … --artifacts …`), name a "
            "place of its own for each study, or say --overwrite / overwrite=True to lose them.",
        )
    arrays.discard(found)


def remove_study(path: Path) -> list[str]:
    """Remove the study in a folder; see :meth:`Folder.remove`."""
    return Folder(path).remove()


def studies_in(parent: Path) -> list[Folder]:
    """Return the folders right below a folder that hold a study, by name."""
    found = (Folder(path) for path in sorted(parent.glob("*/")))
    return [folder for folder in found if folder.holds_study]


def new_folder(name: str) -> Folder:
    """Return the first free folder ``ripieno-studies/<name>-<number>``."""
    number = 1
    while (path := DEFAULT_PARENT / f"{name}-{number}").exists():
        number += 1
    return Folder(path)


def report_path(path: str | Path | None, folder: Folder | None) -> Path:
    """Return where a report is written: to a path, else into a study's folder.

    Raises:
        StudyError: There is neither.
    """
    if path is not None:
        return Path(path)
    if folder is not None:
        return folder.report
    raise StudyError(
        "the study lives in memory and has no folder for a report.",
        where="Study.report()",
        fix='name a file: study.report("report.html").',
    )


def write_whole(path: Path, text: str) -> None:
    """Write a file that is either the old one or the whole new one."""
    scratch = path.with_suffix(".tmp")
    scratch.write_text(text)
    scratch.replace(path)
