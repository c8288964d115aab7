"""Word of the epochs that an order is past, from what trains to whoever shows it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

__all__ = ["Hearer", "hearing", "say_epochs"]

Hearer = Callable[[int, int], None]
"""Is told a trial, and how many epochs of its order are trained."""

_of_thread = threading.local()


@contextmanager
def hearing(hearer: Hearer) -> Iterator[None]:
    """Let what is trained in this thread be heard, until the context ends."""
    before = getattr(_of_thread, "hearer", None)
    _of_thread.hearer = hearer
    try:
        yield
    finally:
        _of_thread.hearer = before


def say_epochs(trial: int, epochs: int) -> None:
    """Say that so many epochs of a trial's order are trained; nothing happens where nobody hears.

    Args:
        trial: Its number.
        epochs: Epochs of this order, counted from 1.
    """
    hearer: Hearer | None = getattr(_of_thread, "hearer", None)
    if hearer is not None:
        hearer(trial, epochs)
