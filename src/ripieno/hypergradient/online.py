"""A learning rate that tunes itself in a training loop of the user's own."""

from typing import Any, Literal

import torch
from torch import Tensor

from ripieno.errors import HypergradientError
from ripieno.hypergradient.rates import RateRule

__all__ = ["OnlineLearningRate"]


class OnlineLearningRate:
    """Takes the steps of an optimizer, and tunes the learning rate of each of its groups.

    Call :meth:`step` in the place of ``optimizer.step``::

        online = OnlineLearningRate(optimizer)
        for x, y in batches:
            optimizer.zero_grad()
            loss_function(model(x), y).backward()
            online.step()

    What the last step did is measured, as the difference of the parameters, so that any
    optimizer will do; it costs memory for one copy of them. A schedule may still scale the rate.

    Args:
        optimizer: Any optimizer of torch.
        form: ``"cosine"``, which is free of units, or ``"additive"``.
        strength: How fast the rate follows; None for 0.05 (cosine) and 1e-3 (additive).
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
        lowest: float = 1e-8,
        highest: float = 1e3,
    ) -> None:
        self.optimizer = optimizer
        self.rule = RateRule(form, strength, lowest, highest)
        self._directions: list[dict[int, Tensor]] = [{} for _ in optimizer.param_groups]

    @property
    def rates(self) -> list[float]:
        """The learning rate of each group of parameters."""
        return [float(group["lr"]) for group in self.optimizer.param_groups]

    @torch.no_grad()
    def step(self) -> None:
        """Tune the learning rates by the gradients that are there, and take a step."""
        groups = self.optimizer.param_groups
        self._directions += [{} for _ in groups[len(self._directions) :]]
        for group, directions in zip(groups, self._directions, strict=True):
            self._tune(group, directions)
        before = [
            {i: p.clone() for i, p in enumerate(group["params"]) if p.grad is not None}
            for group in groups
        ]
        self.optimizer.step()
        for number, (group, old) in enumerate(zip(groups, before, strict=True)):
            rate = float(group["lr"])
            self._directions[number] = {
                i: was.sub_(group["params"][i]).div_(rate) for i, was in old.items()
            }

    def state_dict(self) -> dict[str, Any]:
        """Return what a training that goes on needs beside the state of the optimizer."""
        return {"directions": [dict(group) for group in self._directions]}

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned.

        Raises:
            HypergradientError: It is that of another optimizer.
        """
        found = state["directions"]
        groups = self.optimizer.param_groups
        fits = len(found) == len(groups) and all(
            index < len(group["params"]) and group["params"][index].shape == direction.shape
            for group, directions in zip(groups, found, strict=False)
            for index, direction in directions.items()
        )
        if not fits:
            raise HypergradientError(
                "the state does not fit the parameters of the optimizer.",
                where="OnlineLearningRate.load_state_dict",
                fix="load the state of the same model and of the same groups of parameters.",
            )
        self._directions = [{i: t.clone() for i, t in group.items()} for group in found]

    def _tune(self, group: dict[str, Any], directions: dict[int, Tensor]) -> None:
        pairs = [
            (group["params"][index].grad, direction)
            for index, direction in directions.items()
            if group["params"][index].grad is not None
        ]
        if not pairs:
            return
        sums = [(g.mul(u).sum(), g.square().sum(), u.square().sum()) for g, u in pairs]
        product, ours, theirs = (torch.stack(each).sum().double() for each in zip(*sums, strict=True))
        rate = torch.as_tensor(group["lr"], dtype=torch.float64, device=product.device)
        new = self.rule.next(rate, product=product, lengths=(ours * theirs).sqrt())
        if isinstance(group["lr"], Tensor):
            group["lr"].copy_(new)
        else:
            group["lr"] = float(new)
