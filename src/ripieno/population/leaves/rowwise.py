"""The functions that are known to treat each row alone, besides the leaves.

They compute element by element, along axes of their own, or change the shape; each is a
handler of stand-ins: see :mod:`ripieno.population.leaves.stand_in`.
"""

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from ripieno.population.leaves.activation import leaky_relu
from ripieno.population.leaves.call import Rows
from ripieno.population.leaves.dropout import Masks
from ripieno.population.leaves.kernels import Kernels
from ripieno.population.leaves.mode import HANDLERS, POOLS
from ripieno.population.leaves.stand_in import (
    Direct,
    Handler,
    Stacked,
    UnknownFunctionError,
    first,
    replace,
    rows,
    view,
)

__all__ = ["direct"]


def direct(
    members: int,
    *,
    kernels: Kernels,
    numbers: Mapping[str, Tensor],
    masks: Masks | None = None,
) -> Direct:
    """Return what the stand-ins of one forward have in common; see :class:`Direct`."""
    return Direct(
        members,
        kernels=kernels,
        numbers=numbers,
        masks=masks,
        functions=_FUNCTIONS,
        methods=_METHODS,
    )


def _unary(function: Callable[..., Tensor]) -> Handler:
    """Make the handler of a function that computes element by element."""

    def handler(stack: Direct, x: Stacked, *args: Any, **kwargs: Any) -> Stacked:
        in_place = bool(kwargs.pop("inplace", False))
        if any(isinstance(value, Stacked | Tensor) for value in [*args, *kwargs.values()]):
            raise UnknownFunctionError("a function of several tensors")
        out = Stacked(function(x.tensor, *args, **kwargs), x.dim_, stack)
        return replace(x, out) if in_place else out

    return handler


def _activation(function: Callable[..., Tensor], *, place: int) -> Handler:
    """As ``_unary``, of a function whose ``place``-th argument may say ``inplace``."""
    plain = _unary(function)

    def handler(stack: Direct, x: Stacked, *args: Any, **kwargs: Any) -> Stacked:
        if len(args) >= place:
            kwargs["inplace"] = args[place - 1]
            args = (*args[: place - 1], *args[place:])
        out: Stacked = plain(stack, x, *args, **kwargs)
        return out

    return handler


def _leaky_relu(  # noqa: PLR0917 - torch's own signature
    stack: Direct,
    x: Stacked,
    negative_slope: float = 0.01,
    inplace: bool = False,  # noqa: FBT001, FBT002 - torch's own signature
) -> Stacked:
    slopes = stack.number(negative_slope)
    if not isinstance(slopes, Tensor):
        return _LEAKY_RELU(stack, x, slopes, inplace=inplace)  # type: ignore[no-any-return]
    out: Stacked = stack.call(partial(leaky_relu, slopes=slopes), x)
    return replace(x, out) if inplace else out


_LEAKY_RELU = _unary(F.leaky_relu)


def _binary(function: Callable[..., Tensor]) -> Handler:
    """Make the handler of an elementwise function of two, each a stand-in, tensor or number."""

    def handler(stack: Direct, a: Any, b: Any, **kwargs: Any) -> Stacked:
        if isinstance(a, Stacked) and isinstance(b, bool | int | float):
            return Stacked(function(a.tensor, b, **kwargs), a.dim_, stack)
        if isinstance(b, Stacked) and isinstance(a, bool | int | float):
            return Stacked(function(a, b.tensor, **kwargs), b.dim_, stack)
        left, right, dim = _aligned(rows(a), rows(b))
        return Stacked(function(left, right, **kwargs), dim, stack)

    return handler


def _aligned(a: Rows, b: Rows) -> tuple[Tensor, Tensor, int | None]:
    """Return two physical tensors that broadcast as those of one model do."""
    if a.dim == b.dim and (a.ndim == b.ndim or a.dim is None):
        return a.tensor, b.tensor, a.dim
    if a.ndim == b.ndim:
        # Where the wider tensor keeps its layout, nothing is copied.
        dim = a.dim if a.dim is not None else b.dim
        assert dim is not None  # noqa: S101 - not both are shared: they would be equal
        return _moved(a, dim), _moved(b, dim), dim
    axes = max(a.ndim, b.ndim)
    return _padded(a, axes), _padded(b, axes), 0


def _moved(x: Rows, dim: int) -> Tensor:
    return x.tensor.unsqueeze(dim) if x.dim is None else x.tensor.movedim(x.dim, dim)


def _padded(x: Rows, axes: int) -> Tensor:
    own = _moved(x, 0)
    return own.reshape(own.shape[0], *[1] * (axes - x.ndim), *own.shape[1:])


def _in_place(handler: Handler) -> Handler:
    def changed(stack: Direct, x: Stacked, *args: Any, **kwargs: Any) -> Stacked:
        return replace(x, handler(stack, x, *args, **kwargs))

    return changed


def _axes(x: Stacked, dims: Any) -> tuple[list[int], list[int]]:
    """Return axes of one model, counted from 0, and where they lie in the physical tensor."""
    given = [dims] if isinstance(dims, int) else list(dims)
    own = [d % x.ndim for d in given]
    dim = x.dim_
    return own, [d if dim is None or d < dim else d + 1 for d in own]


def _reduction(function: Callable[..., Any]) -> Handler:
    """Make the handler of a function that reduces axes of its own, all of them by default."""

    def handler(stack: Direct, x: Stacked, *args: Any, **kwargs: Any) -> Any:
        dims = args[0] if args else kwargs.pop("dim", None)
        keep = args[1] if len(args) > 1 else kwargs.pop("keepdim", False)
        if kwargs or not isinstance(dims, int | list | tuple | None):
            raise UnknownFunctionError(getattr(function, "__name__", "a reduction"))
        own, places = _axes(x, range(x.ndim) if dims is None else dims)
        if not places:
            return x
        out = function(x.tensor, tuple(places), keep)
        before = 0 if keep or x.dim_ is None else sum(d < x.dim_ for d in own)
        return Stacked(out, None if x.dim_ is None else x.dim_ - before, stack)

    return handler


def _along(function: Callable[..., Tensor]) -> Handler:
    """Make the handler of a function along one axis that keeps the shape."""

    def handler(stack: Direct, x: Stacked, dim: int | None = None, *_: Any, **kwargs: Any) -> Any:
        kwargs.pop("_stacklevel", None)
        if dim is None or any(value is not None for value in kwargs.values()):
            raise UnknownFunctionError(getattr(function, "__name__", "a function along an axis"))
        return Stacked(function(x.tensor, _axes(x, dim)[1][0]), x.dim_, stack)

    return handler


def _flatten(  # noqa: PLR0917 - torch's own signature
    stack: Direct,  # noqa: ARG001
    x: Stacked,
    start_dim: int = 0,
    end_dim: int = -1,
) -> Stacked:
    own, dim = first(x)
    offset = 0 if dim is None else 1
    begin, end = start_dim % x.ndim, end_dim % x.ndim
    return view(x, own.flatten(begin + offset, end + offset), dim)


def _reshape(stack: Direct, x: Stacked, *shape: Any) -> Stacked:  # noqa: ARG001
    sizes = shape[0] if len(shape) == 1 and not isinstance(shape[0], int) else shape
    if not all(isinstance(size, int) for size in sizes):
        raise UnknownFunctionError("view of another type")
    own, dim = first(x)
    return view(x, own.reshape(*([] if dim is None else own.shape[:1]), *sizes), dim)


def _permute(stack: Direct, x: Stacked, *dims: Any) -> Stacked:  # noqa: ARG001
    order = dims[0] if len(dims) == 1 and not isinstance(dims[0], int) else dims
    own, dim = first(x)
    axes = _axes(x, order)[0]
    return view(x, own.permute(axes if dim is None else [0, *(d + 1 for d in axes)]), dim)


def _transpose(  # noqa: PLR0917 - torch's own signature
    stack: Direct,  # noqa: ARG001
    x: Stacked,
    dim0: int,
    dim1: int,
) -> Stacked:
    places = _axes(x, (dim0, dim1))[1]
    return view(x, x.tensor.transpose(*places), x.dim_)


def _unsqueeze(stack: Direct, x: Stacked, dim: int) -> Stacked:  # noqa: ARG001
    own, member = first(x)
    place = dim % (x.ndim + 1)
    return view(x, own.unsqueeze(place if member is None else place + 1), member)


def _squeeze(stack: Direct, x: Stacked, dim: int) -> Stacked:  # noqa: ARG001
    own, member = first(x)
    place = dim % x.ndim
    return view(x, own.squeeze(place if member is None else place + 1), member)


def _joined(function: Callable[[list[Tensor], int], Tensor], *, new_axis: bool) -> Handler:
    """Make the handler of ``cat`` or ``stack``."""

    def handler(stack: Direct, tensors: Sequence[Any], dim: int = 0) -> Stacked:
        parts = [rows(part) for part in tensors]
        axes = {part.ndim for part in parts}
        if len(axes) != 1:
            raise UnknownFunctionError("joining tensors of unlike axes")
        own = [_moved(p, 0).expand(stack.members, *_moved(p, 0).shape[1:]) for p in parts]
        count = axes.pop() + new_axis
        return Stacked(function(own, dim % count + 1), 0, stack)

    return handler


def _pad(stack: Direct, x: Stacked, pad: Sequence[int], *args: Any, **kwargs: Any) -> Stacked:
    if len(pad) // 2 > x.ndim:
        raise UnknownFunctionError("pad")
    own, dim = first(x)
    mode = args[0] if args else kwargs.get("mode", "constant")
    if mode != "constant":
        return HANDLERS[F.pad](stack, x, pad, *args, **kwargs)  # type: ignore[no-any-return]
    return Stacked(F.pad(own, pad, *args, **kwargs), dim, stack)


def _count_up(stack: Direct, x: Stacked, other: Any, **kwargs: Any) -> Stacked:
    """Add a number to a buffer, in place: batch norm counts its batches so."""
    if kwargs or not isinstance(other, int) or x.tensor.is_floating_point():
        return replace(x, _ADD(stack, x, other, **kwargs))
    x.tensor.add_(other)
    return x


def _unknown(*_: Any, **__: Any) -> Stacked:
    raise UnknownFunctionError("attention")


_ADD, _SUB, _MUL = _binary(torch.add), _binary(torch.sub), _binary(torch.mul)
_DIV, _POW, _NEG = _binary(torch.div), _binary(torch.pow), _unary(torch.neg)

_ELEMENTWISE = (
    "abs", "ceil", "clamp", "clamp_max", "clamp_min", "clone", "cos", "erf", "exp",
    "expm1", "floor", "log", "log1p", "log2", "neg", "reciprocal", "relu", "rsqrt", "sigmoid",
    "sign", "sin", "sqrt", "square", "tanh",
)  # fmt: skip
_ACTIVATIONS: Mapping[Callable[..., Any], int] = MappingProxyType(
    # The place of `inplace` among the arguments that follow the tensor.
    {
        F.relu: 1, F.relu6: 1, F.silu: 1, F.mish: 1, F.hardswish: 1, F.hardsigmoid: 1,
        F.selu: 1, F.elu: 2, F.celu: 2, F.threshold: 3, F.hardtanh: 3,
        F.gelu: 9, F.softplus: 9, F.logsigmoid: 9, F.softsign: 9, F.tanhshrink: 9,
        F.hardshrink: 9, F.softshrink: 9, F.tanh: 9, F.sigmoid: 9,
    }
)  # fmt: skip
_SHAPES: Mapping[str, Handler] = MappingProxyType(
    {
        "flatten": _flatten,
        "reshape": _reshape,
        "permute": _permute,
        "transpose": _transpose,
        "unsqueeze": _unsqueeze,
        "squeeze": _squeeze,
    }
)
_REDUCTIONS: Mapping[str, Handler] = MappingProxyType(
    {
        "mean": _reduction(torch.mean),
        "sum": _reduction(torch.sum),
        "amax": _reduction(torch.amax),
        "amin": _reduction(torch.amin),
    }
)
_BINARIES: Mapping[str, Handler] = MappingProxyType(
    {
        "add": _ADD,
        "sub": _SUB,
        "mul": _MUL,
        "div": _DIV,
        "pow": _POW,
        "maximum": _binary(torch.maximum),
        "minimum": _binary(torch.minimum),
    }
)
_ALONG: Mapping[str, Handler] = MappingProxyType(
    {"softmax": _along(torch.softmax), "log_softmax": _along(torch.log_softmax)}
)


def _contiguous(stack: Direct, x: Stacked, **_: Any) -> Stacked:  # noqa: ARG001
    return view(x, x.tensor, x.dim_)


_METHODS: Mapping[str, Handler] = MappingProxyType(
    {
        **{name: _unary(getattr(torch, name)) for name in _ELEMENTWISE},
        **_SHAPES,
        **_REDUCTIONS,
        **_BINARIES,
        **_ALONG,
        "contiguous": _contiguous,
        "view": _reshape,
        "relu_": _in_place(_unary(torch.relu)),
        "add_": _count_up,
        "mul_": _in_place(_MUL),
    }
)

_FUNCTIONS: Mapping[Callable[..., Any], Handler] = MappingProxyType(
    {
        **HANDLERS,
        **{getattr(torch, n): h for n, h in _METHODS.items() if hasattr(torch, n)},
        **{getattr(Tensor, n): h for n, h in _METHODS.items() if hasattr(Tensor, n)},
        Tensor.__add__: _ADD,
        Tensor.__radd__: _ADD,
        Tensor.__mul__: _MUL,
        Tensor.__rmul__: _MUL,
        Tensor.__sub__: _SUB,
        Tensor.__truediv__: _DIV,
        **{f: _activation(f, place=place) for f, place in _ACTIVATIONS.items()},
        F.leaky_relu: _leaky_relu,
        torch.relu_: _in_place(_unary(torch.relu)),
        F.softmax: _along(torch.softmax),
        F.log_softmax: _along(torch.log_softmax),
        F.pad: _pad,
        F.multi_head_attention_forward: _unknown,
        torch.cat: _joined(torch.cat, new_axis=False),
        torch.stack: _joined(torch.stack, new_axis=True),
        torch.max_pool1d: POOLS[F.max_pool1d],
        torch.max_pool2d: HANDLERS[F.max_pool2d],
        torch.max_pool3d: POOLS[F.max_pool3d],
        torch.adaptive_avg_pool1d: POOLS[F.adaptive_avg_pool1d],
        torch.avg_pool1d: POOLS[F.avg_pool1d],
        torch.prelu: HANDLERS[F.prelu],
    }
)
