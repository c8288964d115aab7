"""A second device without any hardware: tensors on it hold their numbers on the CPU.

It is a backend of torch's (``PrivateUse1``) whose tensors are wrappers of CPU tensors, so that
devices are told apart as on a machine with a GPU, and every number is the CPU's own. As with
CUDA, an operation on tensors of both devices fails, but for numbers of no axes in arithmetic;
it is stricter in that indices must lie where what they index does. What it cannot show: speed,
memory, rounding, and what belongs to CUDA alone.
"""

import copy
from collections import Counter
from contextlib import contextmanager
from typing import ClassVar

import torch
from torch.utils._python_dispatch import return_and_correct_aliasing
from torch.utils._pytree import tree_leaves, tree_map
from torch.utils.backend_registration import _setup_privateuseone_for_python_backend

NAME = "pretend"

_aten = torch.ops.aten
_BETWEEN = {_aten._to_copy.default, _aten.copy_.default, _aten._copy_from.default}


class Pretend(torch.Tensor):
    """A tensor on the pretended device."""

    __torch_function__ = torch._C._disabled_torch_function_impl
    moved: ClassVar = Counter()
    """How often numbers were moved to the CPU, by how many there were."""
    forbidden = frozenset()
    """Types of numbers that the device lacks."""

    @staticmethod
    def __new__(cls, inner):
        if inner.dtype in cls.forbidden:
            raise TypeError(f"the device has no {inner.dtype}")
        return torch.Tensor._make_wrapper_subclass(
            cls, inner.shape, strides=inner.stride(), storage_offset=inner.storage_offset(),
            dtype=inner.dtype, device=torch.device(NAME, 0),
        )  # fmt: skip

    def __init__(self, inner):
        self.inner = inner

    def __repr__(self):
        return f"Pretend({self.inner!r})"

    def __deepcopy__(self, memo):
        if id(self) not in memo:
            copied = Pretend(copy.deepcopy(self.inner, memo)).requires_grad_(self.requires_grad)
            if isinstance(self, torch.nn.Parameter):
                copied = torch.nn.Parameter(copied, requires_grad=self.requires_grad)
            memo[id(self)] = copied
        return memo[id(self)]

    def tolist(self):
        return self.cpu().tolist()

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if torch.is_inference_mode_enabled():  # where torch does not take compound functions apart
            out = func.decompose(*args, **kwargs)
            if out is not NotImplemented:
                return out
        check(func, args, kwargs)
        device = kwargs.get("device")
        given = tree_map(_inner, (args, {**kwargs, "device": "cpu"} if device else kwargs))
        out = func(*given[0], **given[1])
        if func is _aten._local_scalar_dense.default:
            cls.moved[1] += 1
        if device is not None and torch.device(device).type == "cpu":
            cls.moved[out.numel()] += 1
            return out
        if func is _aten.copy_.default and not isinstance(args[0], Pretend):
            cls.moved[out.numel()] += 1
            return args[0]
        known = {id(_inner(t)): t for t in tree_leaves((args, kwargs)) if isinstance(t, Pretend)}
        wrapped = tree_map(lambda t: _wrapped(t, known), out)
        if torch.is_inference_mode_enabled() or func._schema.is_mutable:
            return wrapped
        return return_and_correct_aliasing(func, args, kwargs, wrapped)


def check(func, args, kwargs):
    """Refuse what CUDA would refuse: tensors of both devices in one operation."""
    tensors = [t for t in tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
    if func in _BETWEEN or not any(isinstance(t, Pretend) for t in tensors):
        return
    strangers = [t for t in tensors if not isinstance(t, Pretend)]
    alone = torch.Tag.pointwise in func.tags or "where" in func.name() or "fill" in func.name()
    wrong = [t for t in strangers if t.ndim or not alone]
    if wrong:
        raise RuntimeError(
            f"Expected all tensors to be on the same device, {NAME}:0 and cpu: {func}, "
            f"{[(tuple(t.shape), t.dtype) for t in wrong]}"
        )


def _inner(value):
    return value.inner if isinstance(value, Pretend) else value


def _wrapped(value, known):
    if not isinstance(value, torch.Tensor):
        return value
    with torch.inference_mode(mode=False):  # where a view of a plain tensor is a plain one
        return known[id(value)] if id(value) in known else Pretend(value)


def _empty(size, *, dtype=None, layout=None, device=None, pin_memory=None, memory_format=None):
    form = memory_format or torch.contiguous_format
    return Pretend(torch.empty(size, dtype=dtype, memory_format=form))


def _empty_strided(size, stride, *, dtype=None, layout=None, device=None, pin_memory=None):
    return Pretend(torch.empty_strided(size, stride, dtype=dtype))


def _zeros(size, *, dtype=None, layout=None, device=None, pin_memory=None):
    return Pretend(torch.zeros(size, dtype=dtype))


def _counted(*ends, dtype=None, layout=None, device=None, pin_memory=None):
    return Pretend(torch.arange(*ends, dtype=dtype))


def _copy_from(source, target, non_blocking=False):
    _inner(target).copy_(_inner(source))
    return target


_kept = []


@contextmanager
def device():
    """Make the device known to torch, and yield its name; parameters that are tied stay so."""
    if not _kept:
        _setup_privateuseone_for_python_backend(NAME)
        library = torch.library.Library("aten", "IMPL")
        library.impl("empty.memory_format", _empty, "PrivateUse1")
        library.impl("empty_strided", _empty_strided, "PrivateUse1")
        for name in ("arange", "arange.start", "arange.start_step"):
            library.impl(name, _counted, "PrivateUse1")
        # What has no gradient in the second derivative of an operation.
        library.impl("_efficientzerotensor", _zeros, "PrivateUse1")
        library.impl("_copy_from", _copy_from, "PrivateUse1")
        _kept.append(library)  # what is registered lives as long as it does
    before = torch.__future__.get_swap_module_params_on_conversion()
    # As with CUDA a parameter that is moved stays the same object.
    torch.__future__.set_swap_module_params_on_conversion(True)
    try:
        yield NAME
    finally:
        torch.__future__.set_swap_module_params_on_conversion(before)
