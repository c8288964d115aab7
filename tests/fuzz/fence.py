"""A folder that a call must not write outside of, and two ways to see that it did not."""

import os
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["Fence"]

_WRITES = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
# Each with the places of the paths that it changes among its arguments.
_CHANGES = {
    "os.mkdir": (0,), "os.rename": (0, 1), "os.remove": (0,), "os.rmdir": (0,), "os.link": (1,),
    "os.symlink": (1,), "os.truncate": (0,), "os.chmod": (0,), "os.chown": (0,),
    "shutil.rmtree": (0,), "shutil.move": (0, 1), "shutil.copyfile": (1,), "sqlite3.connect": (0,),
}  # fmt: skip


class Fence:
    """A folder with a place to write to and things around it that must stay as they are.

    Python says before it opens or changes a file which one it is; what lies outside of the
    place is noted. What a library does past Python is seen in the things around.

    Args:
        folder: An empty one.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.place = self.folder / "a" / "b" / "place"
        self.place.parent.mkdir(parents=True)
        for name in ("evil.json", "study.db", "a/evil.json", "a/b/evil.json", "a/b/storage.json"):
            (self.folder / name).write_text("untouched")
        self._before = self._around()
        self._watching = False
        self._trespasses: list[str] = []
        sys.addaudithook(self._look)  # for good: it can only be told to look away

    @contextmanager
    def watch(self, *also: Path) -> Iterator[Path]:
        """Give the place, which may not be there, and see afterwards what was changed.

        Args:
            also: Further folders that may be written to.
        """
        self._allowed = tuple(
            str(path.resolve()) for path in (self.place, Path(tempfile.gettempdir()), *also)
        )
        self._trespasses.clear()
        before, self._watching = Path.cwd(), True
        os.chdir(self.place.parent)
        try:
            yield self.place
        finally:
            self._watching = False
            os.chdir(before)
        assert not self._trespasses, self._trespasses
        assert self._around() == self._before

    def _around(self) -> dict[str, bytes | None]:
        inside = self.place
        return {
            str(path): path.read_bytes() if path.is_file() else None
            for path in sorted(self.folder.rglob("*"))
            if path != inside and inside not in path.parents
        }

    def _look(self, event: str, arguments: tuple[object, ...]) -> None:
        if not self._watching:
            return
        if event == "open":
            path, mode, flags = arguments
            writes = isinstance(flags, int) and flags & _WRITES
            paths = (path,) if writes or (isinstance(mode, str) and set(mode) & set("wax+")) else ()
        else:
            paths = tuple(arguments[place] for place in _CHANGES.get(event, ()))
        for path in paths:
            if isinstance(path, str | bytes | os.PathLike) and not self._allows(os.fsdecode(path)):
                self._trespasses.append(f"{event} {os.fsdecode(path)}")

    def _allows(self, path: str) -> bool:
        # A link is changed itself where it is removed, and else what it leads to.
        real = os.path.realpath(path)
        fine = (*self._allowed, "/dev/", "/proc/")
        return path == ":memory:" or real.startswith(fine) or real.endswith(".pyc")
