"""Hyperparameters that are tuned on validation data while a model trains.

Every few steps of training one hypergradient is taken where the parameters are, and the
hyperparameters take a step of Adam in the space in which they are free. Parameters and
hyperparameters settle together: one training instead of a search of many.

Source: Lorraine, Vicol and Duvenaud, "Optimizing millions of hyperparameters by implicit
differentiation", AISTATS 2020, Algorithm 1.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from ripieno.errors import HypergradientError
from ripieno.hypergradient.call import check, find_method
from ripieno.hypergradient.problem import Answer, Method, Problem
from ripieno.hypergradient.trees import Loss, Tensors
from ripieno.hypergradient.tunables import Tunable

__all__ = ["Bilevel"]


class Bilevel:
    """Hyperparameters, and the steps that they take; for a training loop of the user's own.

    ::

        tuner = Bilevel({"weight_decay": Positive(1e-4)}, every=10)
        for x, y in batches:
            params = dict(model.named_parameters())
            optimizer.zero_grad()
            train_loss(params, tuner.values).backward()
            optimizer.step()
            tuner.step(train_loss, validation_loss, params)

    Where the losses are of the rows of a stack, ``(members,)``, every row tunes its own. A row
    whose hypergradient is not finite, or whose series diverges, keeps what it has, and counts
    it in :attr:`skipped`; the others go on.

    Args:
        hyper: What is tuned, by the names that the losses read.
        method: How; see :func:`~ripieno.hypergradient.hypergradient`.
        every: Calls of :meth:`step` for one step of the hyperparameters.
        lr: Size of their steps in free space: 0.05 is five percent of a positive one.
        warmup: Calls before the first step: what a new network says means little.
        **options: Fields of the method that is named.

    Raises:
        HypergradientError: There is nothing to tune, or a value is not allowed.
    """

    def __init__(
        self,
        hyper: Mapping[str, Tunable],
        *,
        method: str | Method = "implicit",
        every: int = 1,
        lr: float = 0.05,
        warmup: int = 0,
        **options: Any,
    ) -> None:
        if not hyper or every < 1 or not lr > 0 or warmup < 0:
            raise HypergradientError(
                f"{len(hyper)} hyperparameters, every = {every}, lr = {lr}, warmup = {warmup} "
                "cannot be.",
                where="Bilevel(…)",
                fix="name at least one hyperparameter, and take every >= 1, lr > 0, warmup >= 0.",
            )
        self.hyper = dict(hyper)
        self.method = find_method(method, options)
        self.every, self.warmup = every, warmup
        self.skipped = 0
        """Hypergradients that were of no use, rows counted one by one."""
        self._calls = 0
        self._checked = False
        begun = {n: t.to_free(t.first).detach().clone() for n, t in self.hyper.items()}
        self._free = {name: free.requires_grad_() for name, free in begun.items()}
        self._optimizer = torch.optim.Adam(list(self._free.values()), lr=lr, foreach=False)

    @property
    def values(self) -> dict[str, Tensor]:
        """The hyperparameters as they are now; they carry no graph."""
        return {n: t.from_free(self._free[n].detach().clone()) for n, t in self.hyper.items()}

    def step(self, train_loss: Loss, validation_loss: Loss, params: Tensors) -> bool:
        """Count a step of training, and move the hyperparameters if it is their turn.

        Args:
            train_loss: Of ``(params, hyper)``, on the batch of this step.
            validation_loss: Of ``(params, hyper)``, on validation data.
            params: The parameters; left unchanged.

        Returns:
            Whether they have moved.

        Raises:
            HypergradientError: A hyperparameter cannot be tuned in this way.
        """
        self._calls += 1
        if self._calls <= self.warmup or (self._calls - self.warmup) % self.every:
            return False
        own = {name: tensor.detach() for name, tensor in params.items()}
        problem = Problem(train_loss, validation_loss, own, self.values)
        if not self._checked:
            check(problem, finite=False)
            self._checked = True
        self._move(self.method.answer(problem))
        return True

    def state_dict(self) -> dict[str, Any]:
        """Return what a tuning that goes on needs."""
        free = {name: tensor.detach().clone() for name, tensor in self._free.items()}
        return {
            "free": free,
            "optimizer": self._optimizer.state_dict(),
            "calls": self._calls,
            "skipped": self.skipped,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Take over what :meth:`state_dict` returned."""
        with torch.no_grad():
            for name, tensor in self._free.items():
                tensor.copy_(state["free"][name])
        self._optimizer.load_state_dict(state["optimizer"])
        self._calls, self.skipped = state["calls"], state["skipped"]

    def _move(self, answer: Answer) -> None:
        useless, found = answer.diverged, {}
        for name, tunable in self.hyper.items():
            free = self._free[name].detach().requires_grad_()
            slope = torch.autograd.grad(tunable.from_free(free), free, answer.gradients[name])[0]
            finite = torch.isfinite(slope).view(*useless.shape, -1).all(-1)
            useless, found[name] = useless | ~finite.to(useless.device), slope
        self.skipped += int(useless.sum())
        before = {name: free.detach().clone() for name, free in self._free.items()}
        for name, free in self._free.items():
            free.grad = torch.where(_beside(useless, free), 0.0, found[name])
        self._optimizer.step()
        with torch.no_grad():
            for name, free in self._free.items():
                free.copy_(torch.where(_beside(useless, free), before[name], free))
                free.grad = None


def _beside(rows: Tensor, like: Tensor) -> Tensor:
    return rows.to(like.device)[(..., *[None] * (like.ndim - rows.ndim))]
