"""How many epochs a trial is trained between two decisions."""

from ripieno.errors import SearchError
from ripieno.schedulers.counts import check_count

__all__ = ["check_interval"]


def check_interval(interval: int | None, *, epochs: int, where: str, parts: int = 9) -> int:
    """Return the interval, or for None one of so many parts of the epochs, at least one.

    Raises:
        SearchError: A number is out of range.
    """
    check_count("epochs", epochs, where=where)
    if interval is None:
        return max(1, epochs // parts)
    if check_count("interval", interval, where=where) > epochs:
        raise SearchError(
            f"interval = {interval} is above epochs = {epochs}.",
            where=where,
            fix=f"lower interval to at most {epochs}, or train for more epochs.",
        )
    return interval
