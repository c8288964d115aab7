"""What the command reads from a user's files beside data: configs and spaces."""

import json
from pathlib import Path
from typing import Any

from ripieno.errors import SpaceError
from ripieno.space import Space

__all__ = ["read_configs", "read_space"]


def read_configs(path: Path) -> list[dict[str, Any]]:
    """Read a JSON object of hyperparameters, or a list of such objects.

    Raises:
        SpaceError: The file cannot be read, or holds something else.
    """
    text = _read(path)
    try:
        found = json.loads(text)
    except ValueError as error:
        raise _no_configs(path, f"it is no JSON: {error}") from error
    configs = found if isinstance(found, list) else [found]
    if not configs or not all(isinstance(config, dict) for config in configs):
        raise _no_configs(path, "it holds no objects")
    return configs


def read_space(path: Path) -> Space:
    """Read a space that :meth:`ripieno.Space.to_json` wrote.

    Raises:
        SpaceError: The file cannot be read, or holds no space.
    """
    return Space.from_json(_read(path))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SpaceError(
            f"the file {str(path)!r} cannot be read: {error}.",
            where="--enqueue / --space",
            fix="give the path of a JSON file.",
        ) from error


def _no_configs(path: Path, why: str) -> SpaceError:
    return SpaceError(
        f"the file {str(path)!r} gives no configurations: {why}.",
        where="--enqueue",
        fix='write an object such as {"lr": 0.01}, or a list of them.',
    )
