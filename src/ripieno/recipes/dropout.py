"""Dropout of one model, with masks from :mod:`ripieno.recipes.draws`."""

from collections.abc import Callable, Iterable
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.overrides import TorchFunctionMode

from ripieno.recipes import draws
from ripieno.recipes.ranks import Share

__all__ = ["DropoutMode", "backward"]

_ELEMENTWISE = frozenset({F.dropout, torch.dropout, torch.dropout_})
_FEATUREWISE = frozenset(
    {
        F.dropout1d,
        F.dropout2d,
        F.dropout3d,
        torch.feature_dropout,
        torch.feature_dropout_,
    }
)
_IN_PLACE = frozenset({torch.dropout_, torch.feature_dropout_})


class DropoutMode(TorchFunctionMode):
    """While it is active, the masks of dropout come from a key instead of a generator.

    It covers ``F.dropout`` and ``F.dropout1d/2d/3d``, which the modules call, and their
    namesakes in ``torch``. Layer ``i`` is the ``i``-th call with ``training`` and ``p > 0``
    since the mode was entered. Everything else that is random (``torch.rand``, alpha
    dropout, the dropout inside recurrent layers and attention) draws from torch's own
    generator, which the trainer seeds before every step.

    Run :func:`backward` inside it too: a checkpointed region runs again there. It is
    recognised by the state of torch's generator, which checkpointing restores, and is given
    the masks of the first run.

    Args:
        key: The step's key, int64, shape ``()``.
        share: Which rows of a larger batch the model sees. They get the masks that they would
            get in it, in every dropout whose first axis counts the rows.
    """

    def __init__(self, key: Tensor, share: Share | None = None) -> None:
        super().__init__()
        self._key = key
        self._share = None if share is None or share.is_whole else share
        self._layers: dict[int, int] = {}

    def __torch_function__(  # noqa: PLR0917 - torch's protocol
        self,
        function: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Replace the dropouts, and pass every other function on."""
        kwargs = kwargs or {}
        if function in _ELEMENTWISE or function in _FEATUREWISE:
            call = _bind(*args, **kwargs)
            # An impossible p goes on to torch, which has the right words for it.
            if call["training"] and 0.0 < call["p"] <= 1.0:
                in_place = call["inplace"] or function in _IN_PLACE
                return self._drop(function, call["input"], p=call["p"], in_place=in_place)
        return function(*args, **kwargs)

    def _drop(self, function: Callable[..., Any], x: Tensor, *, p: float, in_place: bool) -> Tensor:
        shape = tuple(x.shape)
        if function in _FEATUREWISE:
            # torch drops whole maps of (batch, channels, ...); dropout1d alone knows a
            # single example (channels, length).
            single = function is F.dropout1d and x.dim() == 2
            shape = (shape[0], 1) if single else (*shape[:2], *[1] * (x.dim() - 2))
        keep = self._mask(shape, p=p)
        noise = keep.to(x) * (0.0 if p == 1.0 else 1.0 / (1.0 - p))
        return x.mul_(noise) if in_place else x * noise

    def _mask(self, shape: tuple[int, ...], *, p: float) -> Tensor:
        layer = self._layer()
        share = self._share.within(shape[0]) if self._share and shape else None
        if share is None:
            return draws.keep_mask(self._key, shape, p=p, layer=layer)
        whole = draws.keep_mask(self._key, (share.rows, *shape[1:]), p=p, layer=layer)
        return share.of(whole)

    def _layer(self) -> int:
        token = int(torch.randint(2**62, ()))
        return self._layers.setdefault(token, len(self._layers))


def backward(objective: Tensor) -> None:
    """Add the gradient of a scalar to its parameters, with the active mode kept active.

    torch runs ``Tensor.backward`` and ``torch.autograd.backward`` of a tensor with the mode
    taken off, like every function that a mode may replace; those of an edge of the graph it
    does not.
    """
    torch.autograd.backward(torch.autograd.graph.get_gradient_edge(objective))


def _bind(  # noqa: PLR0917 - torch's own signature
    input: Tensor,  # noqa: A002 - torch's own name
    p: float = 0.5,
    training: bool = True,  # noqa: FBT001, FBT002 - torch's own signature
    inplace: bool = False,  # noqa: FBT001, FBT002 - torch's own signature
    *,
    train: bool | None = None,
) -> dict[str, Any]:
    """Name the arguments of a dropout; the functions in ``torch`` say ``train``."""
    return {
        "input": input,
        "p": p,
        "training": training if train is None else train,
        "inplace": inplace,
    }
