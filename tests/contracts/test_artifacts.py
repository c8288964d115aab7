"""Every store of arrays keeps the protocol."""

import pytest

from ftp_server import FtpServer
from ripieno.ledger import FileArtifacts, MemoryArtifacts, RemoteArtifacts
from ripieno.testing import ArtifactStoreContract


class TestFileArtifacts(ArtifactStoreContract):
    def make(self, folder):
        return FileArtifacts(folder)


class TestMemoryArtifacts(ArtifactStoreContract):
    def make(self, folder):
        return MemoryArtifacts()


class TestRemoteArtifactsInAFolder(ArtifactStoreContract):
    def make(self, folder):
        return RemoteArtifacts(f"file://{folder}")


class TestRemoteArtifactsOnAServer(ArtifactStoreContract):
    @pytest.fixture
    def store(self, tmp_path):
        server = FtpServer(tmp_path)
        yield RemoteArtifacts(server.url("some/study"))
        server.stop()
