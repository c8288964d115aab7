"""The check of every number that a scheduler is given."""

from ripieno.errors import SearchError

__all__ = ["check_count"]


def check_count(name: str, value: object, *, least: int = 1, where: str) -> int:
    """Return the value.

    Raises:
        SearchError: It is not a whole number, or below ``least``.
    """
    if isinstance(value, bool) or not isinstance(value, int) or value < least:
        raise SearchError(
            f"{name} = {value!r} is not a whole number from {least} up.",
            where=where,
            fix=f"give {name} a whole number, {least} or more.",
        )
    return value
