"""Which models are rows of one stack: those that differ in nothing but numbers.

Two models can be stacked if their module trees, the shapes and types of their parameters and
buffers, the weights that they tie and their modules' plain attributes are equal. Three kinds of
attribute may differ, because the leaves take them row by row: the ``p`` of a dropout, the
``momentum`` of a batch norm and the ``negative_slope`` of a leaky ReLU.
"""

import hashlib
import weakref
from collections.abc import Mapping, Sequence
from types import FunctionType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.nn.modules.dropout import _DropoutNd

__all__ = ["describe", "difference", "row_numbers", "signature"]

_INTERNAL = frozenset(nn.Module().__dict__) - {"training"}
_HOOKS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


def signature(model: nn.Module) -> str:
    """Return a digest that two models share if, and only if, they can be rows of one stack."""
    lines = (f"{name} = {text}\n" for name, text in describe(model).items())
    return hashlib.sha256("".join(lines).encode()).hexdigest()[:16]


def difference(model: nn.Module, other: nn.Module) -> str | None:
    """Say the first thing in which two models differ, or None if they can be stacked."""
    left, right = describe(model), describe(other)
    for name in [*left, *(name for name in right if name not in left)]:
        if left.get(name) != right.get(name):
            return f"{name}: {left.get(name, 'absent')} and {right.get(name, 'absent')}"
    return None


def describe(model: nn.Module) -> dict[str, str]:
    """Return everything that must be equal, as text by module path and attribute."""
    facts = {}
    owned = {id(t): name for name, t in [*model.named_parameters(), *model.named_buffers()]}
    for path, module in model.named_modules():
        facts[path or "."] = f"{type(module).__module__}.{type(module).__qualname__}"
        attributes = {k: v for k, v in vars(module).items() if k not in _INTERNAL}
        for name, value in sorted((attributes | _hooks(module)).items()):
            if name != _row_attribute(module):
                facts[_join(path, name)] = _text(value, owned)
    return facts | _tensors(model)


def row_numbers(model: nn.Module) -> dict[str, float]:
    """Return the numbers that may differ from row to row, by module path and attribute."""
    found = {}
    for path, module in model.named_modules():
        attribute = _row_attribute(module)
        if attribute is not None:
            found[_join(path, attribute)] = float(getattr(module, attribute))
    return found


def _row_attribute(module: nn.Module) -> str | None:
    if isinstance(module, _DropoutNd):
        return "p"
    if isinstance(module, _BatchNorm) and module.momentum is not None:
        return "momentum"
    if isinstance(module, nn.LeakyReLU):
        return "negative_slope"
    return None


def _hooks(module: nn.Module) -> dict[str, Any]:
    found = {name: list(getattr(module, name, {}).values()) for name in _HOOKS}
    return {name: hooks for name, hooks in found.items() if hooks}


def _tensors(model: nn.Module) -> dict[str, str]:
    """Describe parameters and buffers; a tied one is described by its first name."""
    facts: dict[str, str] = {}
    first: dict[int, str] = {}
    for kind, named in (
        ("parameter", model.named_parameters(remove_duplicate=False)),
        ("buffer", model.named_buffers(remove_duplicate=False)),
    ):
        for name, tensor in named:
            text = f"{kind} {tuple(tensor.shape)} {tensor.dtype} {tensor.requires_grad}"
            tied = first.setdefault(id(tensor), name)
            facts[name] = text if tied == name else f"{kind} tied to {tied}"
    return facts


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _text(value: Any, owned: Mapping[int, str]) -> str:  # noqa: PLR0911, C901 - one case a kind
    """Return text that is equal for equal values, and different where in doubt.

    Args:
        value: A module's attribute.
        owned: Names of the model's own parameters and buffers by identity.
    """
    if value is None or isinstance(value, bool | int | float | complex | str | bytes):
        return repr(value)
    if isinstance(value, torch.dtype | torch.device | type):
        return str(value)
    if isinstance(value, weakref.ReferenceType):
        return _text(value(), owned)
    if id(value) in owned:
        return f"its own {owned[id(value)]}"
    if isinstance(value, Tensor):
        return f"tensor {tuple(value.shape)} {value.dtype} {_digest(value.detach().cpu().numpy())}"
    if isinstance(value, np.ndarray):
        return f"array {value.shape} {value.dtype} {_digest(value)}"
    if isinstance(value, Mapping):
        items = (f"{_text(k, owned)}: {_text(v, owned)}" for k, v in value.items())
        return f"{{{', '.join(items)}}}"
    if isinstance(value, set | frozenset):
        return f"{{{', '.join(sorted(_text(v, owned) for v in value))}}}"
    if isinstance(value, Sequence):
        return f"{type(value).__name__}({', '.join(_text(v, owned) for v in value)})"
    if isinstance(value, FunctionType):
        return _function(value, owned)
    if callable(value) and hasattr(value, "__qualname__"):
        return f"{getattr(value, '__module__', '')}.{value.__qualname__}"
    # An object of a kind unknown here is equal to itself alone.
    return f"{type(value).__qualname__} at {id(value)}"


def _function(value: FunctionType, owned: Mapping[int, str]) -> str:
    """Name a function; one that is made anew for every model is told by what it holds."""
    held = [cell.cell_contents for cell in value.__closure__ or ()]
    constants = [c for c in value.__code__.co_consts if not hasattr(c, "co_code")]
    code = hashlib.sha256(value.__code__.co_code).hexdigest()[:16]
    inside = [*constants, *value.__code__.co_names, *held, *(value.__defaults__ or ())]
    texts = ", ".join(_text(part, owned) for part in inside)
    return f"{value.__module__}.{value.__qualname__}({code}, {texts})"


def _digest(array: "np.ndarray[Any, Any]") -> str:
    return hashlib.sha256(np.ascontiguousarray(array).tobytes()).hexdigest()[:16]
