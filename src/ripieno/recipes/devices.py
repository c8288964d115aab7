"""Where models are trained: on the CPU, or on a GPU that torch knows.

Models are built on the CPU and then moved, and what is stored lies on the CPU, so that a study
that was begun on one device goes on on another. Data are moved once, where they have room.
"""

import os
import re
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from numpy.typing import NDArray
from torch import Tensor

from ripieno.errors import RecipeError

__all__ = [
    "Device", "check_device", "free_bytes", "gpus_for", "in_float32", "seed_generators",
    "synchronize",
]  # fmt: skip

_NAMES = re.compile(r"auto|cpu|mps|cuda(:\d{1,3})?")
_SHARERS = "RIPIENO_GPU_SHARERS"
"""Environment variable: how many processes of the same study share a worker's GPU."""
_ROOM_SHARE = 0.5
"""The part of a device's free memory that data may take; the rest is for models."""


class Device:
    """A device by its name, found when it is first used; keeps what was moved to it.

    What is sent to another process is the name: a worker finds its own.

    Args:
        name: ``cpu``, ``cuda``, ``cuda:N``, ``mps``, or ``auto`` for the first GPU of CUDA,
            and the CPU where there is none.
    """

    def __init__(self, name: str = "cpu") -> None:
        self.name = name
        self._found: torch.device | None = None
        self._held: dict[tuple[int, str], tuple[weakref.ref[Any], Tensor]] = {}

    def __repr__(self) -> str:
        return f"Device({self.name!r})"

    def __getstate__(self) -> dict[str, Any]:
        return {"name": self.name, "_found": None, "_held": {}}

    @property
    def found(self) -> torch.device:
        """Torch's device.

        Raises:
            RecipeError: It is not there.
        """
        if self._found is None:
            self._found = _find(self.name)
        return self._found

    @property
    def means_cuda(self) -> bool:
        """Whether this is, or on this machine would be, a GPU of CUDA's; it need not be there."""
        if self.name == "auto":
            return torch.cuda.is_available()
        return self.name.startswith("cuda")

    @property
    def is_cpu(self) -> bool:
        """Whether this is the CPU, where nothing has to be moved."""
        return self.found.type == "cpu"

    @property
    def has_doubles(self) -> bool:
        """Whether it computes in float64, in which learning rates, sums and draws are kept."""
        return self.found.type != "mps"

    @property
    def near(self) -> torch.device:
        """Where batches are changed before a model sees them: here, or on the CPU."""
        return self.found if self.has_doubles else torch.device("cpu")

    @property
    def words(self) -> str | None:
        """What a note calls it; None for the CPU."""
        if self.is_cpu:
            return None
        if self.found.type != "cuda":
            return f"on {self.found.type}"
        name = re.sub(r"[^\w .+-]", " ", torch.cuda.get_device_name(self.found))
        return f"on {self.found.type} ({name[:40].strip()})"

    def of_rank(self, rank: int) -> "Device":
        """Return the device of one of several processes that train a model together.

        On CUDA each has its own GPU, as long as there are enough of them.
        """
        if self.found.type != "cuda":
            return Device(self.found.type)
        return Device(f"cuda:{rank % torch.cuda.device_count()}")

    def hold(self, array: NDArray[Any], kind: str, make: Callable[[], Tensor]) -> Tensor:
        """Return a tensor that is made of an array, on the device; moved there once an array.

        Where batches are changed on the CPU, or memory is short, it stays on the CPU.

        Args:
            array: What it is made of.
            kind: What tells tensors of one array apart.
            make: Makes it on the CPU.
        """
        if self.near.type == "cpu":
            return make()
        key = (id(array), kind)
        known = self._held.get(key)
        if known is not None and known[0]() is array:
            return known[1]
        made = make()
        room = free_bytes(self.found)
        if room is not None and made.nbytes > _ROOM_SHARE * room:
            return made
        moved = made.to(self.found)
        gone = weakref.ref(array, lambda _: self._held.pop(key, None))
        self._held[key] = (gone, moved)
        return moved

    @contextmanager
    def in_charge(self) -> Iterator[None]:
        """Leave torch's generator on a GPU as it was found, and round as on the CPU meanwhile.

        See :func:`in_float32`.
        """
        if self.found.type != "cuda":
            yield
            return
        forked = torch.random.fork_rng(devices=[self.found.index], device_type="cuda")
        # What a model asks of "cuda" is to lie where it lies itself.
        with torch.cuda.device(self.found), forked, in_float32():
            yield


@contextmanager
def in_float32() -> Iterator[None]:
    """Have cuDNN's convolutions and recurrent layers computed in what matrix products are.

    By torch's own choice those are in float32, and these in TF32, whose numbers have ten bits.
    """
    cudnn: Any = torch.backends.cudnn
    parts = () if torch.backends.cuda.matmul.fp32_precision == "tf32" else (cudnn.conv, cudnn.rnn)
    before = [part.fp32_precision for part in parts]
    try:
        for part in parts:
            part.fp32_precision = "ieee"
        yield
    finally:
        for part, precision in zip(parts, before, strict=True):
            part.fp32_precision = precision


def check_device(name: str, *, devices: int = 1, executor: str | None = None) -> None:
    """Refuse a device that models cannot be trained on.

    Args:
        name: As the user gave it.
        devices: How many of them train each model together.
        executor: The name of what trains, if it has one: only that of a cluster trains
            elsewhere than on this machine.

    Raises:
        RecipeError: There is no such device, or it is not here, or it is one alone.
    """
    if _NAMES.fullmatch(str(name)) is None:
        raise RecipeError(
            f"there is no device {name!r}.",
            where="--device / device=",
            fix="name one of auto, cpu, cuda, cuda:0, cuda:1, …, mps.",
        )
    here = executor in {None, "inline", "processes"}
    if devices > 1 and name not in {"auto", "cpu", "cuda"}:
        problem, fix = f"{devices} devices are asked for", "name cuda, or train on one device."
    elif not here and ":" in name:
        problem, fix = "a cluster gives GPUs away by itself", "name cuda."
    elif here:
        _check_there(name)
        return
    else:
        return
    raise RecipeError(
        f"the device {name!r} is one alone, and {problem}.", where="--device / device=", fix=fix
    )


def free_bytes(device: torch.device) -> int | None:
    """Return how much memory of a GPU this process may take more, what torch keeps included.

    None where it is not told.
    """
    if device.type != "cuda":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free // _sharers() + kept


def _sharers() -> int:
    text = os.environ.get(_SHARERS, "")
    return max(1, int(text)) if text.isdecimal() else 1


def gpus_for(name: str) -> int:
    """Return how many GPUs there are for training on a device; 0 where that is the CPU."""
    if name in {"cpu", "mps"}:
        return int(name == "mps")
    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    return min(count, 1) if ":" in name else count


def seed_generators(seed: int, device: torch.device) -> None:
    """Seed torch's own generator, on the CPU and on the device that computes."""
    # Not torch.manual_seed, which also visits every accelerator and is slow.
    torch.default_generator.manual_seed(seed)
    if device.type == "cuda":
        torch.cuda.default_generators[device.index].manual_seed(seed)
    elif device.type == "mps":
        torch.mps.manual_seed(seed)


def synchronize(device: torch.device) -> None:
    """Wait until a device has done what it was given, as a clock must."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()


def _find(name: str) -> torch.device:
    if name == "auto":
        name = "cuda" if torch.cuda.is_available() else "cpu"
    _check_there(name)
    # A tensor knows its device's number, where the name says none.
    return torch.empty(0, device=name).device


def _check_there(name: str) -> None:
    if name == "mps" and not torch.backends.mps.is_available():
        problem = "torch finds no GPU of Apple's"
    elif name.startswith("cuda") and not torch.cuda.is_available():
        built = any(getattr(torch.version, kind, None) for kind in ("cuda", "hip"))
        problem = "torch finds no GPU" if built else "this torch was built without CUDA"
    elif name.startswith("cuda:") and int(name[5:]) >= torch.cuda.device_count():
        problem = f"torch finds {torch.cuda.device_count()} GPUs, counted from 0"
    else:
        return
    raise RecipeError(
        f"the device {name!r} cannot be used: {problem}.",
        where=f"torch {torch.__version__}",
        fix="train on the CPU (--device cpu), or install a torch for your GPU: "
        "https://pytorch.org/get-started/locally.",
    )
