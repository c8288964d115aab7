"""What several models say about the same rows, checked once."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ripieno.ensembles.checks import FEWEST, bad_values, checked_targets
from ripieno.errors import EnsembleError
from ripieno.recipes import TASKS, TaskName

__all__ = ["Predictions"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Predictions:
    """The class probabilities, or other answers, of several models on the same rows.

    Everything is checked here, so that whoever combines predictions need not check again.
    The arrays are held as read-only views; the caller's own arrays stay writable.

    Args:
        probabilities: Each row's class probabilities by each member, float,
            shape ``(members, rows, classes)``; likewise the probabilities of labels, or the
            values that a regression predicts, ``(members, rows, columns)``.
        targets: Number of the true class of each row, int, shape ``(rows,)``; or labels, 0
            and 1, ``(rows, labels)``; or values, ``(rows, columns)``.
        ids: One name a member, no name twice.
        fingerprint: Which rows these are. Predictions with different fingerprints are of
            different rows and are never combined.
        task: ``classification``, ``multilabel`` or ``regression``.

    Raises:
        EnsembleError: The shapes do not match, a probability is negative or not finite, a
            row does not sum to 1 within 0.001, a name stands twice, or a target is not a class;
            a probability of a label is no share, or a value is not finite.
    """

    probabilities: NDArray[np.floating[Any]]
    targets: NDArray[Any]
    ids: tuple[str, ...]
    fingerprint: str
    task: TaskName = "classification"

    def __post_init__(self) -> None:
        object.__setattr__(self, "ids", tuple(self.ids))
        object.__setattr__(self, "probabilities", _probabilities(self.probabilities, self.task))
        targets = checked_targets(
            self.targets, task=self.task, rows=self.rows, outputs=self.classes
        )
        object.__setattr__(self, "targets", _locked(targets))
        _check_ids(self)
        _check_values(self)

    def __repr__(self) -> str:
        return (
            f"Predictions(members={self.members}, rows={self.rows}, "
            f"classes={self.classes}, fingerprint={self.fingerprint!r})"
        )

    @property
    def members(self) -> int:
        """How many models there are."""
        return int(self.probabilities.shape[0])

    @property
    def rows(self) -> int:
        """How many rows they were asked about."""
        return int(self.probabilities.shape[1])

    @property
    def classes(self) -> int:
        """How many classes, labels or columns of values there are."""
        return int(self.probabilities.shape[2])

    @classmethod
    def stack(cls, parts: Sequence[Self]) -> Self:
        """Join the members of several predictions on the same rows, in order.

        Raises:
            EnsembleError: The parts are of different rows, targets or classes, or share a name.
        """
        if not parts:
            raise EnsembleError(
                "there are no predictions to stack.",
                where="Predictions.stack([])",
                fix="pass the predictions of at least one model.",
            )
        first = parts[0]
        for part in parts[1:]:
            _check_same_rows(first, part)
        return cls(
            np.concatenate([part.probabilities for part in parts]),
            first.targets,
            tuple(name for part in parts for name in part.ids),
            first.fingerprint,
            first.task,
        )

    def subset(
        self, members: ArrayLike | None = None, *, rows: ArrayLike | None = None
    ) -> "Predictions":
        """Return the predictions of some members, on some rows.

        Args:
            members: Positions to keep, int or bool, in the order wanted; None keeps all.
            rows: Positions to keep, likewise. The fingerprint says which rows they are of,
                so predictions on different rows still cannot be stacked.

        Raises:
            EnsembleError: Nothing is left, or a member is asked for twice.
        """
        probabilities, targets, ids, fingerprint = (
            self.probabilities, self.targets, self.ids, self.fingerprint,
        )  # fmt: skip
        if members is not None:
            kept = np.arange(self.members)[np.asarray(members)]
            probabilities, ids = probabilities[kept], tuple(ids[i] for i in kept)
        if rows is not None:
            chosen = np.arange(self.rows)[np.asarray(rows)]
            probabilities, targets = probabilities[:, chosen], targets[chosen]
            fingerprint = f"{fingerprint}[{_digest(chosen)}]"
        return Predictions(probabilities, targets, ids, fingerprint, self.task)

    def mean(self, weights: ArrayLike) -> NDArray[np.float64]:
        """Return the weighted mean of the members' answers, ``(rows, classes)``.

        Args:
            weights: Shares of the members, shape ``(members,)``: finite, not negative, and
                of sum 1.

        Raises:
            EnsembleError: The weights are not shares of these members.
        """
        shares = _shares(weights, self.members)
        # A greedy selection leaves most members out: they need not be read.
        used = np.flatnonzero(shares)
        kept = self.probabilities[used].astype(np.float64, copy=False)
        return np.tensordot(shares[used], kept, axes=1)


def _probabilities(given: ArrayLike, task: TaskName) -> NDArray[np.floating[Any]]:
    if task not in TASKS:
        raise EnsembleError(
            f"there is no task {task!r}.",
            where="Predictions(…, task=…)",
            fix=f"use one of {', '.join(TASKS)}.",
        )
    array = np.asarray(given)
    # Half precision cannot hold a sum to 1 within the tolerance.
    kind = np.float32 if array.dtype == np.float32 else np.float64
    array = array.astype(kind, copy=False)
    fewest = FEWEST[task]
    if array.ndim != 3 or not array.size or array.shape[2] < fewest:
        raise EnsembleError(
            f"probabilities have the shape {array.shape}.",
            where="Predictions(probabilities, …)",
            fix="pass the shape (members, rows, classes) with at least one member, one row "
            f"and {'two classes' if fewest > 1 else 'one column'}; "
            "for one model write probabilities[None].",
        )
    return _locked(array)


def _locked(array: NDArray[Any]) -> NDArray[Any]:
    view = array.view()
    view.flags.writeable = False
    return view


def _check_ids(predictions: Predictions) -> None:
    ids = predictions.ids
    if len(ids) != predictions.members or not all(isinstance(name, str) for name in ids):
        raise EnsembleError(
            f"there are {len(ids)} ids for {predictions.members} members.",
            where=f"Predictions(…, ids={ids[:5]!r}…)" if len(ids) > 5 else f"ids={ids!r}",
            fix="name each member once, with a string.",
        )
    twice = next((name for i, name in enumerate(ids) if name in set(ids[:i])), None)
    if len(set(ids)) != len(ids):
        raise EnsembleError(
            f"the member {twice!r} stands twice.",
            where=repr(predictions),
            fix="give each model once; a weight says how much it counts.",
        )


def _check_values(predictions: Predictions) -> None:
    found = bad_values(predictions.probabilities, predictions.task)
    if found is None:
        return
    bad, what, fix = found
    member, row = (int(i) for i in np.argwhere(bad)[0])
    values = ", ".join(f"{p:.4g}" for p in predictions.probabilities[member, row, :4])
    more = ", …" if predictions.classes > 4 else ""
    raise EnsembleError(
        f"the member {predictions.ids[member]!r} {what}: row {row} is [{values}{more}].",
        where=f"{repr(predictions)[:-1]}, {int(bad.sum())} such rows of "
        f"{int(bad.any(axis=1).sum())} members)",
        fix=fix,
    )


def _check_same_rows(first: Predictions, part: Predictions) -> None:
    if part.fingerprint != first.fingerprint:
        problem = (
            f"{part.ids[0]!r} predicts other rows than {first.ids[0]!r}: "
            f"the fingerprint {part.fingerprint!r} is not {first.fingerprint!r}."
        )
    elif part.task != first.task:
        problem = f"{part.ids[0]!r} is of {part.task}, {first.ids[0]!r} of {first.task}."
    elif part.classes != first.classes:
        problem = f"{part.ids[0]!r} knows {part.classes} classes, {first.ids[0]!r} {first.classes}."
    elif not np.array_equal(part.targets, first.targets):
        problem = f"{part.ids[0]!r} and {first.ids[0]!r} hold different targets."
    else:
        return
    raise EnsembleError(
        problem,
        where="Predictions.stack",
        fix="combine only predictions on one split of one data set.",
    )


def _shares(weights: ArrayLike, members: int) -> NDArray[np.float64]:
    shares = np.asarray(weights, dtype=np.float64)
    if shares.shape != (members,) or not (np.isfinite(shares) & (shares >= 0)).all():
        problem = f"the weights {_short(shares)} are not one share for each of {members} members."
    elif abs(shares.sum() - 1) > 1e-6:
        problem = f"the weights {_short(shares)} sum to {shares.sum():.6g}, not to 1."
    else:
        return shares
    raise EnsembleError(
        problem,
        where="Predictions.mean(weights)",
        fix="pass finite weights that are not negative, divided by their sum.",
    )


def _short(array: NDArray[Any]) -> str:
    return np.array2string(array, threshold=8, edgeitems=3, precision=4).replace("\n", "")


def _digest(positions: NDArray[np.intp]) -> str:
    return hashlib.sha256(positions.astype(np.int64).tobytes()).hexdigest()[:8]
