"""How a stack is computed, and why; or why its rows are no stack."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Literal, get_args

from ripieno.recipes import raise_out_of_memory

__all__ = [
    "TIERS",
    "Choice",
    "RatherAloneError",
    "Tier",
    "rather_alone",
    "recorded_before",
    "tier_of",
    "words_of",
]

Tier = Literal["compiled", "traced", "leaves", "vmap", "loop", "alone"]
TIERS: tuple[Tier, ...] = get_args(Tier)[:-1]
"""The ways to compute a stack, the best first."""


class RatherAloneError(Exception):
    """The models are trained faster, or more rightly, one by one."""


_HEAVY_SECONDS = 4e-3
"""A step of one row below which the trainer's own calls cost more than a stack can."""
_GAIN = 0.95
"""What the trainer must need at most of the time of a stack, to be taken instead."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Which tier, and why.

    Args:
        tier: The tier.
        reason: Why not a higher one, in words.
        seconds: Seconds a step for each tier that was timed.
        lasting: Whether it holds for other amounts of work too.
    """

    tier: Tier
    reason: str
    seconds: Mapping[str, float] = field(default_factory=dict)
    lasting: bool = True

    def __str__(self) -> str:
        timed = ", ".join(f"{tier} {1e3 * s:.2f} ms" for tier, s in self.seconds.items())
        return f"{self.tier}: {self.reason}" + (f" ({timed} a step)" if timed else "")


def rather_alone(choice: Choice, *, members: int, alone: Callable[[], float]) -> Choice:
    """Choose no stack where its models are so large that the one-model trainer is faster.

    A large model's steps leave nothing to be saved in calls, and a model that is trained
    alone stays in the cache from one step to the next.

    Args:
        choice: What was chosen for a stack, with the seconds of a step of its tier.
        members: Rows of the stack.
        alone: Times a step of one model in the trainer, in seconds.
    """
    together = choice.seconds.get(choice.tier, 0.0)
    if together < members * _HEAVY_SECONDS:
        return choice
    try:
        seconds = {**choice.seconds, "alone": members * alone()}
    except Exception as error:  # noqa: BLE001 - the step will raise what the user must see
        raise_out_of_memory(error)
        return choice
    if seconds["alone"] > _GAIN * together:
        return replace(choice, seconds=seconds)
    obstacle = choice.tier == "loop"
    return Choice("alone", choice.reason if obstacle else "it is faster than a stack", seconds)


def recorded_before(choice: Choice, steps_left: float, *, most: float) -> Choice | None:
    """Return what was chosen for little work before, now that the step is recorded.

    Args:
        choice: What was chosen last.
        steps_left: Steps to come.
        most: Seconds of work that are little; None is returned beyond.
    """
    if choice.lasting or steps_left * choice.seconds["leaves"] >= most:
        return None
    if choice.tier == "traced":
        return choice
    return replace(choice, tier="traced", reason="it was recorded before")


def tier_of(name: str) -> Tier:
    """Return a way to compute a stack by its name."""
    return next(tier for tier in TIERS if tier == name)


def words_of(error: Exception) -> str:
    """Return the beginning of what an error says, in one line."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{type(error).__name__}: {' '.join(lines[:2])}"[:200]
