"""What the searcher ``"auto"`` stands for: a choice by budget, dimension and kind of space."""

from dataclasses import dataclass

from ripieno.space import Categorical, Space

__all__ = ["Choice", "choose_searcher"]

_FEW_TRIALS = 10
_DEAR_TRIALS = 300
"""More of them take the Gaussian process minutes, and again when a study is resumed."""
_FEW_DIMS = 20
_MANY_TRIALS = 1_000
_MANY_DIMS = 100


@dataclass(frozen=True, slots=True)
class Choice:
    """A searcher that was chosen.

    Args:
        name: As :func:`make_searcher` knows it.
        reason: Why, as the end of a sentence.
    """

    name: str
    reason: str


def choose_searcher(space: Space, *, trials: int | None) -> Choice:
    """Choose a searcher for a space.

    Args:
        space: What is searched.
        trials: Configs that will be tried at most; None where it is not known.
    """
    budget = "an unknown number of trials" if trials is None else f"{trials:,} trials"
    kind = f"{budget}, {_say(space.dims)}"
    if trials is None:
        return Choice("treeparzen", f"{kind}: quick however many there will be")
    if space.size <= trials:
        return Choice("grid", f"{budget} are enough for all {int(space.size):,} configs")
    if trials <= _FEW_TRIALS:
        return Choice("sobol", f"{budget} are too few to learn from, but can be spread evenly")
    if trials <= _DEAR_TRIALS and space.dims <= _FEW_DIMS:
        return Choice("gaussianprocess", f"{kind}: few enough to model all of them together")
    numeric = not any(isinstance(space[name], Categorical) for name in space.searched)
    if trials >= _MANY_TRIALS and numeric and space.dims <= _MANY_DIMS:
        return Choice("cmaes", f"{kind}, all of them numbers: enough to learn how they interact")
    return Choice("treeparzen", f"{kind}: quick, and at home in conditional and mixed spaces")


def _say(dims: int) -> str:
    return "1 hyperparameter" if dims == 1 else f"{dims} hyperparameters"
