"""Which stored arrays a study still needs, and what else lies among them."""

import time
from dataclasses import dataclass
from pathlib import Path

from ripieno.ledger import Ledger, StoredFile
from ripieno.study.folder import Folder

__all__ = ["Orphans", "collect_orphans", "needed_keys"]


@dataclass(frozen=True, slots=True)
class Orphans:
    """Files among a study's artifacts that nothing in its record names.

    Args:
        files: The orphans, by name.
        kept: How many files the study needs.
        kept_bytes: How long those are together.
    """

    files: tuple[StoredFile, ...]
    kept: int
    kept_bytes: int

    @property
    def size_bytes(self) -> int:
        """How long the orphans are together."""
        return sum(file.size_bytes for file in self.files)


def needed_keys(ledger: Ledger) -> set[str]:
    """Return the keys that trials hold and that open orders begin from."""
    keys = {key for trial in ledger.trials() for key in (trial.state, trial.predictions)}
    keys |= {order.state for order in ledger.open_orders()}
    return {key for key in keys if key is not None}


def collect_orphans(path: Path, *, older_seconds: float, dry_run: bool) -> Orphans:
    """Delete what a process that was killed left behind: superseded and half-written files.

    Args:
        path: The study's folder.
        older_seconds: Younger files are left alone: a study that is running writes arrays
            before it records them.
        dry_run: Delete nothing.

    Returns:
        What was deleted, or would be.

    Raises:
        StudyError, LedgerError: The study's record cannot be read.
        ArtifactError: A file cannot be deleted.
    """
    folder = Folder(path)
    folder.check()
    # Looked at before the record is, so that what is recorded in between is no orphan.
    until = time.time() - older_seconds
    artifacts = folder.open_artifacts()
    files = artifacts.files()
    ledger = folder.open_ledger()
    try:
        needed = needed_keys(ledger)
    finally:
        ledger.close()
    kept = [file for file in files if file.key in needed]
    orphans = [file for file in files if file.key not in needed and file.changed_at <= until]
    if not dry_run:
        artifacts.discard(orphans)
    return Orphans(tuple(orphans), len(kept), sum(file.size_bytes for file in kept))
