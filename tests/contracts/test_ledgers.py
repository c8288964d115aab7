"""Every ledger keeps the protocol."""

import uuid

import pytest

from ripieno.ledger import SqlLedger
from ripieno.testing import LedgerContract


class TestSqlLedgerInAFile(LedgerContract):
    def create(self, folder, settings):
        return SqlLedger.create(f"sqlite:///{folder}/study.db", settings)

    def reopen(self, ledger, folder):
        ledger.close()
        return SqlLedger.open(f"sqlite:///{folder}/study.db")


class TestSqlLedgerLeftOpen(TestSqlLedgerInAFile):
    def reopen(self, ledger, folder):
        # A killed process closes nothing: what it wrote must be there all the same.
        return SqlLedger.open(folder / "study.db")


class TestSqlLedgerInMemory(LedgerContract):
    def create(self, folder, settings):
        return SqlLedger.create("sqlite://", settings)

    def reopen(self, ledger, folder):
        return ledger


class TestSqlLedgerInPostgreSQL(LedgerContract):
    @pytest.fixture(autouse=True)
    def _at(self, postgres_server):
        self.url = postgres_server.url(f"study_{uuid.uuid4().hex}")

    def create(self, folder, settings):
        return SqlLedger.create(self.url, settings)

    def reopen(self, ledger, folder):
        ledger.close()
        return SqlLedger.open(self.url)
