"""A study's folder: where its ledger, its artifacts and its results lie."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from ripieno.errors import StudyError

__all__ = ["Folder", "new_folder"]

DEFAULT_PARENT = Path("ripieno-studies")


@dataclass(frozen=True, slots=True)
class Folder:
    """The paths inside one study's folder.

    Args:
        path: The folder itself.
    """

    path: Path

    @property
    def database(self) -> Path:
        """The ledger's SQLite file."""
        return self.path / "study.db"

    @property
    def url(self) -> str:
        """The ledger's address, as SQLAlchemy writes it."""
        return f"sqlite:///{self.database}"

    @property
    def artifacts(self) -> Path:
        """Stored states and predictions."""
        return self.path / "artifacts"

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
        """How a search of an architecture by gradient went."""
        return self.path / "architecture.json"

    def create(self, *, overwrite: bool) -> None:
        """Make the folder for a new study.

        Raises:
            StudyError: The folder holds a study and ``overwrite`` is False, holds other
                things, or cannot be written.
        """
        if self.database.exists():
            if not overwrite:
                raise StudyError(
                    f"the folder {str(self.path)!r} already holds a study.",
                    where="--out / out=",
                    fix=f"go on with it (`ripieno resume {self.path}`), name another folder, "
                    "or say --overwrite / overwrite=True to lose it.",
                )
            self._clear()
        elif self.path.is_dir() and any(self.path.iterdir()):
            raise StudyError(
                f"the folder {str(self.path)!r} is not empty and holds no study.",
                where="--out / out=",
                fix="name a new or an empty folder.",
            )
        try:
            self.artifacts.mkdir(parents=True, exist_ok=True)
            if not os.access(self.path, os.W_OK):
                raise PermissionError(f"no permission to write into {self.path}")
        except OSError as error:
            raise StudyError(
                f"the folder {str(self.path)!r} cannot be written: {error.strerror or error}.",
                where="--out / out=",
                fix="name a folder that you may write to.",
            ) from error

    def check(self) -> None:
        """Make sure that the folder holds a study.

        Raises:
            StudyError: It does not.
        """
        if not self.database.is_file():
            studies = sorted(str(p.parent) for p in DEFAULT_PARENT.glob("*/study.db"))
            known = f"studies here: {', '.join(studies)}" if studies else "no study is near"
            raise StudyError(
                f"{str(self.path)!r} holds no study ({self.database.name} is missing).",
                where=known,
                fix="name the folder that `ripieno tune` or `tune(out=…)` wrote.",
            )

    def _clear(self) -> None:
        """Remove what a study wrote, and nothing else that may lie beside it."""
        for path in (self.artifacts, self.ensemble):
            shutil.rmtree(path, ignore_errors=True)
        written = (self.report, self.results, self.diagnosis, self.architecture)
        for path in (*self.path.glob("study.db*"), *written):
            path.unlink(missing_ok=True)


def new_folder(name: str) -> Folder:
    """Return the first free folder ``ripieno-studies/<name>-<number>``."""
    number = 1
    while (path := DEFAULT_PARENT / f"{name}-{number}").exists():
        number += 1
    return Folder(path)
