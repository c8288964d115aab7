"""One bracket: trials enter its lowest rung, and at each rung the best go on."""

from ripieno.records import Merit, ranked
from ripieno.schedulers.rungs import Plan, sizes

__all__ = ["Bracket"]


class Bracket:
    """Successive halving over one set of trials, which knows numbers and no orders.

    A rung is decided when all of its trials have told what they gave, so the decision does
    not depend on the order in which they did.

    Args:
        plan: How many trials enter, and the epochs of the rungs.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._sizes = list(plan.sizes)
        self._rung = 0
        self._members: list[int] = []
        self._results: dict[int, Merit | None] = {}

    @property
    def orders(self) -> int:
        """How many orders it gives in all, as far as is known now."""
        return sum(self._sizes)

    @property
    def places(self) -> int:
        """How many trials may enter it in all."""
        return self._sizes[0]

    @property
    def full(self) -> bool:
        """Whether no more trials may enter."""
        return self._rung > 0 or len(self._members) == self._sizes[0]

    @property
    def complete(self) -> bool:
        """Whether the present rung can be decided."""
        return len(self._results) == self._sizes[self._rung]

    @property
    def members(self) -> list[int]:
        """The trials of the present rung."""
        return self._members

    @property
    def epochs(self) -> int:
        """Epochs that the trials of the present rung are trained to."""
        return self._plan.levels[self._rung]

    def enter(self, trial: int) -> None:
        """Take a new trial into the lowest rung."""
        self._members.append(trial)

    def close(self) -> None:
        """Let no more trials enter: those that are in are all there will be."""
        entered = len(self._members)
        self._sizes = list(sizes(entered, rungs=len(self._sizes), eta=self._plan.eta))

    def tell(self, trial: int, merit: Merit | None) -> None:
        """Enter what a trial of the present rung counts for; None if it diverged or failed."""
        self._results[trial] = merit

    def decide(self) -> list[int]:
        """Go up to the next rung, and return the trials that are in it, best first.

        None are in it after the last rung, or when no trial is left that may go on.
        """
        best_first = ranked(self._results)
        above = slice(self._rung + 1, None)
        self._sizes[above] = [min(size, len(best_first)) for size in self._sizes[above]]
        if not self._sizes[above]:
            return []
        self._members = best_first[: self._sizes[self._rung + 1]]
        self._results = {}
        self._rung += 1
        return self._members
