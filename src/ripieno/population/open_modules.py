"""Modules of one signature whose forward and whose steps are taken from outside.

Where a loss is no recipe's (a supernet is trained on two halves of the rows, in turns), there
are still the pieces: one forward for all rows, and one step of the weights.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ripieno.population.graphs import Function
from ripieno.population.leaves import Kernels
from ripieno.population.optimizers import SGD, Numbers
from ripieno.population.recording import recorded
from ripieno.population.stack import Stack
from ripieno.population.step import Found, Rules, apply, fresh_statistics
from ripieno.population.template import Template

__all__ = ["OpenModules"]

_RULES = Rules(uses=frozenset({"gradient_clip"}))


class OpenModules:
    """A stack of modules, trained by gradient descent with momentum along given gradients.

    Args:
        modules: One a row, all of one signature and without statistics; they are copied.
        hyper: ``momentum``, ``weight_decay`` and ``gradient_clip`` (the largest norm of a
            row's gradient; 0 for any), each ``(members,)``.

    Raises:
        RecipeError: The modules cannot be rows of one stack.
    """

    def __init__(self, modules: Sequence[nn.Module], hyper: Numbers) -> None:
        optimizer = SGD(uses=frozenset({"momentum", "weight_decay"}))
        rates = torch.zeros(len(modules))  # given anew at every step
        stack = Stack.of(modules, optimizer, {**hyper, "lr": rates})
        self._template = Template(modules[0], Kernels())
        self._hold(stack)

    def _hold(self, stack: Stack) -> None:
        self._stack = stack.flat()
        self._arrays = {**self._stack.arrays, **fresh_statistics(stack.members)}

    @property
    def members(self) -> int:
        """Number of rows."""
        return self._stack.members

    @property
    def params(self) -> dict[str, Tensor]:
        """The trained parameters by name, ``(members, ...)``: the stack's own memory."""
        return {name: self._arrays[f"model/{name}"] for name in self._stack.layout.trained}

    def forward(self, tensors: Mapping[str, Tensor], x: Tensor) -> Tensor:
        """Return outputs ``(members, batch, ...)``; a graph goes through all that is given.

        Args:
            tensors: In place of the rows' own: parameters and buffers, ``(members, ...)``.
            x: Inputs, ``(members, batch, ...)``.
        """
        return self._template.forward(
            {**self._stack.named("model/"), **tensors},
            x,
            members=self.members,
            numbers=self._stack.named("number/"),
            training=True,
        )

    def recorded(self, function: Function, batch: Mapping[str, Tensor]) -> Function:
        """Return a function of the parameters and of a batch as one flat graph.

        It computes the same for batches of these shapes, without modules, vmap and autograd.

        Args:
            function: What it returns is computed anew, and nothing is changed.
            batch: One of those that it will be called with.
        """
        return recorded(function, self.params, batch)

    def apply(self, gradients: Mapping[str, Tensor], *, losses: Tensor, rates: Tensor) -> None:
        """Take a step in place; a row whose loss is not finite stays as it is from then on.

        Args:
            gradients: Of the parameters, ``(members, ...)``.
            losses: ``(members,)``.
            rates: The learning rates of this step, ``(members,)``.
        """
        batch = {"rates": rates.double(), "active": torch.ones(self.members, dtype=torch.bool)}
        found = Found(losses, torch.ones_like(losses), gradients, {}, {})
        with torch.no_grad():
            apply(self._arrays, batch, found, layout=self._stack.layout, rules=_RULES)

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows alone, in the order given."""
        self._hold(self._stack.select(torch.tensor(rows)))

    def weights(self, row: int) -> dict[str, Tensor]:
        """Return a row's parameters by name."""
        return {name: array[row] for name, array in self.params.items()}
