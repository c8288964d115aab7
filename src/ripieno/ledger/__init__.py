"""What happened: orders, outcomes and artifacts."""

from typing import TYPE_CHECKING

from ripieno.ledger.artifacts import FileArtifacts, MemoryArtifacts
from ripieno.ledger.keys import StoredFile
from ripieno.ledger.ledger import Ledger
from ripieno.ledger.remote import RemoteArtifacts

if TYPE_CHECKING:
    from ripieno.ledger.board import Board, Driver, Lead, Lease
    from ripieno.ledger.places import named, study_of, without_password
    from ripieno.ledger.sql import SqlLedger

__all__ = [
    "Board",
    "Driver",
    "FileArtifacts",
    "Lead",
    "Lease",
    "Ledger",
    "MemoryArtifacts",
    "RemoteArtifacts",
    "SqlLedger",
    "StoredFile",
    "named",
    "study_of",
    "without_password",
]


def __getattr__(name: str) -> object:
    # SQLAlchemy takes longer to import than everything else here, and a worker process
    # that only stores arrays does not need it.
    if name == "SqlLedger":
        from ripieno.ledger.sql import SqlLedger

        return SqlLedger
    if name in {"Board", "Driver", "Lead", "Lease"}:
        from ripieno.ledger import board

        return getattr(board, name)
    if name in {"named", "study_of", "without_password"}:
        from ripieno.ledger import places

        return getattr(places, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
