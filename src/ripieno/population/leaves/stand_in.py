"""The stacked forward without vmap: a user's ``forward`` run once, on stand-ins for tensors.

Under ``torch.vmap`` every function costs some 0.2 ms of Python and dispatch, which eats the
gain of small models. A :class:`Stacked` shows the ``forward`` the shape that one model sees,
and holds the physical tensor of all rows. Every function that it meets is looked up in a table
of functions that are known to treat each row alone: the leaves, and those here that compute
element by element, along axes of their own, or change the shape. A function that is not in the
table raises :class:`UnknownFunctionError`, and the model is computed under vmap instead.
"""

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from ripieno.population.leaves.call import Leaf, Rows
from ripieno.population.leaves.dropout import Masks
from ripieno.population.leaves.kernels import Kernels
from ripieno.population.leaves.per_row import PerRow

__all__ = [
    "Direct",
    "Handler",
    "Stacked",
    "UnknownFunctionError",
    "first",
    "replace",
    "rows",
    "view",
]

Handler = Callable[..., Any]
"""A function for all rows: called with a :class:`Direct` and what the function is called with."""


class UnknownFunctionError(Exception):
    """A function is not known to treat each row alone."""


class Direct:
    """What the stand-ins of one forward have in common; calls leaves as a mode does.

    Args:
        members: Number of rows.
        kernels: Chooses how a leaf computes.
        numbers: The rows' own numbers by the names of their ``PerRow``, each ``(members,)``.
        masks: The step's dropout masks; None where nothing is dropped.
        functions: Functions that are known, and how each is computed for all rows.
        methods: Methods of a tensor that are known, by name.
    """

    def __init__(
        self,
        members: int,
        *,
        kernels: Kernels,
        numbers: Mapping[str, Tensor],
        masks: Masks | None,
        functions: Mapping[Callable[..., Any], Handler],
        methods: Mapping[str, Handler],
    ) -> None:
        self.members = members
        self.functions = functions
        self.methods = methods
        self.kernels = kernels
        self.masks = masks
        self._numbers = numbers

    def call(self, leaf: Leaf, *operands: Any) -> Any:
        """Call a leaf with stand-ins."""
        out = leaf(*(None if o is None else rows(o) for o in operands), members=self.members)
        return self.wrap(out) if isinstance(out, Rows) else tuple(map(self.wrap, out))

    def wrap(self, rows: Rows) -> "Stacked":
        """Return the stand-in of a new tensor."""
        return Stacked(rows.tensor, rows.dim, self)

    def number(self, value: float) -> Tensor | float:
        """Return the rows' own numbers in place of a ``PerRow``; any other as it is."""
        return self._numbers[value.name] if isinstance(value, PerRow) else value


class Stacked:
    """A tensor of all rows that looks like the tensor of one.

    Args:
        tensor: The physical tensor.
        dim: Where its member axis lies; None if all rows share it.
        stack: What all stand-ins of a forward have in common.
    """

    __slots__ = ("dim_", "stack", "tensor", "viewed")

    def __init__(self, tensor: Tensor, dim: int | None, stack: Direct) -> None:
        self.tensor = tensor
        self.dim_ = dim
        self.stack = stack
        self.viewed = False

    @classmethod
    def __torch_function__(  # noqa: PLR0917 - torch's protocol
        cls,
        function: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Compute a function for all rows, if it is known to treat each alone."""
        kwargs = kwargs or {}
        stack = _stack_of(args, kwargs)
        handler = stack.functions.get(function)
        if handler is None:
            raise UnknownFunctionError(getattr(function, "__name__", str(function)))
        return handler(stack, *args, **kwargs)

    def __getattr__(self, name: str) -> Any:
        handler = self.stack.methods.get(name)
        if handler is None:
            raise UnknownFunctionError(name)

        def method(*args: Any, **kwargs: Any) -> Any:
            return handler(self.stack, self, *args, **kwargs)

        return method

    def _call(self, name: str, *args: Any) -> "Stacked":
        out: Stacked = self.stack.methods[name](self.stack, self, *args)
        return out

    @property
    def shape(self) -> torch.Size:
        """The shape that one model sees."""
        own = list(self.tensor.shape)
        if self.dim_ is not None:
            del own[self.dim_]
        return torch.Size(own)

    @property
    def ndim(self) -> int:
        """Axes that one model sees."""
        return self.tensor.ndim - (self.dim_ is not None)

    @property
    def dtype(self) -> torch.dtype:
        """As of a tensor."""
        return self.tensor.dtype

    @property
    def device(self) -> torch.device:
        """As of a tensor."""
        return self.tensor.device

    @property
    def requires_grad(self) -> bool:
        """As of a tensor."""
        return self.tensor.requires_grad

    @property
    def is_nested(self) -> bool:
        """As of a tensor."""
        return False

    @property
    def mT(self) -> "Stacked":  # noqa: N802 - torch's own name
        """The last two axes exchanged."""
        return self._call("transpose", -2, -1)

    def dim(self) -> int:
        """Axes that one model sees."""
        return self.ndim

    def size(self, axis: int | None = None) -> Any:
        """The shape that one model sees, or one of its numbers."""
        return self.shape if axis is None else self.shape[axis]

    def numel(self) -> int:
        """Numbers that one model sees."""
        return math.prod(self.shape)

    def __len__(self) -> int:
        return self.shape[0]

    def __bool__(self) -> bool:
        raise UnknownFunctionError("bool")

    def __iter__(self) -> Any:
        raise UnknownFunctionError("iter")

    def __getitem__(self, index: Any) -> "Stacked":
        parts = index if isinstance(index, tuple) else (index,)
        if not all(part is None or part is ... or isinstance(part, int | slice) for part in parts):
            raise UnknownFunctionError("getitem")
        own, dim = first(self)
        return view(self, own[(slice(None), *parts)] if dim == 0 else own[parts], dim)

    def __add__(self, other: Any) -> "Stacked":
        return self._call("add", other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> "Stacked":
        return self._call("sub", other)

    def __rsub__(self, other: Any) -> "Stacked":
        return self._call("neg")._call("add", other)

    def __mul__(self, other: Any) -> "Stacked":
        return self._call("mul", other)

    __rmul__ = __mul__

    def __truediv__(self, other: Any) -> "Stacked":
        return self._call("div", other)

    def __pow__(self, other: Any) -> "Stacked":
        return self._call("pow", other)

    def _unknown(self, other: Any) -> Any:  # noqa: ARG002 - as operators are called
        raise UnknownFunctionError("an operator")

    __matmul__ = __rmatmul__ = _unknown
    # Without these, == would silently compare identities.
    __eq__ = __ne__ = __lt__ = __le__ = __gt__ = __ge__ = _unknown
    __hash__ = object.__hash__

    def __neg__(self) -> "Stacked":
        return self._call("neg")

    def __iadd__(self, other: Any) -> "Stacked":
        return replace(self, self._call("add", other))

    def __imul__(self, other: Any) -> "Stacked":
        return replace(self, self._call("mul", other))


def _stack_of(args: Sequence[Any], kwargs: Mapping[str, Any]) -> Direct:
    for value in [*args, *kwargs.values()]:
        if isinstance(value, Stacked):
            return value.stack
        if isinstance(value, list | tuple):
            for part in value:
                if isinstance(part, Stacked):
                    return part.stack
    raise UnknownFunctionError("a function of no tensor of the model")


def rows(value: Any) -> Rows:
    """Return a stand-in, or a plain tensor that all rows share, as a leaf wants it."""
    if isinstance(value, Stacked):
        return Rows(value.tensor, value.dim_)
    if isinstance(value, Tensor):
        return Rows(value, None)
    raise UnknownFunctionError(type(value).__name__)


def first(x: Stacked) -> tuple[Tensor, int | None]:
    """Return the physical tensor with its member axis, if it has one, moved to the front."""
    return (x.tensor, None) if x.dim_ is None else (x.tensor.movedim(x.dim_, 0), 0)


def view(x: Stacked, tensor: Tensor, dim: int | None) -> Stacked:
    """Return what may share memory with ``x``: neither may then be changed in place."""
    out = Stacked(tensor, dim, x.stack)
    x.viewed = out.viewed = True
    return out


def replace(x: Stacked, new: Stacked) -> Stacked:
    """Change a stand-in in place, as far as anyone can see."""
    if x.viewed or x.shape != new.shape:
        raise UnknownFunctionError("a change in place of what is seen elsewhere")
    x.tensor, x.dim_ = new.tensor, new.dim_
    return x
