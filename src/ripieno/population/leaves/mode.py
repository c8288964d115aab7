"""The mode in which torch's functions know that they compute a whole stack."""

import inspect
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from types import FunctionType, MappingProxyType
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ripieno.population.leaves.activation import leaky_relu, prelu
from ripieno.population.leaves.attention import attention
from ripieno.population.leaves.call import Leaf, stacked_call
from ripieno.population.leaves.convolution import convolution
from ripieno.population.leaves.dropout import Masks, dropout
from ripieno.population.leaves.embedding import embedding
from ripieno.population.leaves.kernels import Kernels
from ripieno.population.leaves.linear import linear
from ripieno.population.leaves.normalization import (
    batch_norm,
    group_norm,
    instance_norm,
    layer_norm,
)
from ripieno.population.leaves.per_row import CumulativeMomentum, PerRow
from ripieno.population.leaves.pooling import max_pool_blocks, per_channel

__all__ = ["HANDLERS", "POOLS", "StackedMode"]


class StackedMode(TorchFunctionMode):
    """While it is active inside ``torch.vmap``, the functions that matter have leaves.

    Modules and functional calls are caught alike, because a module calls the function too.
    Every other function goes through vmap's own rules.

    Args:
        row: The number of the row: one value of a vmapped ``arange(members)``.
        kernels: Chooses how a leaf computes.
        numbers: The rows' own numbers by the names of their ``PerRow``, each float64
            ``(members,)``.
        masks: The step's dropout masks; None where nothing is dropped.
        leaves: ``"all"`` of them, or only those ``"needed"`` for the right numbers.
    """

    def __init__(
        self,
        row: Tensor,
        *,
        kernels: Kernels,
        numbers: Mapping[str, Tensor],
        masks: Masks | None = None,
        leaves: Literal["all", "needed"] = "all",
    ) -> None:
        super().__init__()
        self.kernels = kernels
        self.masks = masks
        self._handlers = HANDLERS if leaves == "all" else _NEEDED
        self._row = row
        self._numbers = numbers

    def __torch_function__(  # noqa: PLR0917 - torch's protocol
        self,
        function: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Replace the functions that have a leaf, and pass every other one on."""
        handler = self._handlers.get(function)
        if handler is None:
            return function(*args, **(kwargs or {}))
        return handler(self, *args, **(kwargs or {}))

    def call(self, leaf: Leaf, *operands: Tensor | None) -> Any:
        """Call a leaf with the tensors of one model."""
        return stacked_call(leaf, self._row, *operands)

    def number(self, value: float) -> Tensor | float:
        """Return the rows' own numbers in place of a ``PerRow``; any other as it is."""
        return self._numbers[value.name] if isinstance(value, PerRow) else value


_Handler = Callable[..., Any]


def _linear(  # noqa: PLR0917 - torch's own signature
    stack: StackedMode,
    input: Tensor,  # noqa: A002 - torch's own name
    weight: Tensor,
    bias: Tensor | None = None,
) -> Any:
    return stack.call(partial(linear, kernels=stack.kernels), input, weight, bias)


def _convolution(  # noqa: PLR0917 - torch's own signature
    stack: StackedMode,
    input: Tensor,  # noqa: A002 - torch's own name
    weight: Tensor,
    bias: Tensor | None = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    leaf = partial(
        convolution,
        kernels=stack.kernels,
        stride=stride,
        padding=padding,
        dilation=dilation,
        groups=groups,
    )
    return stack.call(leaf, input, weight, bias)


def _batch_norm(stack: StackedMode, *args: Any, **kwargs: Any) -> Any:
    call = _bind(F.batch_norm, *args, **kwargs)
    momentum = call["momentum"]
    batches = momentum.batches() if isinstance(momentum, CumulativeMomentum) else None
    leaf = partial(
        batch_norm,
        training=call["training"],
        momentum=0.0 if batches is not None else stack.number(momentum),
        eps=call["eps"],
    )
    operands = ("input", "weight", "bias", "running_mean", "running_var")
    return stack.call(leaf, *(call[name] for name in operands), batches)


def _instance_norm(stack: StackedMode, *args: Any, **kwargs: Any) -> Any:
    call = _bind(F.instance_norm, *args, **kwargs)
    if call["running_mean"] is not None:
        message = "instance_norm with running statistics cannot be stacked"
        raise NotImplementedError(message)
    leaf = partial(instance_norm, eps=call["eps"])
    return stack.call(leaf, call["input"], call["weight"], call["bias"])


def _group_norm(stack: StackedMode, *args: Any, **kwargs: Any) -> Any:
    call = _bind(F.group_norm, *args, **kwargs)
    leaf = partial(group_norm, groups=call["num_groups"], eps=call["eps"])
    return stack.call(leaf, call["input"], call["weight"], call["bias"])


def _layer_norm(stack: StackedMode, *args: Any, **kwargs: Any) -> Any:
    call = _bind(F.layer_norm, *args, **kwargs)
    leaf = partial(layer_norm, shape=call["normalized_shape"], eps=call["eps"])
    return stack.call(leaf, call["input"], call["weight"], call["bias"])


def _dropout(function: Callable[..., Any]) -> _Handler:
    def handler(stack: StackedMode, *args: Any, **kwargs: Any) -> Any:
        call = _bind(function, *args, **kwargs)
        x, p = call["input"], stack.number(call["p"])
        if not call["training"] or (not isinstance(p, Tensor) and p == 0.0):
            return x
        if stack.masks is None:
            message = "dropout has no keys to draw masks from"
            raise NotImplementedError(message)
        axes = None
        if function is not F.dropout:
            # torch drops whole maps of (batch, channels, ...); dropout1d alone knows a
            # single example (channels, length).
            axes = 1 if function is F.dropout1d and x.dim() == 2 else 2
        leaf = partial(dropout, masks=stack.masks, p=p, mask_axes=axes)
        return stack.call(leaf, x)

    return handler


def _embedding(stack: StackedMode, *args: Any, **kwargs: Any) -> Any:
    call = _bind(F.embedding, *args, **kwargs)
    if call["max_norm"] is not None or call["scale_grad_by_freq"] or call["sparse"]:
        message = "embedding with max_norm, scale_grad_by_freq or sparse cannot be stacked"
        raise NotImplementedError(message)
    leaf = partial(embedding, padding_idx=call["padding_idx"])
    return stack.call(leaf, call["input"], call["weight"])


def _prelu(stack: StackedMode, input: Tensor, weight: Tensor) -> Any:  # noqa: A002
    return stack.call(prelu, input, weight)


def _leaky_relu(stack: StackedMode, *args: Any, **kwargs: Any) -> Any:
    call = _bind(F.leaky_relu, *args, **kwargs)
    slopes = stack.number(call["negative_slope"])
    if isinstance(slopes, Tensor):
        out = stack.call(partial(leaky_relu, slopes=slopes), call["input"])
        return call["input"].copy_(out) if call["inplace"] else out
    return F.leaky_relu(*args, **kwargs)


def _attention(  # noqa: PLR0917 - torch's own signature
    stack: StackedMode,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attn_mask: Tensor | None = None,
    dropout_p: float = 0.0,
    is_causal: bool = False,  # noqa: FBT001, FBT002 - torch's own signature
    *,
    scale: float | None = None,
    enable_gqa: bool = False,
) -> Any:
    _refuse_attention_dropout(dropout_p)
    leaf = partial(attention, is_causal=is_causal, scale=scale, enable_gqa=enable_gqa)
    return stack.call(leaf, query, key, value, attn_mask)


def _multi_head_attention(stack: StackedMode, *args: Any, **kwargs: Any) -> Any:
    call = _bind(F.multi_head_attention_forward, *args, **kwargs)
    _refuse_attention_dropout(call["dropout_p"] if call["training"] else 0.0)
    with stack:
        return _MULTI_HEAD_ATTENTION(*args, **kwargs)


def _refuse_attention_dropout(p: float) -> None:
    if p > 0.0:
        # The one-model trainer leaves these draws to torch's generator, whose numbers no
        # stack can repeat.
        message = "dropout inside attention cannot be stacked"
        raise NotImplementedError(message)


def _per_channel(function: Callable[..., Any], spatial: int | None) -> _Handler:
    """Make the handler of a function of ``spatial`` axes; None: of all but the first two."""

    def handler(stack: StackedMode, /, *args: Any, **kwargs: Any) -> Any:
        x, *others = args if args else [kwargs.pop("input")]

        def apply(x: Tensor) -> Any:
            return function(x, *others, **kwargs)

        axes = x.dim() - 2 if spatial is None else spatial
        return stack.call(partial(per_channel, function=apply, spatial=axes), x)

    return handler


def _max_pool2d(stack: StackedMode, /, *args: Any, **kwargs: Any) -> Any:
    call = _bind(_max_pool2d_arguments, *args, **kwargs)
    x, size, stride = call["input"], _pair(call["kernel_size"]), _pair(call["stride"])
    plain = stride in {None, size} and _pair(call["padding"]) == (0, 0)
    plain = plain and _pair(call["dilation"]) == (1, 1) and not call["return_indices"]
    divides = x.dim() == 4 and x.shape[2] % size[0] == 0 and x.shape[3] % size[1] == 0
    if stack.kernels.compiled and plain and divides and size[0] * size[1] <= _LARGEST_BLOCK:
        return stack.call(partial(max_pool_blocks, size=size), x)
    return _per_channel(F.max_pool2d, 2)(stack, *args, **kwargs)


def _max_pool2d_arguments(  # noqa: PLR0917 - torch's own signature
    input: Tensor,  # noqa: A002 - torch's own name
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,  # noqa: FBT001, FBT002 - torch's own signature
    return_indices: bool = False,  # noqa: FBT001, FBT002 - torch's own signature
) -> None:
    """Stand in for ``F.max_pool2d``, which hides its signature."""


def _pair(value: Any) -> Any:
    return (value, value) if isinstance(value, int) else value and tuple(value)


def _pad(stack: StackedMode, /, *args: Any, **kwargs: Any) -> Any:
    call = _bind(F.pad, *args, **kwargs)
    if call["mode"] == "constant":
        return F.pad(*args, **kwargs)
    return _per_channel(F.pad, len(call["pad"]) // 2)(stack, *args, **kwargs)


def _bind(function: Callable[..., Any], *args: Any, **kwargs: Any) -> dict[str, Any]:
    call = _SIGNATURES[function].bind(*args, **kwargs)
    call.apply_defaults()
    return call.arguments


_SIGNATURES: Mapping[Callable[..., Any], inspect.Signature] = MappingProxyType(
    {
        function: inspect.signature(function)
        for function in (
            F.batch_norm,
            F.dropout,
            F.dropout1d,
            F.dropout2d,
            F.dropout3d,
            F.embedding,
            F.group_norm,
            F.instance_norm,
            F.layer_norm,
            F.leaky_relu,
            _max_pool2d_arguments,
            F.multi_head_attention_forward,
            F.pad,
        )
    }
)

# The function's own body, without the test that would send it back to this mode: what it
# calls in turn is then caught. (A mode sees either a function or what is inside it.)
_MULTI_HEAD_ATTENTION = FunctionType(
    F.multi_head_attention_forward.__code__,
    {**F.multi_head_attention_forward.__globals__, "has_torch_function": lambda _: False},
    argdefs=F.multi_head_attention_forward.__defaults__,
)

_LARGEST_BLOCK = 16  # places that are compared one after the other

_SPATIAL: Mapping[Callable[..., Any], int] = MappingProxyType(
    {
        F.adaptive_avg_pool1d: 1,
        F.adaptive_avg_pool2d: 2,
        F.adaptive_avg_pool3d: 3,
        F.adaptive_max_pool1d: 1,
        F.adaptive_max_pool1d_with_indices: 1,
        F.adaptive_max_pool2d: 2,
        F.adaptive_max_pool2d_with_indices: 2,
        F.adaptive_max_pool3d: 3,
        F.adaptive_max_pool3d_with_indices: 3,
        F.avg_pool1d: 1,
        F.avg_pool2d: 2,
        F.avg_pool3d: 3,
        F.lp_pool1d: 1,
        F.lp_pool2d: 2,
        F.max_pool1d: 1,
        F.max_pool1d_with_indices: 1,
        F.max_pool2d_with_indices: 2,
        F.max_pool3d: 3,
        F.max_pool3d_with_indices: 3,
    }
)

POOLS: Mapping[Callable[..., Any], _Handler] = MappingProxyType(
    {function: _per_channel(function, spatial) for function, spatial in _SPATIAL.items()}
)
"""Functions that treat each channel of each sample alone."""

_NEEDED: Mapping[Callable[..., Any], _Handler] = MappingProxyType(
    {
        F.batch_norm: _batch_norm,
        F.dropout: _dropout(F.dropout),
        F.dropout1d: _dropout(F.dropout1d),
        F.dropout2d: _dropout(F.dropout2d),
        F.dropout3d: _dropout(F.dropout3d),
        F.embedding: _embedding,
        F.instance_norm: _instance_norm,
        F.leaky_relu: _leaky_relu,
    }
)

HANDLERS: Mapping[Callable[..., Any], _Handler] = MappingProxyType(
    {
        **_NEEDED,
        F.linear: _linear,
        torch.conv1d: _convolution,
        torch.conv2d: _convolution,
        torch.conv3d: _convolution,
        F.group_norm: _group_norm,
        F.layer_norm: _layer_norm,
        F.prelu: _prelu,
        F.scaled_dot_product_attention: _attention,
        F.multi_head_attention_forward: _multi_head_attention,
        F.pad: _pad,
        F.interpolate: _per_channel(F.interpolate, None),
        **POOLS,
        F.max_pool2d: _max_pool2d,
    }
)
