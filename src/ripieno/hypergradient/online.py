"""A learning rate that tunes itself in a training loop of the user's own."""

from collections.abc import Sequence
from typing import Any, Literal

import torch
from torch import Tensor

from ripieno.errors import HypergradientError
from ripieno.recipes import RateRule

__all__ = ["OnlineLearningRate"]

_Old = dict[int, Tensor]
"""Parameters as they were before the last step, by their place in a group."""


class OnlineLearningRate:
    """Takes the steps of an optimizer, and tunes the learning rate of each of its groups.

    Call :meth:`step` in the place of ``optimizer.step``::

        online = OnlineLearningRate(optimizer)
        for x, y in batches:
            optimizer.zero_grad()
            loss = loss_function(model(x), y)
            loss.backward()
            online.step(loss)

    What the last step did is measured, as the difference of the parameters, so that any
    optimizer will do; it costs memory for one copy of them. A schedule may still scale the rate.

    Args:
        optimizer: Any optimizer of torch.
        form: ``"cosine"``, which is free of units, or ``"additive"``.
        strength: How fast the rate follows; None for 0.1 (cosine) and 1e-3 (additive).
        cliff: A loss of more than this many times the first one undoes the step before it, where
            the gradient says that the step is to blame.
        lowest: The rate is never below.
        highest: The rate is never above.

    Raises:
        HypergradientError: A value is not allowed.
    """

    def __init__(
        self,
        optimizer: torch.optim.Optimizer,
        *,
        form: Literal["cosine", "additive"] = "cosine",
        strength: float | None = None,
        cliff: float = 1.2,
        lowest: float = 1e-8,
        highest: float = 1e3,
    ) -> None:
        self.optimizer = optimizer
        self.rule = RateRule(form, strength, cliff, lowest, highest)
        self._old: list[_Old] = [{} for _ in optimizer.param_groups]
        self._rates = self.rates
        self._first: float | None = None

    @property
    def rates(self) -> list[float]:
        """The learning rate of each group of parameters."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    @torch.no_grad()
    def step(self, loss: Tensor | float | None = None) -> bool:
        """Tune the learning rates by the gradients that are there, and take a step.

        Args:
            loss: What was differentiated. With it, a step that fell off a cliff is undone, and
                none is taken; without it there is no such guard.

        Returns:
            Whether a step was taken.
        """
        groups = self.optimizer.param_groups
        self._old += [{} for _ in groups[len(self._old) :]]
        sums = [_sums(group, old) for group, old in zip(groups, self._old, strict=True)]
        if loss is not None and self._has_fallen(float(loss), sums):
            self._undo()
            return False
        for group, own, rate in zip(groups, sums, self._padded_rates(), strict=True):
            self._tune(group, own, rate)
        self._old = [
            {i: p.clone() for i, p in enumerate(group["params"]) if p.grad is not None}
            for group in groups
        ]
        self._rates = self.rates
        self.optimizer.step()
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return what a training that goes on needs beside the state of the optimizer."""
        return {"old": [dict(g) for g in self._old], "rates": self._rates, "first": self._first}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned.

        Raises:
            HypergradientError: It is that of another optimizer.
        """
        groups = self.optimizer.param_groups
        fits = len(state["old"]) == len(groups) and all(
            index < len(group["params"]) and group["params"][index].shape == tensor.shape
            for group, old in zip(groups, state["old"], strict=False)
            for index, tensor in old.items()
        )
        if not fits:
            raise HypergradientError(
                "the state does not fit the parameters of the optimizer.",
                where="OnlineLearningRate.load_state_dict",
                fix="load the state of the same model and of the same groups of parameters.",
            )
        self._old = [{i: t.clone() for i, t in group.items()} for group in state["old"]]
        self._rates, self._first = list(state["rates"]), state["first"]

    def _has_fallen(self, loss: float, sums: Sequence[Tensor | None]) -> bool:
        if self._first is None:
            self._first = loss
        steps = [own[0] for own in sums if own is not None]
        if not steps:
            return False
        now, first = (torch.tensor(each, dtype=torch.float64) for each in (loss, self._first))
        return bool(self.rule.fallen(now, first, rise=-torch.stack(steps).sum()))

    def _undo(self) -> None:
        for group, old in zip(self.optimizer.param_groups, self._old, strict=True):
            for index, tensor in old.items():
                group["params"][index].copy_(tensor)
            _set(group, self.rule.cut(torch.tensor(float(group["lr"]), dtype=torch.float64)))

    def _padded_rates(self) -> list[float]:
        return [*self._rates, *self.rates[len(self._rates) :]]

    def _tune(self, group: dict[str, Any], sums: Tensor | None, rate: float) -> None:
        """Let a group's rate follow, where there was a step before."""
        if sums is None:
            return
        product, ours, theirs = sums
        now = torch.tensor(float(group["lr"]), dtype=torch.float64)
        new = self.rule.next(now, product=product / rate, lengths=(ours * theirs).sqrt() / rate)
        _set(group, new)


def _sums(group: dict[str, Any], old: _Old) -> Tensor | None:
    """Return ``g.d``, ``|g|^2`` and ``|d|^2`` over a group, where ``d`` undoes its last step."""
    params = group["params"]
    pairs = [(params[i].grad, was - params[i]) for i, was in old.items()]
    found = [
        torch.stack([g.mul(d).sum(), g.square().sum(), d.square().sum()])
        for g, d in pairs
        if g is not None
    ]
    return torch.stack(found).sum(0).double().cpu() if found else None


def _set(group: dict[str, Any], rate: Tensor) -> None:
    if isinstance(group["lr"], Tensor):
        group["lr"].copy_(rate)
    else:
        group["lr"] = float(rate)
