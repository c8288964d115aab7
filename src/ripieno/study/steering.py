"""A scheduler with its searcher, and how a study that has begun changes them."""

from dataclasses import dataclass

from ripieno.errors import StudyError
from ripieno.records import Change
from ripieno.schedulers import Extendable, Scheduler
from ripieno.searchers import Steered
from ripieno.space import Space

__all__ = ["Steering"]


@dataclass(frozen=True, slots=True)
class Steering:
    """A scheduler, and the searcher that it owns where that one can be steered.

    Args:
        scheduler: Who trains how long.
        searcher: Which config next; None inside of a scheduler of the user's own.
    """

    scheduler: Scheduler
    searcher: Steered | None

    def apply(self, change: Change) -> None:
        """Change both as a user has: the space first, then what is known, then what is next.

        Raises:
            StudyError: They cannot be changed like that.
        """
        if change.freed:
            return  # nothing that a search is made of
        if change.space is not None:
            self._steered.change_space(Space.from_json(change.space))
        if change.observed:
            self._steered.learn(change.observed)
        if change.enqueued:
            self._steered.enqueue(change.enqueued)
        if isinstance(self.scheduler, Extendable):
            self.scheduler.extend(change.trials)
        elif change.trials is not None:
            raise self._fixed("it starts no more trials than it was begun with")

    def check(self, change: Change, *, begun: bool) -> None:
        """Raise for a change that :meth:`apply` could not carry out, or that would do nothing.

        Args:
            change: The change.
            begun: Whether the study has given orders.

        Raises:
            StudyError: The scheduler or the searcher cannot be changed like that.
        """
        if change.space is not None or change.observed or change.enqueued:
            _ = self._steered
        extendable = isinstance(self.scheduler, Extendable)
        if not extendable and (change.space is not None or change.trials is not None):
            raise self._fixed("its space and its number of trials stay what they were")
        if not extendable and change.enqueued and begun:
            raise self._fixed("it starts no trials from configs once it has begun")

    @property
    def _steered(self) -> Steered:
        if self.searcher is None:
            raise self._fixed("it is your own, and owns a searcher that is out of reach")
        return self.searcher

    def _fixed(self, why: str) -> StudyError:
        return StudyError(
            f"this study cannot be changed like that: {why}.",
            where=f"scheduler {type(self.scheduler).__name__}",
            fix="begin a new study, or use a scheduler by name (hyperband, asha, full, …).",
        )
