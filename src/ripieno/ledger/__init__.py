"""What happened: orders, outcomes and artifacts."""

from ripieno.ledger.ledger import Ledger

__all__ = ["Ledger"]
