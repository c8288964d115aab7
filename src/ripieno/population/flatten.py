"""A traced graph without detours: what vmap's views hide from a compiler is brought to light.

Between two leaves a tensor is seen as ``(batch, members, channels, ...)``, a view of what
lies in memory. A compiler takes the view's order for the order of the result and lays it out
anew. Here an elementwise function of views becomes a view of the function, and views that
undo each other disappear, so that elementwise work is done where the tensors lie.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import fx

__all__ = ["flatten"]

_aten = torch.ops.aten
_VIEWS = {_aten.view.default, _aten._unsafe_view.default}  # noqa: SLF001 - its name in torch
_MOVES = {_aten.reshape.default, _aten.permute.default}
_CONVOLUTIONS = {_aten.convolution.default, _aten.convolution_backward.default}
# They are made to give a layout, and are elementwise only in name.
_LAYOUTS = {_aten.clone.default, _aten.copy.default, _aten._to_copy.default}  # noqa: SLF001


def flatten(graph: fx.GraphModule) -> fx.GraphModule:
    """Move views behind elementwise functions, and drop those that do nothing, in place.

    Args:
        graph: Made by ``make_fx`` and without mutations, but for those of its inputs: plain
            operations of static shapes, with the value of each node in its ``meta``.
    """
    for node in graph.graph.nodes:
        if node.target in _VIEWS:
            # Where the strides of a source change, a view of it may have to copy.
            node.target = _aten.reshape.default
        elif node.target == _aten.detach.default:
            node.replace_all_uses_with(node.all_input_nodes[0])
    changed = True
    while changed:
        changed = False
        for node in list(graph.graph.nodes):
            changed |= _merge(node) or _hoist(node)
        graph.graph.eliminate_dead_code(is_impure_node=_writes)
    for node in list(graph.graph.nodes):
        if node.target in _CONVOLUTIONS:
            _settle(node)
    graph.recompile()
    return graph


def _settle(node: Any) -> None:
    """Have what a convolution reads lie in memory as it is computed, channels last.

    A compiler that is left to choose makes it in the order of the view, channels first, and
    then copies it.
    """
    for move in node.all_input_nodes:
        source = move.args[0] if move.target == _aten.permute.default else None
        if source is None or source.op != "call_function" or source.target in _MOVES:
            continue
        strides = torch.empty(source.meta["val"].shape, device="meta").stride()
        with node.graph.inserting_before(move):
            settled = node.graph.call_function(_settled(), (source, list(strides)))
        settled.meta["val"] = source.meta["val"]
        move.replace_input_with(source, settled)


def _settled() -> Any:
    # No public name for it. Found at use, so that torch without it still runs uncompiled.
    from torch._inductor import inductor_prims

    return inductor_prims.force_stride_order


def _writes(node: fx.Node) -> bool:
    """Say whether a node must stay though nothing uses its result."""
    if node.op in {"placeholder", "output"}:
        return True
    schema = getattr(node.target, "_schema", None)
    return schema is None or bool(schema.is_mutable)


def _merge(node: Any) -> bool:
    """Compose a view with the view that it looks at; replace one that does nothing."""
    if node.target not in _MOVES or not node.users:
        return False
    source, shape = node.args[0], node.meta["val"].shape
    if source.target == node.target and node.target in _MOVES:
        inner = source.args[0]
        if node.target == _aten.permute.default:
            dims = [source.args[1][dim] for dim in node.args[1]]
            node.args = (inner, dims)
        else:
            node.args = (inner, list(shape))
        return True
    is_same = shape == source.meta["val"].shape
    if node.target == _aten.permute.default:
        is_same = list(node.args[1]) == sorted(node.args[1])
    if is_same:
        node.replace_all_uses_with(source)
    return bool(is_same)


def _hoist(node: Any) -> bool:
    """Turn a function of views into the view of a function."""
    if node.op != "call_function" or not _is_elementwise(node.target) or not node.users:
        return False
    tensors = [a for a in node.all_input_nodes if a.meta["val"].numel() > 1]
    shape = node.meta["val"].shape
    if not tensors or any(t.target not in _MOVES for t in tensors):
        return False
    first = tensors[0]
    source = first.args[0].meta["val"].shape
    for tensor in tensors:
        inner = tensor.args[0].meta["val"]
        if tensor.target != first.target or tensor.args[1:] != first.args[1:]:
            return False
        if inner.shape != source or tensor.meta["val"].shape != shape:
            return False
    _swap(node, first, replace=lambda a: a.args[0] if a in tensors else a)
    return True


def _swap(node: Any, move: Any, *, replace: Callable[[Any], Any]) -> None:
    graph = node.graph
    with graph.inserting_before(node):
        args = fx.map_arg(node.args, replace)
        kwargs = fx.map_arg(node.kwargs, replace)
        inner = graph.call_function(node.target, args, kwargs)
        value, source = node.meta["val"], replace(move).meta["val"]
        inner.meta["val"] = torch.empty(source.shape, dtype=value.dtype, device="meta")
        outer = graph.call_function(move.target, (inner, *move.args[1:]))
        outer.meta["val"] = node.meta["val"]
    node.replace_all_uses_with(outer)


def _is_elementwise(target: Any) -> bool:
    tags = getattr(target, "tags", ())
    schema = getattr(target, "_schema", None)
    if schema is None or schema.is_mutable or target in _LAYOUTS:
        return False
    return torch.Tag.pointwise in tags
