"""What a trial leaves behind, and goes on from: arrays with names."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ripieno.errors import RecipeError
from ripieno.recipes.watch import Watch
from ripieno.records import Arrays

__all__ = ["State"]

_MODEL = "model/"
_OPTIMIZER = "optimizer/"
_NUMBERS = {bool: torch.bool, int: torch.int64, float: torch.float64}
_STORED = frozenset(
    {torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64}
    | {torch.float16, torch.float32, torch.float64}
)


@dataclass(frozen=True, slots=True, eq=False)
class State:
    """The state of a model and its optimizer at the end of an epoch.

    Args:
        model: What ``nn.Module.state_dict`` returns, buffers included; tensors only.
        optimizer: For every parameter by name what the ``torch.optim`` optimizer keeps for
            it (``exp_avg``, ``momentum_buffer``, ``step``, …); nothing before its first step.
        epoch: Epochs trained so far.
        watch: The validation metric so far, and the best epoch; None where nobody looks.
    """

    model: Mapping[str, Tensor]
    optimizer: Mapping[str, Mapping[str, Tensor]]
    epoch: int
    watch: Watch | None = None

    @property
    def answer(self) -> Mapping[str, Tensor]:
        """The module's state that answers: the best epoch's where it is kept, else the last."""
        if self.watch is None or self.watch.best is None:
            return self.model
        return self.watch.best.model

    @classmethod
    def of(cls, module: nn.Module, optimizer: torch.optim.Optimizer, *, epoch: int) -> Self:
        """Copy the state of a module and of an optimizer of its parameters.

        Raises:
            RecipeError: The module keeps state that is no tensor, or one that is not stored.
        """
        model: dict[str, Tensor] = {}
        for name, value in module.state_dict().items():
            kind = str(value.dtype) if isinstance(value, Tensor) else type(value).__name__
            if not isinstance(value, Tensor) or value.dtype not in _STORED:
                raise RecipeError(
                    f"{name!r} in the module's state is a {kind}, which is not stored.",
                    where=f"{type(module).__name__}.state_dict()",
                    fix="keep state in buffers of booleans, integers or floats of 16, 32 or 64 "
                    "bits (register_buffer), or make it non-persistent.",
                )
            model[name] = value.detach().to("cpu", copy=True)
        kept: dict[str, dict[str, Tensor]] = {}
        for name, parameter in module.named_parameters():
            slots = optimizer.state.get(parameter, {})
            tensors = {s: _as_tensor(v) for s, v in slots.items() if v is not None}
            if tensors:
                kept[name] = tensors
        return cls(model=model, optimizer=kept, epoch=epoch)

    def load_into(
        self,
        module: nn.Module,
        optimizer: torch.optim.Optimizer | None = None,
        *,
        slots: frozenset[str] | Mapping[str, Mapping[str, type]] = frozenset(),
    ) -> None:
        """Copy the state into a module, and into an optimizer of its trained parameters.

        Args:
            module: A module with the same ``state_dict`` names and shapes.
            optimizer: An ordinary ``torch.optim`` optimizer over the parameters of the module
                that are trained; None loads the module alone, for answering: with the best
                epoch's weights, where they are kept.
            slots: What that optimizer keeps for each parameter: names, or
                :func:`~ripieno.recipes.slots.kept_slots`. A parameter whose stored state
                lacks one of them starts without any, as a fork does that changes its
                optimizer; others that are stored are left out.

        Raises:
            RecipeError: The state is that of another module.
        """
        try:
            module.load_state_dict(dict(self.answer if optimizer is None else self.model))
        except RuntimeError as error:
            raise RecipeError(
                f"the stored state does not fit the model: {error}",
                where=f"{type(module).__name__}.load_state_dict",
                fix="continue a trial with the model that it was started with.",
            ) from error
        if optimizer is None:
            return
        beside = _counts_beside(optimizer)
        for name, parameter in module.named_parameters():
            wanted = slots if isinstance(slots, frozenset) else slots.get(name, {})
            kinds = wanted if isinstance(wanted, Mapping) else {}
            stored = self.optimizer.get(name, {})
            if parameter.requires_grad and wanted and set(wanted) <= set(stored):
                # Not optimizer.load_state_dict, which would round what torch itself keeps in
                # another dtype than the parameter's.
                optimizer.state[parameter] = {
                    slot: _as_kept(
                        stored[slot],
                        kinds.get(slot, Tensor),
                        parameter,
                        beside=id(parameter) in beside,
                    )
                    for slot in sorted(wanted)
                }

    def to_arrays(self) -> dict[str, NDArray[np.generic]]:
        """Return ``model/<name>``, ``optimizer/<parameter>/<slot>`` and ``watch/…`` as arrays."""
        arrays = {_MODEL + name: _to_array(value) for name, value in self.model.items()}
        for parameter, slots in self.optimizer.items():
            for slot, value in slots.items():
                arrays[f"{_OPTIMIZER}{parameter}/{slot}"] = _to_array(value)
        return arrays if self.watch is None else arrays | self.watch.to_arrays()

    @classmethod
    def from_arrays(cls, arrays: Arrays, *, epoch: int = 0) -> Self:
        """Read what :meth:`to_arrays` returned; the arrays are copied.

        Args:
            arrays: The named arrays.
            epoch: Epochs trained so far, which stand in the facts beside the arrays.
        """
        model: dict[str, Tensor] = {}
        optimizer: dict[str, dict[str, Tensor]] = {}
        for name, array in arrays.items():
            if name.startswith(_MODEL):
                model[name.removeprefix(_MODEL)] = _to_tensor(array)
            elif name.startswith(_OPTIMIZER):
                parameter, slot = name.removeprefix(_OPTIMIZER).rsplit("/", 1)
                optimizer.setdefault(parameter, {})[slot] = _to_tensor(array)
        watch = Watch.from_arrays(arrays, model)
        return cls(model=model, optimizer=optimizer, epoch=epoch, watch=watch)


def _as_tensor(value: object) -> Tensor:
    """Copy what an optimizer keeps: a tensor, or a Python number as a tensor."""
    if isinstance(value, Tensor):
        return value.detach().to("cpu", copy=True)
    return torch.tensor(value, dtype=_NUMBERS[type(value)])


def _counts_beside(optimizer: torch.optim.Optimizer) -> frozenset[int]:
    """Return which parameters' counts lie beside them; torch keeps the others on the CPU."""
    return frozenset(
        id(parameter)
        for group in optimizer.param_groups
        if group.get("fused") or group.get("capturable")
        for parameter in group["params"]
    )


def _as_kept(value: Tensor, kind: type, parameter: Tensor, *, beside: bool) -> object:
    """Copy what is stored: a number where the optimizer keeps one, or in its parameter's layout."""
    if kind is not Tensor:
        return value.item()
    if value.shape != parameter.shape:
        return value.to(parameter.device if beside or value.ndim else "cpu", copy=True)
    return torch.empty_like(parameter, dtype=value.dtype, requires_grad=False).copy_(value)


def _to_array(value: Tensor) -> NDArray[np.generic]:
    array: NDArray[Any] = value.cpu().contiguous().numpy()
    return array


def _to_tensor(array: NDArray[np.generic]) -> Tensor:
    return torch.from_numpy(np.array(array))
