"""The module whose ``forward`` runs once for all rows, and the forward that runs it."""

import copy
from collections.abc import Mapping
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call, vmap
from torch.nn.modules.batchnorm import _BatchNorm

from ripieno.population.leaves import CumulativeMomentum, Kernels, Masks, PerRow, StackedMode
from ripieno.population.signature import row_numbers

__all__ = ["Arrays", "Template"]

Arrays = Mapping[str, Tensor]
"""Physical tensors by name, the member axis first."""


class Template:
    """A copy of one model that computes with the tensors of all rows.

    Args:
        model: Any row's model; it is copied, not kept.
        kernels: Chooses how a leaf computes.
    """

    def __init__(self, model: nn.Module, kernels: Kernels) -> None:
        self.module = copy.deepcopy(model)
        self.kernels = kernels
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
