"""A function's operations, written down while it runs: a flat graph for the cost of one call.

What runs under a recorder below autograd and vmap is a list of plain operations on physical
tensors. Run again without modules, autograd and vmap, it computes the same numbers. What has
the same result every time is written down as a constant, and equal views are taken once: of
a view that undoes another one nothing is left.
"""

import operator
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, cast

import numpy as np
import torch
from torch import Tensor, fx, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.weak import WeakIdKeyDictionary

from ripieno.population.graphs import Function, Graph, shapes
from ripieno.recipes import witnessed

__all__ = ["UnsteadyError", "recorded"]

_aten = torch.ops.aten

_FILLED = {
    _aten.ones_like.default,
    _aten.zeros_like.default,
    _aten.full_like.default,
    _aten.new_ones.default,
    _aten.new_zeros.default,
    _aten.new_full.default,
    _aten.scalar_tensor.default,
    _aten.ones.default,
    _aten.zeros.default,
    _aten.full.default,
    _aten.arange.default,
    _aten.arange.start,
    _aten.arange.start_step,
}
"""What gives the same numbers for all inputs of one shape."""
_SUMS = {_aten.sum.default, _aten.sum.dim_IntList}
_SILENT = {_aten.native_batch_norm.default: (3, 4), _aten.cudnn_batch_norm.default: (3, 4)}
"""Operations that do not say what they write, and which of their operands that is."""
_DIRECT = {
    _aten.view.default: Tensor.view,
    _aten.expand.default: Tensor.expand,
    _aten.transpose.int: torch.transpose,
    _aten.permute.default: torch.permute,
    _aten.unsqueeze.default: torch.unsqueeze,
    _aten.squeeze.dim: torch.squeeze,
    _aten.select.int: torch.select,
    _aten.bmm.default: torch.bmm,
    _aten.mm.default: torch.mm,
    _aten.convolution.default: torch.convolution,
    _aten.relu.default: torch.relu,
    _aten.tanh.default: torch.tanh,
    _aten.sigmoid.default: torch.sigmoid,
    _aten.neg.default: torch.neg,
    _aten.exp.default: torch.exp,
    _aten.add.Tensor: torch.add,
    _aten.sub.Tensor: torch.sub,
    _aten.mul.Tensor: torch.mul,
    _aten.div.Tensor: torch.div,
    _aten.add_.Tensor: Tensor.add_,
    _aten.sum.dim_IntList: torch.sum,
    _aten.mean.dim: torch.mean,
    _aten.where.self: torch.where,
    _aten.gather.default: torch.gather,
    _aten.scatter_add.default: torch.scatter_add,
}
"""Operations of every step by the functions of Python, which are called in half the time."""


class UnsteadyError(RuntimeError):
    """Another call of the function may take another way, as far as can be seen."""


def recorded(
    function: Function,
    arrays: Mapping[str, Tensor],
    batch: Mapping[str, Tensor],
    *,
    module: nn.Module | None = None,
) -> Graph:
    """Record a function of these shapes; it may change tensors that it makes, but not these.

    Args:
        function: What is recorded.
        arrays: Its first argument.
        batch: Its second one.
        module: What it runs, if anything: a forward that counts its calls is no constant.

    Raises:
        UnsteadyError: It looks at the tensors' numbers, draws random numbers outside of torch,
            or changes a number or a word that the module holds.
        Exception: Whatever the function raises.
    """
    before = _surroundings(module)
    given = [*arrays.values(), *batch.values()]
    recorder = _Recorder(given)
    # Aliases of its own, for a caller's tensor may be the same object under two names.
    own = [tensor.detach() for tensor in given]
    recorder.start(own)
    first, second = tuple(arrays), tuple(batch)
    with recorder, witnessed(recorder.see_call):
        out = function(
            dict(zip(first, own[: len(first)], strict=True)),
            dict(zip(second, own[len(first) :], strict=True)),
        )
    changed = [name for name, held in _surroundings(module).items() if held != before.get(name)]
    if changed:
        raise UnsteadyError(f"it changes {changed[0]}")
    run = recorder.finish(out)
    return Graph(run, (first, second), shapes(arrays, batch))


class _Recorder(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Writes down the operations that run under it.

    Args:
        given: The inputs.
    """

    def __init__(self, given: Sequence[Tensor]) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self._graph = fx.Graph()
        self._nodes: Any = WeakIdKeyDictionary()
        self._inputs = [self._graph.placeholder(f"input_{n}") for n in range(len(given))]
        self._held: dict[str, Tensor] = {}
        self._values: dict[fx.Node, Tensor] = {}
        self._roots: dict[fx.Node, fx.Node] = {}
        self._looks: dict[tuple[object, ...], fx.Node] = {}
        self._written: set[fx.Node] = set()

    def start(self, own: Sequence[Tensor]) -> None:
        """Say which tensors are the inputs."""
        for node, tensor in zip(self._inputs, own, strict=True):
            self._nodes[tensor] = node

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        # Nothing is compiled while it runs, and to have that made sure torch would import its
        # compiler, which takes more than a second.
        return False

    def __torch_dispatch__(  # noqa: PLR0917 - torch's own signature
        self,
        func: Any,
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Run an operation, and write it down."""
        kwargs = {} if kwargs is None else kwargs
        if _looks(func, args):
            raise UnsteadyError(f"it looks at numbers ({func})")
        before = self._map((args, kwargs))
        out = func(*args, **kwargs)
        if isinstance(out, Tensor):
            equal = self._equal(func, args, out)
            if equal is not None:
                self._nodes[out] = equal
                return out
        if func is _aten.lift_fresh.default:
            func = _aten.lift_fresh_copy.default  # what was written in the text stays as it is
        node = self._graph.call_function(func, *before)
        self._see_writes(node, args, kwargs)
        if isinstance(out, Tensor):
            self._see(out, node, func)
        elif isinstance(out, (tuple, list)):
            for number, each in enumerate(out):
                if isinstance(each, Tensor) and each not in self._nodes:
                    part = self._graph.call_function(operator.getitem, (node, number))
                    self._nodes[each] = part
                    if _is_view(func):
                        self._roots[part] = self._root(node.args[0])
        return out

    def see_call(self, function: Callable[..., Tensor], args: tuple[Any, ...], out: Tensor) -> None:
        """Write down a call that torch does not see."""
        self._nodes[out] = self._graph.call_function(function, self._map(args))

    def finish(self, out: Any) -> nn.Module:
        """Return the graph that gives what the function gave."""
        self._graph.output(self._map(out))
        if any(node.op == "get_attr" for node in self._written):
            self._values.clear()  # the function keeps what it writes from call to call
        for node, value in self._values.items():
            node.replace_all_uses_with(self._hold(value, before=node))
        self._take_once()
        self._graph.eliminate_dead_code(is_impure_node=_must_stay)
        for node in self._graph.nodes:
            node.target = _DIRECT.get(node.target, node.target)
        root = nn.Module()
        for name, tensor in self._held.items():
            root.register_buffer(name, tensor)
        return fx.GraphModule(root, self._graph)

    def _equal(self, func: Any, args: tuple[Any, ...], out: Tensor) -> fx.Node | None:
        """Return what is written down already and the same part of the same tensor."""
        if not args or not isinstance(args[0], Tensor):
            return None
        source = self._nodes[args[0]]
        if func is _aten.detach.default:
            return cast("fx.Node", source)
        if not _is_view(func):
            return None
        root = self._root(source)
        self._looks.setdefault((root, *_look(args[0])), source)
        return self._looks.get((root, *_look(out)))

    def _see(self, out: Tensor, node: fx.Node, func: Any) -> None:
        if out in self._nodes:
            return  # written in place
        self._nodes[out] = node
        operands = node.all_input_nodes
        if _is_view(func):
            root = self._roots[node] = self._root(operands[0])
            self._looks[root, *_look(out)] = node
        still = all(each in self._values or each.op == "get_attr" for each in operands)
        if func in _FILLED or (
            operands and still and (_is_view(func) or _is_pure(func) or func in _SUMS)
        ):
            self._values[node] = out.detach()

    def _see_writes(self, node: fx.Node, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        """Remember what an operation writes."""
        func: Any = node.target
        places: list[Any] = [args[place] for place in _SILENT.get(func, ())]
        for number, argument in enumerate(func._schema.arguments):  # noqa: SLF001 - torch's own way
            if argument.is_write:
                places.append(args[number] if number < len(args) else kwargs.get(argument.name))
        for tensor in _tensors(places):
            root = self._root(self._nodes[tensor])
            self._written.add(root)
            # From here on it holds what was written; what came of it before stays the same.
            self._values = {n: v for n, v in self._values.items() if self._root(n) is not root}
        if func in _SILENT:
            node.meta["writes"] = True

    def _root(self, node: Any) -> fx.Node:
        found: fx.Node = self._roots.get(node, node)
        return found

    def _map(self, value: Any) -> Any:
        """Put nodes in the places of tensors."""
        if isinstance(value, Tensor):
            node = self._nodes.get(value)
            if node is None:
                node = self._nodes[value] = self._hold(value)
            return node
        if isinstance(value, (list, tuple)):
            return type(value)(self._map(each) for each in value)
        if isinstance(value, dict):
            return {name: self._map(each) for name, each in value.items()}
        return value

    def _hold(self, tensor: Tensor, before: fx.Node | None = None) -> fx.Node:
        name = f"constant_{len(self._held)}"
        self._held[name] = tensor
        if before is None:
            with self._graph.inserting_after(self._inputs[-1]):
                return self._graph.create_node("get_attr", name)
        with self._graph.inserting_before(before):
            return self._graph.create_node("get_attr", name)

    def _take_once(self) -> None:
        """Compute once what is computed twice in the same way."""
        seen: dict[Any, fx.Node] = {}
        for node in list(self._graph.nodes):
            if node.op != "call_function" or not (_is_view(node.target) or _is_pure(node.target)):
                continue
            if any(self._root(each) in self._written for each in (node, *node.all_input_nodes)):
                continue
            key = (node.target, repr(node.args), repr(sorted(node.kwargs.items())))
            first = seen.setdefault(key, node)
            if first is not node:
                node.replace_all_uses_with(first)


def _surroundings(module: nn.Module | None) -> dict[str, object]:
    """Return what a function may change that no graph holds."""
    numbers: Any = np.random.get_state(legacy=True)  # noqa: NPY002 - what a user's forward may draw from
    found: dict[str, object] = {
        "the state of Python's random numbers": random.getstate(),
        "the state of NumPy's random numbers": (numbers[1].tobytes(), *numbers[2:]),
    }
    for path, part in () if module is None else module.named_modules():
        for name, held in vars(part).items():
            if name != "training" and isinstance(held, (bool, int, float, str)):
                found[f"{path}.{name}".removeprefix(".")] = held
    return found


def _looks(func: Any, args: tuple[Any, ...]) -> bool:
    """Say whether what an operation gives, or its shape, follows from numbers."""
    if func is _aten.index.Tensor:
        return any(each.dtype in {torch.bool, torch.uint8} for each in _tensors(args[1]))
    return not {torch.Tag.data_dependent_output, torch.Tag.dynamic_output_shape}.isdisjoint(
        func.tags
    )


def _is_view(func: Any) -> bool:
    """Say whether an operation gives a view of its first operand."""
    schema = getattr(func, "_schema", None)
    return schema is not None and any(
        r.alias_info is not None and not r.alias_info.is_write for r in schema.returns
    )


def _look(tensor: Tensor) -> tuple[object, ...]:
    """Return what tells a view from the others of its tensor."""
    place = (tuple(tensor.shape), tensor.stride(), tensor.storage_offset())
    return *place, tensor.dtype, tensor.is_conj(), tensor.is_neg()


def _is_pure(func: Any) -> bool:
    """Say whether an operation computes each number from numbers of its operands alone."""
    schema = getattr(func, "_schema", None)
    if schema is None or schema.is_mutable or torch.Tag.nondeterministic_seeded in func.tags:
        return False
    return torch.Tag.pointwise in func.tags


def _must_stay(node: fx.Node) -> bool:
    """Say whether a node must stay though nothing uses its result."""
    if node.op in {"placeholder", "output"} or "writes" in node.meta:
        return True
    target: Any = node.target
    schema = getattr(target, "_schema", None)
    if schema is None:
        return False
    return bool(schema.is_mutable) or torch.Tag.nondeterministic_seeded in target.tags


def _tensors(values: Any) -> Iterator[Tensor]:
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, (list, tuple)):
        for each in values:
            yield from _tensors(each)
