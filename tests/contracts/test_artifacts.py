"""Every store of arrays keeps the protocol."""

from ripieno.ledger import FileArtifacts, MemoryArtifacts, RemoteArtifacts
from ripieno.testing import ArtifactStoreContract


class TestFileArtifacts(ArtifactStoreContract):
    def make(self, folder):
        return FileArtifacts(folder)


class TestMemoryArtifacts(ArtifactStoreContract):
    def make(self, folder):
        return MemoryArtifacts()


class TestRemoteArtifacts(ArtifactStoreContract):
    def make(self, folder):
        return RemoteArtifacts(f"file://{folder}")
