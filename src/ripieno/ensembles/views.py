"""What the members of an ensemble read: rows, standardised by one preprocessing or several."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from ripieno.errors import EnsembleError
from ripieno.recipes import Preprocess, Split, Stream, Table

__all__ = ["as_preprocesses", "checked_reads", "checked_views", "standardised"]


def as_preprocesses(
    given: Preprocess | Sequence[Preprocess] | None,
) -> tuple[Preprocess, ...]:
    """Return one preprocessing, several or none as a tuple."""
    if given is None:
        return ()
    return (given,) if isinstance(given, Preprocess) else tuple(given)


def checked_reads(
    reads: Sequence[int] | None, members: int, preprocesses: Sequence[Preprocess]
) -> tuple[int, ...]:
    """Return the number of each member's preprocessing.

    Raises:
        EnsembleError: There is not one number a member, or one names no preprocessing.
    """
    if reads is None:
        return (0,) * members
    choices = range(max(1, len(preprocesses)))
    if len(reads) != members or any(number not in choices for number in reads):
        raise EnsembleError(
            f"reads = {list(reads)} does not name one of {len(preprocesses)} preprocessings for "
            f"each of {members} members.",
            where="Ensemble(…, preprocess=…, reads=…)",
            fix="give each member the number of its preprocessing, counted from 0.",
        )
    return tuple(reads)


def checked_views(
    views: tuple[Tensor, ...], preprocesses: Sequence[Preprocess]
) -> tuple[Tensor, ...]:
    """Return the tensors that members read, one a preprocessing.

    Raises:
        EnsembleError: There are fewer or more.
    """
    wanted = max(1, len(preprocesses))
    if len(views) != wanted:
        raise EnsembleError(
            f"{len(views)} {'tensor is' if len(views) == 1 else 'tensors are'} given to members "
            f"of {wanted} preprocessings.",
            where="Ensemble.forward",
            fix="pass the same rows standardised by each of `ensemble.preprocesses`, in order; "
            "or pass raw rows to predict_proba.",
        )
    return views


def standardised(
    x: ArrayLike | Split | Table, preprocesses: Sequence[Preprocess]
) -> tuple[NDArray[np.float32] | Stream, ...]:
    """Return rows as the members read them, one array a preprocessing.

    Args:
        x: Raw rows, or a split: of one preprocessing it is taken as it is.
        preprocesses: The members' preprocessings; none where they read raw rows.

    Raises:
        DataError: The rows have other features than those that were trained on.
        EnsembleError: A split has forgotten the raw rows that several preprocessings need.
    """
    if isinstance(x, Split) and len(preprocesses) < 2:
        return (x.x,)  # a stream too: it is sliced batch by batch, as an array is
    raw: Any = x.raw if isinstance(x, Split) else x
    if raw is None:
        raise EnsembleError(
            f"the split is standardised once, and the members read {len(preprocesses)} "
            "preprocessings.",
            where=repr(x),
            fix="pass raw rows, or the test part of the data that the search was given.",
        )
    views = [each.apply(raw) for each in preprocesses] or [np.asarray(raw)]
    try:
        return tuple(view.astype(np.float32, copy=False) for view in views)
    except (TypeError, ValueError) as error:
        raise EnsembleError(
            f"the members read numbers as they are: {error}.",
            where="an ensemble without a preprocessing",
            fix="pass rows of numbers, or an ensemble that was saved with its preprocessing.",
        ) from error
