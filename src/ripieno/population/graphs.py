"""From a step to a flat graph: traced once, then run without vmap, modules and autograd.

A traced graph is a list of plain operations on physical tensors, in-place writes included.
It holds no number of a row: everything that changes from step to step is an input.
"""

import copyreg
import importlib
import pickle
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, fx
from torch.func import functionalize
from torch.fx.experimental.proxy_tensor import make_fx

from ripieno.population.flatten import flatten

__all__ = [
    "Function",
    "Graph",
    "cold_compilations",
    "compile_body",
    "compiled",
    "prepare",
    "shapes",
]

Function = Callable[[Mapping[str, Tensor], Mapping[str, Tensor]], Any]
"""A function of the arrays of a stack, which it may change, and of a batch."""

_OPTIONS: Mapping[str, Any] = MappingProxyType(
    {
        # Loops that only happen to run over the same ranges gain nothing from being one, and
        # some of them torch 2.13 cannot fuse (KeyError in is_all_write_read_contiguous).
        "cpp.max_horizontal_fusion_size": 1,
        # Muon rounds to bfloat16 between operations, and a fused one must do so too.
        "emulate_precision_casts": True,
    }
)

_aten = torch.ops.aten


class Graph:
    """A function of named tensors as a graph of flat ones; called like the function.

    Args:
        run: The graph.
        names: Names of the arrays and of the batch, in the order of the graph's inputs.
        shapes: What it was traced for.
    """

    def __init__(
        self, run: Callable[..., Any], names: tuple[tuple[str, ...], tuple[str, ...]], shapes: str
    ) -> None:
        self.run = run
        # A module's call looks for hooks first, which takes as long as an operation.
        self._call = run.forward if isinstance(run, fx.GraphModule) else run
        self.shapes = shapes
        self._names = names

    @property
    def nodes(self) -> int:
        """How many operations a traced graph has; 0 for a compiled one."""
        return len(self.run.graph.nodes) if isinstance(self.run, fx.GraphModule) else 0

    def __call__(self, arrays: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> Any:
        """Run the graph on arrays, which it may change, and a batch."""
        first, second = self._names
        with torch.no_grad():
            return self._call(*(arrays[n] for n in first), *(batch[n] for n in second))


def shapes(arrays: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> str:
    """Return a text that is equal for tensors that one graph serves."""
    found = (
        f"{n} {tuple(t.shape)} {t.dtype} {t.stride()}" for n, t in [*arrays.items(), *batch.items()]
    )
    return "; ".join(found)


def compiled(
    function: Function, arrays: Mapping[str, Tensor], batch: Mapping[str, Tensor]
) -> Graph:
    """Trace a function of these shapes and compile the graph; the arrays are left unchanged.

    The compiler keeps what it made on disk, and finds it again in another process.

    Raises:
        Exception: Whatever the compiler raises, where there is none or it fails.
    """
    # As another process would, so that each finds what the other one compiled.
    run = _compile(prepare(function, arrays, batch), [*_copies(arrays), *_copies(batch)])
    return Graph(run, (tuple(arrays), tuple(batch)), shapes(arrays, batch))


def prepare(function: Function, arrays: Mapping[str, Tensor], batch: Mapping[str, Tensor]) -> bytes:
    """Trace a function as :func:`compiled` does; what it compiles can go to another process."""
    graph, _ = _trace(function, arrays, batch)
    flat = [*_copies(arrays), *_copies(batch)]

    def lowered(*inputs: Tensor) -> Any:
        return _Lowered(graph).run(*inputs)

    plain = flatten(make_fx(functionalize(lowered))(*flat))
    # The tracer that made it cannot read it again.
    plain._tracer_cls = plain.graph._tracer_cls = fx.Tracer  # noqa: SLF001 - no public way
    return pickle.dumps((plain, [_Kind.of(t) for t in flat], torch.get_num_threads()))


def compile_body(body: bytes) -> bool:
    """Compile what :func:`prepare` made into the cache on disk, and run it once.

    Returns:
        Whether anything had to be compiled, and was not in the cache already.
    """
    before = cold_compilations()
    _compile(body)
    return cold_compilations() > before


def cold_compilations() -> int:
    """Return how many graphs this process compiled that were not in the cache on disk."""
    counters: Any = importlib.import_module("torch._dynamo.utils").counters
    return int(counters["inductor"]["fxgraph_cache_miss"])


@dataclass(frozen=True, slots=True)
class _Kind:
    """What a tensor is, but for its numbers."""

    shape: tuple[int, ...]
    stride: tuple[int, ...]
    dtype: torch.dtype

    @classmethod
    def of(cls, tensor: Tensor) -> "_Kind":
        return cls(tuple(tensor.shape), tensor.stride(), tensor.dtype)

    def example(self) -> Tensor:
        return torch.empty_strided(self.shape, self.stride, dtype=self.dtype).zero_()


def _compile(body: bytes, given: Sequence[Tensor] | None = None) -> Callable[..., Any]:
    """Compile a graph, and run it once on what is given, or on tensors of zeros."""
    # The operation that `flatten` puts in exists only once this is imported.
    importlib.import_module("torch._inductor.inductor_prims")
    graph, kinds, threads = pickle.loads(body)  # noqa: S301 - made by our own program
    flat = [kind.example() for kind in kinds] if given is None else given
    options: dict[str, Any] = {**_OPTIONS, "cpp.threads": threads}
    inductor: Any = importlib.import_module("torch._inductor")
    with warnings.catch_warnings(), torch.no_grad(), _equal_keys():
        warnings.simplefilter("ignore")  # what the compiler warns of is not the user's doing
        if hasattr(inductor, "standalone_compile"):
            # The graph has one set of shapes, so nothing needs to be guarded at every call,
            # which costs as much as a tenth of a small step.
            run: Callable[..., Any] = inductor.standalone_compile(
                graph,
                list(flat),
                dynamic_shapes="from_example_inputs",
                options={"config_patches": options},
            )
        else:
            run = torch.compile(graph, fullgraph=True, dynamic=False, options=options)
        run(*flat)
    return run


@contextmanager
def _equal_keys() -> Iterator[None]:
    """Have the compiler's cache know a graph again in every process.

    Its key is a hash of pickled facts. A memory format is pickled as found in the first module
    that did ``import torch``, and which one that is depends on what the user imported first.
    """
    table = copyreg.dispatch_table
    before = table.get(torch.memory_format)
    copyreg.pickle(torch.memory_format, _by_name)
    try:
        yield
    finally:
        del table[torch.memory_format]
        if before is not None:
            table[torch.memory_format] = before


def _by_name(memory_format: torch.memory_format) -> tuple[Any, ...]:
    return _memory_format, (str(memory_format).removeprefix("torch."),)


def _memory_format(name: str) -> torch.memory_format:
    found: torch.memory_format = getattr(torch, name)
    return found


def _trace(
    function: Function, arrays: Mapping[str, Tensor], batch: Mapping[str, Tensor]
) -> tuple[fx.GraphModule, tuple[tuple[str, ...], tuple[str, ...]]]:
    first, second = tuple(arrays), tuple(batch)

    def flat(*inputs: Tensor) -> Any:
        own = dict(zip(first, inputs[: len(first)], strict=True))
        return function(own, dict(zip(second, inputs[len(first) :], strict=True)))

    graph = make_fx(flat)(*_copies(arrays), *_copies(batch))
    for node in graph.graph.nodes:
        if node.target == _aten.detach.default:
            node.replace_all_uses_with(node.args[0])
            graph.graph.erase_node(node)
    graph.recompile()
    return graph, (first, second)


def _copies(tensors: Mapping[str, Tensor]) -> Sequence[Tensor]:
    return [tensor.detach().clone() for tensor in tensors.values()]


class _Lowered(fx.Interpreter):
    """Runs a graph with the operations that a compiler should see otherwise."""

    def call_function(self, target: Any, args: Any, kwargs: Any) -> Any:
        """Run one operation."""
        if target is _aten.native_batch_norm.default and args[5]:
            return _batch_norm(*args)
        return super().call_function(target, args, kwargs)


def _batch_norm(  # noqa: PLR0917 - the operation's own signature
    x: Tensor,
    weight: Tensor | None,
    bias: Tensor | None,
    running_mean: Tensor | None,
    running_var: Tensor | None,
    training: bool,  # noqa: ARG001, FBT001 - the operation's own signature
    momentum: float,
    eps: float,
) -> tuple[Tensor, Tensor, Tensor]:
    """Normalise by the batch's statistics, in two passes, and write the running ones.

    The operation does not say that it writes them, so a compiler may not know; and its own
    one-pass variance is slower than two sums over rows.
    """
    others = [dim for dim in range(x.ndim) if dim != 1]
    shape = [1 if dim != 1 else -1 for dim in range(x.ndim)]
    count = x.numel() // x.shape[1]
    mean = x.sum(others) / count
    centred = x - mean.view(shape)
    var = (centred * centred).sum(others) / count
    scale = torch.rsqrt(var + eps)
    if running_mean is not None and running_var is not None:
        running_mean.copy_(momentum * mean + (1 - momentum) * running_mean)
        unbiased = var * (count / (count - 1)) if count > 1 else var
        running_var.copy_(momentum * unbiased + (1 - momentum) * running_var)
    out = centred * scale.view(shape)
    if weight is not None:
        out = out * weight.view(shape)
    return out if bias is None else out + bias.view(shape), mean, scale
