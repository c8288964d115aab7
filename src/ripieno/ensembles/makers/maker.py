"""What every maker is: plain numbers, and one method that trains an ensemble."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from ripieno.ensembles.ensemble import Ensemble
from ripieno.errors import EnsembleError
from ripieno.recipes import Data, Recipe, complete
from ripieno.space import Config

__all__ = ["Configs", "Maker", "check", "configs_of", "ready"]

Configs = Config | Sequence[Config]
"""One config for all members, or several that the members take in turn."""


@runtime_checkable
class Maker(Protocol):
    """Trains members so that together they are better than any of them.

    A maker is a frozen dataclass of plain numbers (how many members, which share of the rows,
    how long a cycle), so that they can be searched like any others, and one method.
    """

    def make(self, recipe: Recipe, data: Data, configs: Configs, *, seed: int = 0) -> Ensemble:
        """Return a trained ensemble.

        Args:
            recipe: How members are trained.
            data: Members are trained on its training part; whatever is chosen is chosen on
                its validation part. The test part is not looked at.
            configs: Of the members.
            seed: Everything that is drawn depends on it and on the data alone.
        """


def check(maker: object, **conditions: bool) -> None:
    """Refuse numbers that a maker cannot work with.

    Args:
        maker: The maker, whose class and arguments are named.
        conditions: For each argument whether it is right.

    Raises:
        EnsembleError: One of them is false.
    """
    for name, right in conditions.items():
        if not right:
            raise EnsembleError(
                f"{name} = {getattr(maker, name)!r} makes no ensemble.",
                where=type(maker).__qualname__,
                fix=f"see help({type(maker).__qualname__}) for what {name} may be.",
            )


def configs_of(configs: Configs, members: int) -> list[Config]:
    """Return one config a member: those that are given, in turn.

    Raises:
        EnsembleError: There is none.
    """
    given = [configs] if isinstance(configs, Config) else list(configs)
    if not given:
        raise EnsembleError(
            "there is no config to train.",
            where="make(recipe, data, configs)",
            fix="pass rp.Config({…}), or a sequence of them.",
        )
    return [given[member % len(given)] for member in range(members)]


def ready(recipe: Recipe, data: Data, *, streams: bool = True) -> Recipe:
    """Return the recipe, completed for data that members can be trained on.

    Args:
        recipe: The recipe.
        data: The data.
        streams: Whether rows may be read batch by batch.

    Raises:
        EnsembleError: The data are folds, or a stream where rows must be at hand.
        RecipeError: The recipe is for another task.
    """
    if len(data.parts) > 1 or (data.streamed and not streams):
        kind = "a stream" if data.streamed else f"{len(data.parts)} folds"
        raise EnsembleError(
            f"{data.name!r} is {kind}, on which this maker does not train.",
            where="make(recipe, data, configs)",
            fix="load the data into memory with folds=1.",
        )
    return complete(recipe, data)
