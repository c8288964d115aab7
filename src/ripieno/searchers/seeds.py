"""The check that every seeded searcher makes."""

from ripieno.errors import SearchError

__all__ = ["check_seed"]


def check_seed(seed: object, *, where: str) -> int:
    """Return the seed.

    Raises:
        SearchError: It is not a whole number from 0 up.
    """
    if isinstance(seed, bool) or not isinstance(seed, int) or seed < 0:
        raise SearchError(
            f"seed = {seed!r} is not a whole number from 0 up.",
            where=f"{where}(space, seed={seed!r})",
            fix="give a seed such as 0.",
        )
    return seed
