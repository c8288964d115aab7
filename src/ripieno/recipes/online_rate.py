"""Learning rates that tune themselves while a recipe's models train; see ``rates``.

The config's learning rate is where one begins, and the schedule goes on scaling it. What has to
be known of the last step is kept with the optimizer's own state, so that a trial that is stored
goes on bit for bit: ``online_previous``, each parameter before that step, and for each row

===============  ==============================================================================
online_factor    what the config's learning rate is multiplied by
online_rate      the learning rate of the last step, as the schedule scaled it; 0: none was taken
online_first     the mean loss of the first batch; NaN before it
===============  ==============================================================================

A step that fell off the cliff is undone: its batch trains nothing, and counts with the loss of
the cliff's edge.
"""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import torch
from torch import Tensor

from ripieno.errors import RecipeError
from ripieno.recipes.knobs import Knobs
from ripieno.recipes.rate_free import RATE_FREE
from ripieno.recipes.rates import RateRule

__all__ = ["ONLINE", "PREVIOUS", "OnlineRate", "along_steps", "next_rates", "rate_rule"]

PREVIOUS = "online_previous"
"""What is kept for each parameter."""

ONLINE: Mapping[str, float] = MappingProxyType(
    {"online_factor": 1.0, "online_rate": 0.0, "online_first": float("nan")}
)
"""What is kept for each row, float64, and its first value."""


def rate_rule(knobs: Knobs) -> RateRule | None:
    """Return how the learning rate follows; None where it does not.

    Raises:
        RecipeError: The optimizer finds a rate of its own, or the knobs do not fit.
    """
    forms = {"lr", "lr_additive"} & set(knobs.hypergradient.split("+"))
    if not forms:
        return None
    strength = knobs.hypergradient_strength
    too_fast = forms == {"lr"} and strength is not None and strength >= 1
    if len(forms) > 1 or knobs.optimizer in RATE_FREE or too_fast:
        raise RecipeError(
            f"the learning rate of {knobs.optimizer!r} cannot tune itself with hypergradient = "
            f"{knobs.hypergradient!r}, hypergradient_strength = {strength}.",
            where="the training hyperparameter 'hypergradient'",
            fix="name one of lr (with a strength below 1) and lr_additive, and an optimizer that "
            "finds no rate of its own.",
        )
    return RateRule("additive" if forms == {"lr_additive"} else "cosine", strength)


def along_steps(
    gradients: Sequence[Tensor], parameters: Sequence[Tensor], previous: Sequence[Tensor]
) -> tuple[Tensor, Tensor]:
    """Return ``g.d`` and ``|g| |d|`` of each row, float64, ``(members,)``.

    Args:
        gradients: ``g``, each ``(members, ...)``.
        parameters: Where they are.
        previous: The same before the last step, which did ``d = previous - parameters``.
    """
    sums = torch.zeros(3, len(gradients[0]), dtype=torch.float64, device=gradients[0].device)
    for g, p, was in zip(gradients, parameters, previous, strict=True):
        d = was - p
        pairs = ((g, d), (g, g), (d, d))
        sums += torch.stack([(a * b).reshape(len(g), -1).sum(1) for a, b in pairs]).double()
    return sums[0], (sums[1] * sums[2]).sqrt()


def next_rates(
    rule: RateRule,
    kept: Mapping[str, Tensor],
    *,
    losses: Tensor,
    lr: Tensor,
    scheduled: Tensor,
    found: tuple[Tensor, Tensor],
) -> tuple[dict[str, Tensor], Tensor]:
    """Return what is kept after a batch, and which rows fell off the cliff: bool, ``(members,)``.

    Args:
        rule: How rates follow.
        kept: What was kept before, by the names of :data:`ONLINE`.
        losses: Mean losses of the batch, float64, ``(members,)``.
        lr: Learning rates of the configs.
        scheduled: The same as the schedule scales them for this step.
        found: Of :func:`along_steps`.
    """
    begun = ~torch.isnan(kept["online_first"])
    first = torch.where(begun, kept["online_first"], losses)
    fallen = begun & rule.fallen(losses, first, rise=-found[0])
    now, last = lr * kept["online_factor"], kept["online_rate"]
    # Before the first step the last rate is zero: nothing is finite then, and nothing moves.
    new = rule.next(now, product=found[0] / last, lengths=found[1] / last)
    factor = torch.where(fallen, rule.cut(now), new) / lr
    after = {"online_factor": factor, "online_rate": scheduled * factor, "online_first": first}
    return after, fallen


class OnlineRate:
    """The learning rate of one model, which tunes itself.

    Args:
        rule: How it follows.
        optimizer: What trains the model; a stored state is loaded already.
        lr: The config's learning rate.
    """

    def __init__(self, rule: RateRule, optimizer: torch.optim.Optimizer, *, lr: float) -> None:
        self._rule, self._optimizer, self._lr = rule, optimizer, lr
        self._old: list[tuple[Tensor, Tensor]] = []
        states = [own for own in optimizer.state.values() if PREVIOUS in own]
        self._kept = {
            name: states[0][name].reshape(1).cpu() if states else torch.tensor([first]).double()
            for name, first in ONLINE.items()
        }

    @property
    def factor(self) -> float:
        """What the config's learning rate is multiplied by now."""
        return float(self._kept["online_factor"])

    @property
    def rate(self) -> float:
        """The learning rate of the last step, as the schedule scaled it."""
        return float(self._kept["online_rate"])

    @property
    def edge(self) -> float:
        """The largest mean loss that is not beyond the cliff."""
        return float(self._rule.edge(self._kept["online_first"]))

    @torch.no_grad()
    def follow(self, loss: float, *, scheduled: float) -> bool:
        """Let the rate follow the gradients that are there; or undo the last step.

        Args:
            loss: The mean loss of the batch.
            scheduled: The config's learning rate as the schedule scales it for this step.

        Returns:
            Whether a step is to be taken; if not, the parameters are those before the last one.
        """
        state = self._optimizer.state
        trained = [p for p in self._parameters() if p.grad is not None]
        previous = [state.get(p, {}).get(PREVIOUS, p) for p in trained]
        grads = [p.grad for p in trained if p.grad is not None]
        rows = [[t.unsqueeze(0) for t in each] for each in (grads, trained, previous)]
        product, lengths = along_steps(*rows)
        self._kept, fallen = next_rates(
            self._rule,
            self._kept,
            losses=_one(loss),
            lr=_one(self._lr),
            scheduled=_one(scheduled),
            found=(product.cpu(), lengths.cpu()),
        )
        if not bool(fallen):
            kept = [p for p in self._parameters() if p.grad is not None or p in state]
            self._old = [(p, p.detach().clone()) for p in kept]
            return True
        for p, own in state.items():
            if PREVIOUS in own:
                p.copy_(own[PREVIOUS])
                own.update(self._numbers)
        return False

    def remember(self) -> None:
        """Keep what was before the optimizer's step, which has just been taken.

        Not before it: an optimizer begins where it finds no state.
        """
        for p, was in self._old:
            self._optimizer.state[p].update({PREVIOUS: was, **self._numbers})
        self._old = []

    @property
    def _numbers(self) -> dict[str, Tensor]:
        return {name: value[0] for name, value in self._kept.items()}

    def _parameters(self) -> list[Tensor]:
        return [p for group in self._optimizer.param_groups for p in group["params"]]


def _one(number: float) -> Tensor:
    return torch.tensor([number], dtype=torch.float64)
