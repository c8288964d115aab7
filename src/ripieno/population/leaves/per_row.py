"""Plain numbers of a module that differ from row to row."""

from typing import Self

from torch import Tensor, nn

__all__ = ["CumulativeMomentum", "PerRow"]


class PerRow(float):
    """A number that a module holds on behalf of all rows, such as dropout's ``p``.

    It passes through the module's own code as a float does; the leaf that it reaches takes
    the rows' own numbers, found by name, instead of it.

    Args:
        value: What the user's code sees, should it look.
        name: Module path and attribute, such as ``"features.3.p"``.
    """

    name: str

    def __new__(cls, value: float, name: str) -> Self:
        """Make the stand-in."""
        number = super().__new__(cls, value)
        number.name = name
        return number

    def __getnewargs__(self) -> tuple[float, str]:  # type: ignore[override]
        return float(self), self.name


class CumulativeMomentum(PerRow):
    """The momentum of a batch norm with ``momentum=None``: one over the batches it has seen.

    The module would read its count as a Python number, which a stack has no single one of.
    """

    module: nn.Module

    @classmethod
    def of(cls, module: nn.Module, name: str) -> Self:
        """Make the stand-in for a module; it is still to be set as its ``momentum``."""
        number = cls(1.0, name)
        number.module = module
        return number

    def batches(self) -> Tensor:
        """Return the module's count: during the stacked forward, that of every row."""
        # The module has counted this batch before it calls the leaf.
        return self.module.get_buffer("num_batches_tracked")
