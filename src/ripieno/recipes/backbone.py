"""A backbone and a head: what is frozen, what is trained, and how fast.

A part of a backbone that no trial trains stands outside of the modules that are trained: all
trials share it, its features are computed once for each array of inputs, and no trial stores
it. Training is then that of the rest on features.
"""

import hashlib
import weakref
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ripieno.errors import RecipeError
from ripieno.recipes.augmentation import AUGMENTATIONS
from ripieno.recipes.feeding import as_tensor
from ripieno.recipes.knobs import Knobs
from ripieno.recipes.mixing import mixes

__all__ = [
    "FineTuned",
    "Frozen",
    "depths",
    "rate_scale",
    "rate_scales",
    "take_features",
    "takes_features",
]

_BATCH = 256
_CPU = torch.device("cpu")
_MOST_BYTES = 2**31
"""Features that take more memory are computed batch by batch, again and again."""


class Frozen:
    """A module that never changes, in evaluation mode; shared, not copied.

    Args:
        module: It is taken over; its parameters require no gradient any more.
    """

    def __init__(self, module: nn.Module) -> None:
        self.module = module.eval().requires_grad_(requires_grad=False)
        self.digest = _digest(module)
        self._features: dict[int, tuple[weakref.ref[NDArray[Any]], Tensor]] = {}

    def __call__(self, x: Tensor) -> Tensor:
        """Return the features of a batch, computed in the module's own dtype."""
        first = next(self.module.parameters(), None)
        if first is not None and first.device != x.device:
            self.module.to(x.device)  # all models that share it are there now
        with torch.no_grad():
            out: Tensor = self.module(x if first is None else x.to(first.dtype))
        return out.to(x.dtype)

    def __deepcopy__(self, memo: dict[int, Any]) -> "Frozen":
        return self

    def __getstate__(self) -> dict[str, Any]:
        """Leave the features behind: another process has other arrays."""
        # It comes back to a GPU by itself when it is called there.
        return {**self.__dict__, "module": self.module.cpu(), "_features": {}}

    def features(self, array: NDArray[np.floating], device: torch.device = _CPU) -> Tensor:
        """Return the features of an array's rows, float32, computed once for each array."""
        key = id(array)
        known = self._features.get(key)
        if known is not None and known[0]() is array and known[1].device == device:
            return known[1]
        parts = torch.split(as_tensor(array), _BATCH)
        found = torch.cat([self(part.to(device)) for part in parts])
        gone = weakref.ref(array, lambda _: self._features.pop(key, None))
        self._features[key] = (gone, found)
        return found

    def bytes_of(self, array: NDArray[np.floating]) -> int:
        """Return how much memory the features of an array's rows take."""
        first = next(self.module.parameters(), None)
        row = as_tensor(array[:1])
        one = self(row if first is None else row.to(first.device))
        return one.numel() * one.element_size() * len(array)


class FineTuned(nn.Module):
    """A backbone of which some blocks may be trained, and a head.

    Args:
        frozen: The part in front that is never trained; None where there is none.
        body: The rest of the backbone: its parameters that require no gradient are frozen.
        head: From the backbone's features to outputs.
        trained: Names of the blocks in ``body`` that are trained; everything else in it stays
            in evaluation mode, so that its batch norms keep their statistics. None for all.
        depths: Distance from the head of each parameter of ``body``, 1 for the last block.
    """

    def __init__(
        self,
        frozen: Frozen | None,
        body: nn.Module,
        head: nn.Module,
        *,
        trained: Sequence[str] | None = None,
        depths: Mapping[str, int],
    ) -> None:
        super().__init__()
        self.frozen = frozen
        self.body = body
        self.head = head
        self.takes_features = False
        self.depths = {f"body.{name}": depth for name, depth in depths.items()}
        paths = [path for path, _ in body.named_modules()]
        self._still = tuple(p for p in paths if trained is not None and _is_still(p, trained))
        if frozen is not None:
            self.register_buffer("frozen_digest", torch.tensor(frozen.digest))
            self.register_load_state_dict_pre_hook(_compare)  # type: ignore[no-untyped-call]
        self.train(self.training)

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs; ``x`` are features where ``takes_features`` is set."""
        if self.frozen is not None and not self.takes_features:
            x = self.frozen(x)
        out: Tensor = self.head(self.body(x))
        return out

    def train(self, mode: bool = True) -> "FineTuned":  # noqa: FBT001, FBT002 - torch's signature
        """Set the mode of what is trained; what is frozen stays in evaluation mode."""
        super().train(mode)
        for path in self._still:
            self.body.get_submodule(path).training = False
        return self


def depths(module: nn.Module) -> Mapping[str, int]:
    """Return each backbone parameter's distance from the head; nothing without a backbone."""
    return module.depths if isinstance(module, FineTuned) else {}


def rate_scale(knobs: Knobs, depth: int) -> float:
    """Return the factor of the learning rate at a distance from the head."""
    return knobs.backbone_lr * knobs.layer_decay**depth


def rate_scales(module: nn.Module, knobs: Knobs) -> dict[str, float]:
    """Return the factor of the learning rate for each parameter of a backbone.

    Raises:
        RecipeError: ``backbone_lr`` or ``layer_decay`` is set, and there is no backbone.

    Source: Howard and Ruder, "Universal language model fine-tuning for text classification",
    ACL 2018 (discriminative fine-tuning).
    """
    if knobs.backbone_lr == 1.0 and knobs.layer_decay == 1.0:
        return {}
    if not isinstance(module, FineTuned):
        raise RecipeError(
            f"backbone_lr = {knobs.backbone_lr} and layer_decay = {knobs.layer_decay} scale the "
            "learning rate of a backbone, and the model has none.",
            where=f"{type(module).__name__}",
            fix="let rp.FineTune make the model, or leave both out of the space.",
        )
    return {name: rate_scale(knobs, depth) for name, depth in module.depths.items()}


def take_features(
    module: nn.Module,
    knobs: Knobs,
    arrays: Sequence[NDArray[np.floating]],
    *,
    device: torch.device = _CPU,
) -> tuple[Tensor, ...] | None:
    """Have a model take features instead of inputs, if they can be computed beforehand.

    They cannot where there is no frozen part, where training changes its inputs from step to
    step, and where they need too much memory.

    Args:
        module: Set to take features, if it can.
        knobs: The trial's knobs.
        arrays: Inputs, one array for each part of the data.
        device: Where they are computed, and are left.

    Returns:
        The features of each array, float32; None where the model takes inputs.
    """
    if not takes_features(module, knobs, arrays):
        return None
    frozen: Frozen = module.frozen  # type: ignore[assignment]
    return tuple(frozen.features(array, device) for array in arrays)


def takes_features(module: nn.Module, knobs: Knobs, arrays: Sequence[NDArray[np.floating]]) -> bool:
    """Decide what :func:`take_features` decides, and compute nothing but one row of each array."""
    frozen = module.frozen if isinstance(module, FineTuned) else None
    changing = ("input_noise", *AUGMENTATIONS)
    if frozen is None or mixes(knobs) or any(getattr(knobs, name) for name in changing):
        return False
    if sum(frozen.bytes_of(array) for array in arrays) > _MOST_BYTES:
        return False
    module.takes_features = True  # type: ignore[assignment]
    return True


def _is_still(path: str, trained: Sequence[str]) -> bool:
    """Say whether a module holds no trained block, and lies in none."""
    return not any(
        path == block or path.startswith(f"{block}.") or path == "" or block.startswith(f"{path}.")
        for block in trained
    )


def _digest(module: nn.Module) -> int:
    """Return 63 bits that differ for other weights."""
    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().tobytes()
                      if tensor.ndim else str(tensor.item()).encode())  # fmt: skip
    return int.from_bytes(digest.digest()[:8], "little") >> 1


def _compare(module: nn.Module, state: Mapping[str, Tensor], prefix: str, *_: object) -> None:
    """Refuse the state of a model that stood on another backbone."""
    stored, own = state.get(f"{prefix}frozen_digest"), module.get_buffer("frozen_digest")
    if stored is not None and int(stored) != int(own):
        message = "it was trained on the features of another backbone, or of other weights of it."
        raise RuntimeError(message)
