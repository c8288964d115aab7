"""The loop tier: rows one after another through an ordinary module.

It computes what the stack computes for any module there is: recurrent ones, forwards that
depend on the data, checkpointed regions, hooks. The rows' states stay in the stack, where the
same stacked optimizer updates them.
"""

import copy
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn

from ripieno.population.altering import alter_inputs, alter_losses
from ripieno.population.choice import RatherAloneError
from ripieno.population.losses import check_outputs
from ripieno.population.optimizers import l1_penalty
from ripieno.population.stack import Layout
from ripieno.population.step import Batch, Found, Rules, apply, named
from ripieno.recipes import LOSS_OPTIONS, DropoutMode, find_loss, seed_generators

__all__ = ["LoopStep", "load_row", "loop_forward"]


@dataclass(frozen=True, slots=True, eq=False)
class LoopStep:
    """A training step that takes the rows one by one; see ``StackedStep`` for its call.

    Args:
        module: A module of the rows' signature; its own numbers are overwritten.
        layout: The stack's layout.
        rules: What else the rows have in common.
    """

    module: nn.Module
    layout: Layout
    rules: Rules
    _kept: list[frozenset[str]] = field(default_factory=list)

    @classmethod
    def of(cls, model: nn.Module, layout: Layout, rules: Rules) -> "LoopStep":
        """Make a step around a copy of any row's model."""
        return cls(module=copy.deepcopy(model), layout=layout, rules=rules)

    def __call__(
        self,
        arrays: Mapping[str, Tensor],
        batch: Batch,
        *,
        generator_seeds: Sequence[int] | None = None,
    ) -> None:
        """Train every active row on its batch.

        Args:
            arrays: The arrays of a stack and of ``fresh_statistics``.
            batch: See ``Batch``.
            generator_seeds: For each row what torch's own generator is seeded with before
                its step, as the one-model trainer does; None leaves it alone.

        Raises:
            RatherAloneError: Some batch has no gradient for a parameter that others have one
                for, and the optimizer counts the steps of each parameter.
        """
        found = self.find(arrays, batch, generator_seeds=generator_seeds)
        self._check_steps(found, batch["active"] & arrays["statistic/alive"])
        apply(arrays, batch, found, layout=self.layout, rules=self.rules)

    def _check_steps(self, found: Found, rows: Tensor) -> None:
        """Refuse what a stack cannot count: it knows the steps of a row, not of a parameter."""
        if not bool(rows.any()):
            return  # all of them have diverged
        kept = frozenset(n for n in found.gradients if self.layout.optimizer.counts_for(n))
        if not self._kept:
            self._kept.append(kept)
        if kept != self._kept[0] or not all(bool(found.present[n][rows].all()) for n in kept):
            raise RatherAloneError("not every batch has a gradient for every parameter")

    def find(
        self,
        arrays: Mapping[str, Tensor],
        batch: Batch,
        *,
        generator_seeds: Sequence[int] | None = None,
    ) -> Found:
        """Return every row's losses and gradients; the arrays are left unchanged."""
        model = named(arrays, "model/")
        members = len(batch["active"])
        some = next(a for a in model.values() if a.is_floating_point())
        device = batch["active"].device
        sums = torch.zeros(2, members, dtype=some.dtype, device=device)
        gradients = {n: torch.zeros_like(model[n]) for n in self.layout.trained}
        present = {
            n: torch.zeros(members, dtype=torch.bool, device=device) for n in self.layout.trained
        }
        buffers = {n: model[n].clone() for n in self.layout.buffers}
        own = dict(self.module.named_buffers())
        for row in (batch["active"] & arrays["statistic/alive"]).nonzero().flatten().tolist():
            if generator_seeds is not None:
                seed_generators(generator_seeds[row], device)
            load_row(self.module, arrays, row)
            sums[0, row], sums[1, row] = self._backward(arrays, batch, row)
            for name, parameter in self.module.named_parameters():
                if parameter.grad is not None and name in gradients:
                    gradients[name][row] = parameter.grad
                    present[name][row] = True
            for name, buffer in buffers.items():
                buffer[row] = own[name]
        used = [name for name, rows in present.items() if bool(rows.any())]
        return Found(
            loss_sum=sums[0],
            weight_sum=sums[1],
            gradients={name: gradients[name] for name in used},
            buffers=buffers,
            present={name: present[name] for name in used},
        )

    def _backward(
        self, arrays: Mapping[str, Tensor], batch: Batch, row: int
    ) -> tuple[Tensor, Tensor]:
        """Leave the row's gradients in the module; return its sums of losses and weights."""
        own = {n: t if self.rules.shared and n == "x" else t[row] for n, t in batch.items()}
        noise = {n: a[row] for n, a in arrays.items() if n == "hyper/input_noise"}
        x = alter_inputs(noise, own, self.rules.uses)
        self.module.train()
        self.module.zero_grad()
        with torch.enable_grad(), DropoutMode(batch["keys"][row]):
            logits = self.module(x)
            options: dict[str, Any] = {}
            for name in self.rules.uses & LOSS_OPTIONS:
                value = arrays[f"hyper/{name}"][row]
                options[name] = value.to(logits.dtype) if value.ndim else float(value)
            check_outputs(logits, own["y"])
            loss = partial(find_loss(self.rules.loss), logits, **options)
            losses, weights = alter_losses(loss, own, self.rules.uses)
            objective = losses.sum() / weights.sum()
            # Not a penalty of zero: it would give gradients to parameters that have none.
            if "l1" in self.rules.uses and arrays["hyper/l1"][row] > 0:
                trained = {n: p for n, p in self.module.named_parameters() if p.requires_grad}
                stacked = {n: p.unsqueeze(0) for n, p in trained.items()}
                objective = objective + l1_penalty(stacked, arrays["hyper/l1"][row : row + 1])[0]
            objective.backward()  # type: ignore[no-untyped-call]
        return losses.detach().sum(), weights.sum()


def loop_forward(
    module: nn.Module, arrays: Mapping[str, Tensor], x: Tensor, *, shared: bool
) -> Tensor:
    """Return every row's outputs in evaluation mode, ``(members, batch, ...)``.

    Args:
        module: A module of the rows' signature; its own numbers are overwritten.
        arrays: The arrays of a stack.
        x: Inputs ``(members, batch, ...)``, or ``(batch, ...)`` if ``shared``.
        shared: Whether all rows see the same inputs.
    """
    module.eval()
    outs = []
    with torch.no_grad():
        for row in range(len(arrays["steps"])):
            load_row(module, arrays, row)
            outs.append(module(x if shared else x[row]))
    return torch.stack(outs)


def load_row(module: nn.Module, arrays: Mapping[str, Tensor], row: int) -> None:
    """Copy a row's parameters, buffers and numbers into a module."""
    with torch.no_grad():
        for name, tensor in [*module.named_parameters(), *module.named_buffers()]:
            tensor.copy_(arrays[f"model/{name}"][row])
    for name, values in named(arrays, "number/").items():
        path, _, attribute = name.rpartition(".")
        setattr(module.get_submodule(path), attribute, float(values[row]))
