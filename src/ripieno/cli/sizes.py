"""Sizes in bytes, as people write them."""

__all__ = ["in_words"]

_UNITS = ("B", "kB", "MB", "GB", "TB")


def in_words(size_bytes: float) -> str:
    """Write a size with a unit, three digits at most before it: ``12.5 MB``."""
    for unit in _UNITS[:-1]:
        if size_bytes < 1000:
            return f"{size_bytes:.0f} B" if unit == "B" else f"{size_bytes:.1f} {unit}"
        size_bytes /= 1000
    return f"{size_bytes:.1f} {_UNITS[-1]}"
