"""An open rung where several objectives or limits count."""

from ripieno.records import Merit, ranked

__all__ = ["RankedRung"]


class RankedRung:
    """The results of one rung, of which the best ``1/eta`` of those told may go on.

    What a trial ranks as hangs on all the others, so the rung is ranked anew after each
    result: by fronts, and within a front by crowding.

    Args:
        eta: One trial in ``eta`` may go on.
    """

    def __init__(self, eta: int) -> None:
        self._eta = eta
        self._told: dict[int, Merit | None] = {}
        self._ranked: list[int] | None = []
        self._promoted: set[int] = set()

    @property
    def healthy(self) -> int:
        """How many trials of the rung neither diverged nor failed."""
        return len(self._best_first())

    def tell(self, trial: int, merit: Merit | None) -> None:
        """Enter what a trial counts for; None, which ranks last, if it diverged or failed."""
        self._told[trial] = merit
        self._ranked = None

    def promote(self) -> int | None:
        """Return the best trial that may go on and has not yet; None if there is none."""
        return self._first(self._best_first()[: len(self._told) // self._eta])

    def promote_anyway(self) -> int | None:
        """Return the best trial that has not gone on, however few there are to beat."""
        return self._first(self._best_first())

    def _first(self, candidates: list[int]) -> int | None:
        trial = next((each for each in candidates if each not in self._promoted), None)
        if trial is not None:
            self._promoted.add(trial)
        return trial

    def _best_first(self) -> list[int]:
        if self._ranked is None:
            self._ranked = ranked(self._told)
        return self._ranked
