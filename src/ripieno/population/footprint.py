"""How much memory a step takes: counted, tensor by tensor, while it runs."""

import weakref
from collections.abc import Callable
from typing import Any

from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

__all__ = ["peak_bytes"]


class _Ledger(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts the bytes of the tensors that operations make while they are alive."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.alive = 0
        self.peak = 0
        self._known: dict[int, weakref.ref[Any]] = {}

    def __torch_dispatch__(  # noqa: PLR0917 - the mode's own signature
        self, function: Any, types: Any, args: Any = (), kwargs: Any = None
    ) -> Any:
        result = function(*args, **(kwargs or {}))
        for tensor in tree_leaves((args, kwargs, result)):
            if isinstance(tensor, Tensor):
                self._count(tensor)
        return result

    def _count(self, tensor: Tensor) -> None:
        storage = tensor.untyped_storage()
        address, size = storage._cdata, storage.nbytes()  # noqa: SLF001 - no other identity
        if address in self._known:
            return

        def gone(_: object) -> None:
            del self._known[address]
            self.alive -= size

        self._known[address] = weakref.ref(storage, gone)
        self.alive += size
        self.peak = max(self.peak, self.alive)


def peak_bytes(run: Callable[[], object]) -> int:
    """Return the most bytes of tensors that are alive at once while a function runs.

    What it is given and works on counts as well; what a kernel needs inside itself does not.
    """
    ledger = _Ledger()
    with ledger:
        run()
    return ledger.peak
