"""The runner of any Python function."""

import inspect
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ripieno.errors import StudyError
from ripieno.executors.report import EndOfOrder, Report
from ripieno.records import ArtifactStore, Config, Order, Outcome, OutcomeStatus

__all__ = ["ObjectiveRunner"]

_FRAMES = 5
_PACKAGE = Path(__file__).parents[1]


@dataclass(frozen=True, slots=True)
class ObjectiveRunner:
    """Carries orders out by calling a function of the user's.

    The function is called as ``objective(config)`` or ``objective(config, report)``,
    whichever its signature asks for, and returns a number, a dictionary of metrics for the
    last epoch, or None if it reported its epochs through :class:`Report`. What it returns
    stands for every epoch of the order that it did not report; a function that reports
    nothing should read ``report.epochs`` if more epochs are to mean more training.

    An exception of the function becomes a ``failed`` outcome with the end of its
    traceback, an objective that is not finite a ``diverged`` one. ``KeyboardInterrupt``
    is not caught.

    Args:
        objective: The function.
        metric: The name of the objective's metric; a number that is returned gets it.
        also: Further metrics that every row must hold, as a finite number like the first.

    Raises:
        StudyError: The objective cannot be called, or its signature fits neither call.
    """

    objective: Callable[..., object]
    metric: str
    also: tuple[str, ...] = ()
    _call: Callable[[Config, Report], object] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "_call", _caller(self.objective))

    @property
    def width(self) -> int:
        """One function call at a time."""
        return 1

    def group(self, order: Order) -> str:  # noqa: ARG002 - all orders are alike to a function
        """All orders are of one group."""
        return "objective"

    def run(
        self, orders: Sequence[Order], artifacts: ArtifactStore, stop: Callable[[], bool]
    ) -> Iterator[Outcome]:
        """Call the function once an order; see :meth:`ripieno.records.Runner.run`."""
        for order in orders:
            yield self._carry_out(order, artifacts, stop)

    def _carry_out(
        self, order: Order, artifacts: ArtifactStore, stop: Callable[[], bool]
    ) -> Outcome:
        began = time.perf_counter()
        saved = _saved(order, artifacts)
        report = Report(order, self.metric, also=self.also, saved=saved, stop=stop)
        failure: str | None = None
        try:
            returned = self._call(order.config, report)
            # A function that swallowed the end of its order has nothing more to say.
            if report.status is None:
                report.finish(returned)
        except EndOfOrder:
            pass
        except (Exception, SystemExit) as error:  # noqa: BLE001 - user code may raise anything
            failure = _told(error)
        status = report.status or OutcomeStatus.FAILED
        going_on = status in {OutcomeStatus.DONE, OutcomeStatus.STOPPED}
        return Outcome(
            order,
            status,
            metrics=tuple(report.rows),
            seconds=time.perf_counter() - began,
            state=_keep(order, report, artifacts) if going_on else None,
            error=failure if status is OutcomeStatus.FAILED else report.error,
        )


def _saved(order: Order, artifacts: ArtifactStore) -> tuple[dict[str, Any], int] | None:
    """Read the state to start from; its epoch may lie before the order's."""
    if order.state is None:
        return None
    arrays, facts = artifacts.read(order.state)
    return arrays, int(facts["epoch"])


def _keep(order: Order, report: Report, artifacts: ArtifactStore) -> str | None:
    """Store what the function saved; without it, the state it started from stands."""
    if report.kept is None:
        return order.state
    epoch, arrays = report.kept
    name = f"trial-{order.trial}-epoch-{epoch}-state"
    return artifacts.write(name, arrays, {"trial": order.trial, "epoch": epoch})


def _caller(function: object) -> Callable[[Config, Report], object]:
    """Return the user's function as one of a config and a report."""
    if not callable(function):
        raise StudyError(
            f"the objective is {function!r}, which cannot be called.",
            where="ObjectiveRunner",
            fix="give a function: def objective(config, report): ….",
        )
    try:
        signature = inspect.signature(function)
    except ValueError:
        # A function written in C may not say what it takes.
        return lambda config, _report: function(config)
    if "report" in signature.parameters and _fits(signature, None, report=None):
        return lambda config, report: function(config, report=report)
    if _fits(signature, None):
        return lambda config, _report: function(config)
    if _fits(signature, None, None):
        return function
    raise StudyError(
        f"the objective cannot be called with a config: its signature is {signature}.",
        where=getattr(function, "__qualname__", repr(function)),
        fix="let it take a config, or a config and a report; "
        "bind everything else with functools.partial.",
    )


def _fits(signature: inspect.Signature, *positional: object, **named: object) -> bool:
    try:
        signature.bind(*positional, **named)
    except TypeError:
        return False
    return True


def _told(error: BaseException) -> str:
    """Say what was raised and where in the user's code, in a few lines."""
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if _PACKAGE not in Path(frame.filename).parents
    ]
    said = "".join(traceback.format_exception_only(error))
    return (said + "".join(traceback.format_list(frames[-_FRAMES:]))).rstrip()
