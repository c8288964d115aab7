"""The module whose ``forward`` runs once for all rows, and the forward that runs it."""

import copy
from collections.abc import Mapping
from typing import Any, Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.modules.batchnorm import _BatchNorm

from ripieno.population.leaves import (
    CumulativeMomentum,
    Direct,
    Kernels,
    Masks,
    PerRow,
    Stacked,
    StackedMode,
    UnknownFunctionError,
    direct,
)
from ripieno.population.signature import row_numbers

__all__ = ["Arrays", "Template"]

Arrays = Mapping[str, Tensor]
"""Physical tensors by name, the member axis first."""


class Template:
    """A copy of one model that computes with the tensors of all rows.

    Args:
        model: Any row's model; it is copied, not kept.
        kernels: Chooses how a leaf computes.
        direct: Whether the forward is known to run rightly without vmap.
    """

    def __init__(self, model: nn.Module, kernels: Kernels, *, direct: bool = False) -> None:
        self.module = copy.deepcopy(model)
        self.kernels = kernels
        self.direct = direct
        self._slots = _slots(self.module)
        for name, value in row_numbers(model).items():
            path, _, attribute = name.rpartition(".")
            # Above zero, so that code which asks whether anything is dropped goes on to drop.
            setattr(self.module.get_submodule(path), attribute, PerRow(value or 0.5, name))
        for path, module in self.module.named_modules():
            if isinstance(module, _BatchNorm) and module.momentum is None:
                module.momentum = CumulativeMomentum.of(module, path)

    def forward(
        self,
        tensors: Arrays,
        x: Tensor,
        *,
        members: int,
        numbers: Arrays,
        keys: Tensor | None = None,
        training: bool,
        shared: bool = False,
        leaves: Literal["all", "needed"] = "all",
    ) -> Tensor:
        """Run the model's own ``forward`` once, for all rows.

        Args:
            tensors: Parameters and buffers by name, ``(members, ...)``; running statistics
                are updated in place.
            x: Inputs ``(members, batch, ...)``, or ``(batch, ...)`` if ``shared``.
            members: Number of rows.
            numbers: The rows' own numbers by module path and attribute, ``(members,)``.
            keys: Each row's dropout key of this step, ``(members,)``.
            training: As ``module.training``.
            shared: Whether all rows see the same inputs.
            leaves: ``"needed"`` leaves to vmap what vmap computes rightly, if slowly.

        Returns:
            Outputs ``(members, batch, ...)``.
        """
        self.module.train(training)
        masks = None if keys is None else Masks(keys)
        if self.direct and leaves == "all":
            stack = direct(members, kernels=self.kernels, numbers=numbers, masks=masks)
            return self._run(stack, tensors, x, shared=shared)

        def one(tensors: dict[str, Tensor], x: Tensor, row: Tensor) -> Tensor:
            mode = StackedMode(
                row, kernels=self.kernels, numbers=numbers, masks=masks, leaves=leaves
            )
            with mode:
                out: Tensor = functional_call(self.module, tensors, (x,))
            return out

        rows = torch.arange(members, device=x.device)
        stacked: Tensor = vmap(one, in_dims=(0, None if shared else 0, 0))(dict(tensors), x, rows)
        return stacked

    def _run(self, stack: Direct, tensors: Arrays, x: Tensor, *, shared: bool) -> Tensor:
        """Run the forward once on stand-ins that take the places of the module's tensors."""
        held = [(place, name, place[name]) for place, name, _ in self._slots]
        try:
            for place, name, tensor in self._slots:
                place[name] = Stacked(tensors[tensor], 0, stack)
            out = self.module(Stacked(x, None if shared else 0, stack))
        finally:
            for place, name, tensor in held:
                place[name] = tensor
        if not isinstance(out, Stacked):
            raise UnknownFunctionError(type(out).__name__)
        own = out.tensor
        if out.dim_ is None:
            return own.unsqueeze(0).expand(stack.members, *own.shape)
        return own.movedim(out.dim_, 0)


def _slots(module: nn.Module) -> list[tuple[dict[str, Any], str, str]]:
    """Return every place in the modules where a tensor lies, and the name of that tensor."""
    owned: dict[int, str] = {}
    for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
        owned.setdefault(id(tensor), name)
    return [
        (place, name, owned[id(tensor)])
        for part in module.modules()
        for place in (part._parameters, part._buffers)  # noqa: SLF001 - torch has no other way
        for name, tensor in place.items()
        if tensor is not None
    ]
