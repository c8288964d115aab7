"""How a user's own code travels to a worker."""

from types import ModuleType

import cloudpickle

__all__ = ["send_by_value"]


def send_by_value(module: ModuleType) -> None:
    """Send the functions and classes of a module to workers as they are now.

    A worker cannot import a module that was loaded from a file by hand, so what it defines is
    sent itself, not its name.
    """
    cloudpickle.register_pickle_by_value(module)
