"""A real PostgreSQL server for tests, from the binaries that the system has."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

__all__ = ["Server", "binaries"]


def binaries() -> Path | None:
    """Return the folder of ``initdb`` and ``pg_ctl``, or None where there is no server."""
    # Debian keeps them out of PATH, one folder a version.
    places = sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)
    found = shutil.which("initdb")
    places += [Path(found).parent] if found else []
    return next((place for place in places if (place / "initdb").is_file()), None)


class Server:
    """One server with an empty cluster, reached through a socket in its own folder alone.

    Args:
        programs: Where ``initdb`` and ``pg_ctl`` lie.
    """

    def __init__(self, programs: Path) -> None:
        self._programs = programs
        # Short, because the path of a socket is; and not in pytest's folder, into which only
        # its own user can look.
        self.folder = Path(tempfile.mkdtemp(prefix="pg-"))
        # PostgreSQL refuses to run as root; Debian's package brings a user.
        self._user = "postgres" if os.geteuid() == 0 else None
        if self._user is not None:
            shutil.chown(self.folder, self._user)
        self._run("initdb", "--no-sync", "--auth=trust", "--username=tester", "--encoding=UTF8",
                  "--locale=C")  # fmt: skip
        self.start()

    def url(self, study: str | None = None) -> str:
        """Return the address of the database, or of one study in it."""
        query = f"?host={self.folder}" + (f"&study={study}" if study else "")
        return f"postgresql+psycopg://tester@/postgres{query}"

    def start(self) -> None:
        """Start the server and wait until it answers."""
        options = f"-c listen_addresses= -c fsync=off -c shared_buffers=16MB -k {self.folder}"
        self._run("pg_ctl", "start", "--wait", "--silent", f"--log={self.folder}/log",
                  f"--options={options}")  # fmt: skip

    def stop(self, mode: str) -> None:
        """Stop the server: ``fast``, or ``immediate``, which is a crash."""
        self._run("pg_ctl", "stop", "--wait", "--silent", f"--mode={mode}")

    def remove(self) -> None:
        """Stop the server and remove its folder."""
        self.stop("immediate")
        shutil.rmtree(self.folder)

    def _run(self, program: str, *arguments: str) -> None:
        subprocess.run(
            [self._programs / program, f"--pgdata={self.folder}/data", *arguments],
            check=True,
            cwd=self.folder,
            user=self._user,
            group=self._user,
            extra_groups=None if self._user is None else [],
            # A server would keep a pipe open for as long as it lives.
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=60,
        )
