"""What was measured on this machine before, kept in the user's cache folder.

It is a help and never a need: a file that is missing, damaged, of another version or in a
folder that cannot be written is as good as an empty one, and no number of a trial depends on
what it says. Processes that write at the same moment may lose each other's last entry.
"""

import hashlib
import json
import os
import tempfile
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from ripieno.population.machine import describe

__all__ = ["Remembered", "cache_folder"]

_VERSION = 1
_MOST_ENTRIES = 500
"""Of each kind; the oldest are forgotten first."""


def cache_folder() -> Path:
    """Return the folder for what can be made again: ``$XDG_CACHE_HOME/ripieno``."""
    named = os.environ.get("XDG_CACHE_HOME", "")
    # The specification of base directories: relative paths are invalid and ignored.
    if Path(named).is_absolute():
        return Path(named) / "ripieno"
    try:
        return Path.home() / ".cache" / "ripieno"
    except RuntimeError:  # a user without a home
        return Path(tempfile.gettempdir()) / "ripieno"


class Remembered:
    """Numbers by kind and key, for this machine and this version of torch.

    Args:
        folder: Where the file lies; None for :func:`cache_folder`.
    """

    def __init__(self, folder: Path | None = None) -> None:
        place = cache_folder() if folder is None else folder
        digest = hashlib.sha256(describe().encode()).hexdigest()[:12]
        self.path = place / f"measured-{digest}.json"

    def get(self, kind: str, key: str) -> Mapping[str, Any]:
        """Return the facts of a key; none if it was never put."""
        facts = self._read().get(kind, {}).get(key, {})
        return facts if isinstance(facts, dict) else {}

    def put(self, kind: str, key: str, facts: Mapping[str, Any]) -> None:
        """Keep JSON-able facts under a key; whatever fails is no error."""
        content = self._read()
        entries = {k: v for k, v in content.get(kind, {}).items() if k != key}
        entries[key] = dict(facts)
        content[kind] = dict(list(entries.items())[-_MOST_ENTRIES:])
        with suppress(OSError):
            self._write({"version": _VERSION, "machine": describe(), "measured": content})

    def _read(self) -> dict[str, dict[str, Any]]:
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(content, dict) or content.get("version") != _VERSION:
            return {}
        kinds = content.get("measured")
        if not isinstance(kinds, dict):
            return {}
        return {kind: found for kind, found in kinds.items() if isinstance(found, dict)}

    def _write(self, content: Mapping[str, Any]) -> None:
        """Write whole or not at all: readers never see a part."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(
            "w", dir=self.path.parent, suffix=".tmp", delete=False, encoding="utf-8"
        ) as file:
            try:
                json.dump(content, file, indent=1)
                file.close()
                Path(file.name).replace(self.path)
            except BaseException:
                Path(file.name).unlink(missing_ok=True)
                raise
