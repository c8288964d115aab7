"""Which GPUs there are, told without loading CUDA, and which of them a worker is given."""

import os
from pathlib import Path

__all__ = ["gpus_of_worker", "usable_gpus"]

_VARIABLE = "CUDA_VISIBLE_DEVICES"
_DRIVER = Path("/proc/driver/nvidia/gpus")


def usable_gpus() -> list[str]:
    """Return the GPUs that this process may use, as CUDA_VISIBLE_DEVICES names them."""
    said = os.environ.get(_VARIABLE)
    if said is None:
        return [str(number) for number, _ in enumerate(sorted(_DRIVER.glob("*")))]
    names = []
    for name in said.split(","):
        # CUDA reads the list up to the first entry that is none.
        if not name.strip() or name.strip().startswith("-"):
            break
        names.append(name.strip())
    return names


def gpus_of_worker(number: int, *, workers: int) -> dict[str, str]:
    """Return the variables that give a worker GPUs of its own; none where there are none.

    Where there are more workers than GPUs some share one; where there are fewer, each has
    several. A single worker keeps all.

    Args:
        number: Of the worker among its kind, from 0.
        workers: How many of its kind there are.
    """
    gpus = usable_gpus()
    if not gpus or workers < 2:
        return {}
    own = gpus[number::workers] or [gpus[number % len(gpus)]]
    return {_VARIABLE: ",".join(own)}
