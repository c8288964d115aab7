"""Bringing a scheduler to where a study ended."""

from collections.abc import Callable

from ripieno.errors import StudyError
from ripieno.ledger import Ledger
from ripieno.records import Change, Order, Outcome
from ripieno.schedulers import Scheduler

__all__ = ["replay"]


def replay(
    scheduler: Scheduler, ledger: Ledger, *, apply: Callable[[Change], None] | None = None
) -> None:
    """Let a new scheduler give and learn all that stands in the record.

    Afterwards it stands where the scheduler that wrote the record stood: orders are asked
    for one at a time, which gives the same ones (see :class:`ripieno.schedulers.Scheduler`).

    Args:
        scheduler: A fresh one.
        ledger: The record.
        apply: Changes the scheduler, or what it hangs on, as a user did in the middle of the
            study, at the place in the record where that was done.

    Raises:
        StudyError: It gives another order than the recorded one, or the study was changed
            and ``apply`` is absent.
    """
    for event in ledger.events():
        if isinstance(event, Outcome):
            scheduler.tell(event)
            continue
        if isinstance(event, Change):
            if event.freed:
                continue
            if apply is None:
                raise _unexpected()
            apply(event)
            continue
        asked = scheduler.ask(1)
        if asked != [event]:
            raise _disagreement(event, asked)


def _unexpected() -> StudyError:
    return StudyError(
        "the study was changed after it had begun, and this scheduler cannot be.",
        where="replay(scheduler, ledger)",
        fix="open the study with rp.open, or pass `apply`, which changes the scheduler.",
    )


def _disagreement(recorded: Order, asked: list[Order]) -> StudyError:
    return StudyError(
        "the record and the scheduler disagree: "
        f"the record has {_say(recorded)}, the scheduler gives "
        f"{_say(asked[0]) if asked else 'no order'}.",
        where=f"order for trial {recorded.trial}",
        fix="resume with the version of Ripieno and the space, searcher, scheduler and seed "
        "that the study was begun with, or begin a new study.",
    )


def _say(order: Order) -> str:
    fork = "" if order.parent is None else f" as a copy of trial {order.parent}"
    return f"trial {order.trial} from epoch {order.start} to {order.stop}{fork} with {order.config}"
