"""What a fitted combiner leaves: which members answer, and by which rule."""

from dataclasses import dataclass, replace
from typing import Any, Protocol, runtime_checkable

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray

from ripieno.ensembles.checks import SelectionMetric
from ripieno.ensembles.fitted import answers_of, scores_of
from ripieno.ensembles.gain import Gain, gain_interval
from ripieno.ensembles.predictions import Predictions
from ripieno.ensembles.rules import Rule, SoftRule
from ripieno.ensembles.selection import own_losses
from ripieno.errors import EnsembleError

__all__ = ["Combination", "Combiner", "best_members", "fit_combiner"]


@runtime_checkable
class Combiner(Protocol):
    """Learns how to combine members. One method, for Ripieno's own and for a user's.

    .. code-block:: python

        class Median:
            def fit(self, library):
                losses = ...                        # of library.probabilities
                return losses <= np.median(losses)  # weights; divided by their sum
    """

    def fit(self, library: Predictions) -> "ArrayLike | Rule | Combination":
        """Learn from predictions on rows that no member was trained on.

        Args:
            library: Every member's predictions.

        Returns:
            Weights of a soft vote, ``(members,)``, not negative, in any scale; or a rule of
            all members; or a combination of some.
        """


@dataclass(frozen=True, slots=True, eq=False)
class Combination:
    """Some members of a library and the rule by which they answer.

    Args:
        members: Their positions in the library that it was fitted on.
        rule: How their scores become one answer; it knows them in this order.
        fingerprint: Of the rows it was fitted on.
        library: How many members the library has.
        ids: The names of the members, by which they are found again.
    """

    members: tuple[int, ...]
    rule: Rule
    fingerprint: str = ""
    library: int = 0
    ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if not self.members or len(self.rule.shares) != len(self.members):
            raise EnsembleError(
                f"a rule of {len(self.rule.shares)} members is given {len(self.members)}.",
                where="Combination",
                fix="give the position of each member of the rule, in its order.",
            )

    @property
    def weights(self) -> NDArray[np.float64]:
        """How much each member of the library counts, of sum 1, shape ``(library,)``."""
        weights = np.zeros(max(self.library, max(self.members) + 1))
        weights[list(self.members)] = self.rule.shares
        return weights

    def answer(
        self, predictions: Predictions, *, embedding: ArrayLike | None = None
    ) -> NDArray[np.float64]:
        """Return the ensemble's probabilities or values, shape ``(rows, outputs)``.

        Args:
            predictions: Of the same members, which are found by their names.
            embedding: Where the rows lie, ``(rows, dims)``, for rules that read it.

        Raises:
            EnsembleError: A member is missing, or the predictions are of another task.
        """
        part = self._own(predictions)
        where = None if embedding is None else torch.from_numpy(np.array(embedding, np.float64))
        with torch.no_grad():
            scores = self.rule(scores_of(part.probabilities, part.task), where)
        return answers_of(scores, part.task)

    def gain(
        self,
        predictions: Predictions,
        *,
        single: str,
        metric: SelectionMetric | None = None,
        seed: int = 0,
    ) -> Gain:
        """Measure the combination against one member, on rows that it was not fitted on.

        Args:
            predictions: Of the same members on other rows.
            single: The name of the member to compare with: the one that looked best on the
                rows that the combination was fitted on.
            metric: What to measure; the task's own where absent.
            seed: Of the bootstrap.

        Raises:
            EnsembleError: The rows are those that the combination was fitted on, or there is
                no such member.
        """
        if predictions.fingerprint == self.fingerprint:
            raise EnsembleError(
                f"the rows {predictions.fingerprint!r} chose this combination: its gain on them "
                "is no gain.",
                where="Combination.gain",
                fix="pass predictions on other rows, or ask nested_gain for an estimate from "
                "these.",
            )
        alone = predictions.probabilities[_place(predictions, single)]
        return gain_interval(
            alone, self.answer(predictions), predictions.targets,
            metric=metric, task=predictions.task, seed=seed,
        )  # fmt: skip

    def sorted(self) -> "Combination":
        """Return the same with the members that count most first, where the rule allows it."""
        order = sorted(range(len(self.members)), key=lambda place: -self.rule.shares[place])
        if order == list(range(len(order))):
            return self
        members = tuple(self.members[place] for place in order)
        ids = tuple(self.ids[place] for place in order) if self.ids else ()
        return replace(self, members=members, rule=self.rule.keep(order), ids=ids)

    def trimmed(self) -> "Combination":
        """Return the same without members of no weight."""
        kept = [place for place, share in enumerate(self.rule.shares) if share > 0]
        if len(kept) == len(self.members):
            return self
        members = tuple(self.members[place] for place in kept)
        ids = tuple(self.ids[place] for place in kept) if self.ids else ()
        return replace(self, members=members, rule=self.rule.keep(kept), ids=ids)

    def _own(self, predictions: Predictions) -> Predictions:
        if predictions.task != self.rule.task:
            raise EnsembleError(
                f"a combination of {self.rule.task} is given predictions of {predictions.task}.",
                where="Combination.answer",
                fix="pass predictions of the task that it was fitted on.",
            )
        if not self.ids:
            return predictions.subset(list(self.members))
        return predictions.subset([_place(predictions, name) for name in self.ids])


def fit_combiner(combiner: Combiner, library: Predictions) -> Combination:
    """Fit a combiner, whatever it returns.

    Args:
        combiner: Ripieno's own, or a user's: an object with ``fit(library)``.
        library: Predictions on rows that no member was trained on.

    Raises:
        EnsembleError: It returns something that is no combination of these members.
    """
    returned = combiner.fit(library)
    if isinstance(returned, Combination):
        found = returned
    elif isinstance(returned, Rule):
        found = Combination(tuple(range(library.members)), returned)
    else:
        found = _vote(combiner, returned, library)
    if max(found.members) >= library.members or len(set(found.members)) != len(found.members):
        raise EnsembleError(
            f"the members {found.members} are not of this library.",
            where=f"{type(combiner).__qualname__}.fit",
            fix=f"name positions from 0 to {library.members - 1}, each once.",
        )
    ids = tuple(library.ids[member] for member in found.members)
    return replace(found, fingerprint=library.fingerprint, library=library.members, ids=ids)


def best_members(library: Predictions, size: int | None) -> tuple[int, ...]:
    """Return the members with the lowest losses of their own, best first.

    Raises:
        EnsembleError: ``size`` is below 1.
    """
    if size is not None and size < 1:
        raise EnsembleError(
            f"size = {size} leaves no member.", where="a combiner", fix="use 1 or more, or None."
        )
    order = np.argsort(own_losses(library), kind="stable")
    return tuple(int(member) for member in order[:size])


def _vote(combiner: Combiner, weights: Any, library: Predictions) -> Combination:
    """Return a soft vote of the members with weights."""
    try:
        array = np.asarray(weights, dtype=np.float64)
    except (TypeError, ValueError):
        array = np.empty(0)
    fine = array.shape == (library.members,) and np.isfinite(array).all()
    if not fine or (array < 0).any() or not array.any():
        raise EnsembleError(
            f"it returned {weights!r}, which is neither weights of {library.members} members "
            "nor a rule.",
            where=f"{type(combiner).__qualname__}.fit",
            fix="return one finite number of at least 0 a member, one of them above 0; or a "
            "Rule; or a Combination.",
        )
    members = np.flatnonzero(array)
    rule = SoftRule(array[members], task=library.task)
    return Combination(tuple(int(member) for member in members), rule)


def _place(predictions: Predictions, name: str) -> int:
    if name not in predictions.ids:
        raise EnsembleError(
            f"the member {name!r} is not there.",
            where=repr(predictions),
            fix="pass the predictions of the members that the combination was fitted on.",
        )
    return predictions.ids.index(name)
