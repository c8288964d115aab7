"""What a user's function is handed to say how its training goes."""

import contextlib
import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ripieno.errors import SearchError
from ripieno.records import Arrays, Metrics, Objective, Order, OutcomeStatus, say_epochs

__all__ = ["EndOfOrder", "Report"]


class EndOfOrder(BaseException):
    """Leaves a user's function from within ``report``; no ``except Exception`` catches it."""


class Report:
    """Takes the metrics of a function's epochs, and lets it go on where it stopped.

    Call it once an epoch: ``report(epoch=3, loss=0.5)``. It ends the function by itself
    when it need not go on: the last epoch of the order is there, the objective is not a
    finite number, or the study stops. ``with`` and ``finally`` blocks of the function run
    as usual, what stands behind the call does not.

    A scheduler may order more epochs of the same config later. A function that knows
    nothing of this is simply called again, and its rows for epochs that are known already
    are ignored. To go on instead, keep arrays and take them up again::

        def objective(config, report):
            saved = report.load()
            weights = saved["weights"] if saved else initial(config)
            for epoch in range(report.start, report.epochs):
                weights = train_one_epoch(weights, config)
                report.save(epoch=epoch + 1, weights=weights)
                report(epoch=epoch + 1, loss=measure(weights))

    Args:
        order: What is being carried out.
        metric: The name of the objective's metric; every row must hold it.
        also: Further metrics that every row must hold.
        saved: The arrays and the epoch of the state to start from, or None.
        stop: Says whether the study is stopping.
    """

    def __init__(
        self,
        order: Order,
        metric: str,
        *,
        also: Sequence[str] = (),
        saved: tuple[dict[str, NDArray[np.generic]], int] | None,
        stop: Callable[[], bool],
    ) -> None:
        self._order = order
        self._objective = Objective(metric)
        self._needed = (self._objective, *map(Objective, also))
        self._saved = saved
        self._stop = stop
        self._last: tuple[int, Metrics] | None = None
        self.rows: list[Metrics] = []
        """One row an epoch after ``order.start``, gaps filled."""
        self.kept: tuple[int, Arrays] | None = None
        """Epoch and arrays of the last :meth:`save`."""
        self.status: OutcomeStatus | None = None
        """How the order ended; None while it goes on."""
        self.error: str | None = None
        """Why it ended, where it did not end well."""

    @property
    def start(self) -> int:
        """Epochs that the arrays of :meth:`load` were trained for; 0 where it gives None."""
        return 0 if self._saved is None else self._saved[1]

    @property
    def epochs(self) -> int:
        """The epoch to reach: rows beyond it are not needed now."""
        return self._order.stop

    def load(self) -> dict[str, NDArray[np.generic]] | None:
        """Return the arrays of the last :meth:`save`, or None if there is nothing to go on from.

        For a trial that was forked from another one, these are the other one's arrays.
        """
        return None if self._saved is None else self._saved[0]

    def save(self, *, epoch: int, **arrays: Any) -> None:
        """Keep copies of arrays that training can go on from.

        Only the last ones are stored, once, when the order ends. Save before you report
        the same epoch: ``report`` may end the function.

        Args:
            epoch: Epochs that the arrays were trained for.
            arrays: Anything NumPy can read as numbers, tensors on the CPU among them.

        Raises:
            SearchError: A value is no array of numbers, or the epoch was not ordered.
        """
        if not 0 < epoch <= self.epochs:
            raise SearchError(
                f"epoch = {epoch} cannot be saved: the order ends at epoch {self.epochs}.",
                where="report.save",
                fix="give the number of epochs trained so far, counted from 1.",
            )
        copies = {name: np.array(value) for name, value in arrays.items()}
        for name, copy in copies.items():
            if copy.dtype.kind not in "biuf" or copy.dtype.itemsize > 8:
                raise SearchError(
                    f"{name!r} has dtype {copy.dtype}, which is not stored.",
                    where="report.save",
                    fix="save arrays of booleans, integers or floats of up to 64 bits.",
                )
        self.kept = (int(epoch), copies)

    def __call__(self, *, epoch: int | None = None, **metrics: Any) -> None:
        """Take the metrics of one epoch.

        Args:
            epoch: Its number, counted from 1; the next one where absent. Epochs that are
                left out take the row of the next one that is reported.
            metrics: Names and numbers, the objective's among them.

        Raises:
            SearchError: A value is no number, the objective's metric is missing, or the
                epochs do not ascend.
        """
        last = self.start if self._last is None else self._last[0]
        number = last + 1 if epoch is None else int(epoch)
        if number < 1 or (self._last is not None and number <= last):
            raise SearchError(
                f"epoch = {number} was reported after epoch {last}.",
                where="report",
                fix="report each epoch once, in ascending order, counted from 1.",
            )
        row = {name: _number(name, value) for name, value in metrics.items()}
        self._take(number, row)
        say_epochs(self._order.trial, len(self.rows))
        if self.status is None and number >= self._order.stop:
            self.status = OutcomeStatus.DONE
        if self.status is None and self._stop():
            self.status = OutcomeStatus.STOPPED
        if self.status is not None:
            raise EndOfOrder

    def finish(self, returned: object) -> None:
        """Take what the function returned as the metrics of its last epoch.

        Epochs that were never reported take this row too.

        Raises:
            SearchError: There is nothing to take, or it is no number.
        """
        if returned is None and self._last is None:
            raise SearchError(
                "the objective returned None and reported nothing.",
                where=f"trial {self._order.trial}",
                fix=f"return a number or a dictionary with {self._objective.metric!r}, "
                "or call report(epoch=…, …) once an epoch.",
            )
        row = dict(self._last[1]) if self._last is not None else {}
        if isinstance(returned, Mapping):
            row |= {str(name): _number(str(name), value) for name, value in returned.items()}
        elif returned is not None:
            row[self._objective.metric] = _number(self._objective.metric, returned)
        self._take(self._order.stop, row)
        self.status = self.status or OutcomeStatus.DONE

    def _take(self, epoch: int, row: Metrics) -> None:
        """Fill the rows up to an epoch; note whether the objective is still finite."""
        values = {each.metric: each.value(row) for each in self._needed}
        self._last = (epoch, row)
        first = self._order.start + len(self.rows) + 1
        if epoch < first:
            return
        endless = next((name for name, value in values.items() if not math.isfinite(value)), None)
        if endless is not None:
            self.status = OutcomeStatus.DIVERGED
            reached = min(epoch, self._order.stop)
            self.error = f"{endless} was {values[endless]} at epoch {reached}"
            self.rows.append(row)
            return
        self.rows += [row] * (min(epoch, self._order.stop) - first + 1)


def _number(name: str, value: Any) -> float:
    """Return a metric as a float; NumPy's and torch's scalars are numbers too."""
    # `float` reads texts too, and with a warning arrays of one element.
    if not isinstance(value, str | bytes) and getattr(value, "ndim", 0) == 0:
        with contextlib.suppress(TypeError, ValueError, OverflowError):
            return float(value)
    raise SearchError(
        f"the metric {name!r} is {_brief(value)}, which is not a number.",
        where="what the objective reported or returned",
        fix="give a real number; reduce an array to one (`loss.mean()`).",
    )


def _brief(value: object) -> str:
    text = repr(value)
    return f"a {type(value).__name__}" if len(text) > 40 else text
