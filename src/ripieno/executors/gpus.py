"""Which GPUs there are, told without loading CUDA, and which of them a worker is given."""

import os
import sys
from pathlib import Path

__all__ = ["gpus_of_worker", "has_driver", "usable_gpus"]

_VARIABLE = "CUDA_VISIBLE_DEVICES"
_SHARERS = "RIPIENO_GPU_SHARERS"
_DRIVER = Path("/proc/driver/nvidia/gpus")
_SIGNS = (_DRIVER, Path("/dev/nvidiactl"), Path("/dev/dxg"), Path("/dev/kfd"))
"""Files of drivers, without which there is no GPU."""


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


def has_driver() -> bool:
    """Say whether this machine may have a GPU at all; torch, which knows, takes long to load."""
    return sys.platform == "win32" or any(sign.exists() for sign in _SIGNS)


def gpus_of_worker(number: int, *, workers: int, own: bool = True) -> dict[str, str]:
    """Return the variables that give a worker GPUs of its own; none where there are none.

    Where there are more workers than GPUs some share one; where there are fewer, each has
    several. A single worker keeps all.

    Args:
        number: Of the worker among its kind, from 0.
        workers: How many of its kind there are.
        own: False where all of them use one GPU, which they know by its number among all.
    """
    gpus = usable_gpus()
    if not gpus or workers < 2:
        return {}
    # What is free of a GPU's memory is divided among those that share it.
    if not own:
        return {_SHARERS: str(workers)}
    mine = gpus[number::workers] or [gpus[number % len(gpus)]]
    return {_VARIABLE: ",".join(mine), _SHARERS: str(-(-workers // len(gpus)))}
