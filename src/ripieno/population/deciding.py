"""What decides whether models can be rows of one stack, and how a stack is computed."""

import difflib
from typing import Literal

from ripieno.errors import RecipeError
from ripieno.recipes import KNOBS
from ripieno.space import Space

__all__ = ["TierName", "check_tier", "deciding_names"]

TierName = Literal["auto", "compiled", "traced", "leaves", "vmap", "loop"]
_NAMES: tuple[TierName, ...] = ("auto", "compiled", "traced", "leaves", "vmap", "loop")

_COMMON_KNOBS = frozenset(
    {
        "optimizer",
        "nesterov",
        "decoupled_weight_decay",
        "batch_size",
        "loss",
        "hypergradient",
        "hypergradient_strength",
    }
)

_OWN_NUMBERS = ("dropout", "negative_slope")


def deciding_names(space: Space) -> frozenset[str]:
    """Return the hyperparameters in which the rows of a stack must agree.

    Those are the optimizer, the batch size, the loss and everything that the model factory
    reads, but for dropout rates and the slopes of leaky ReLUs, which rows take each for itself.
    """
    return frozenset(
        name
        for name in space
        if name in _COMMON_KNOBS
        or (name not in KNOBS and not any(own in name for own in _OWN_NUMBERS))
    )


def check_tier(name: str) -> TierName:
    """Return the name of a tier.

    Raises:
        RecipeError: There is no such tier.
    """
    for tier in _NAMES:
        if tier == name:
            return tier
    close = difflib.get_close_matches(name, _NAMES, n=1)
    raise RecipeError(
        f"there is no tier {name!r}.",
        where=f"tiers: {', '.join(_NAMES)}",
        fix=f"did you mean {close[0]!r}?" if close else "name one of these.",
    )
