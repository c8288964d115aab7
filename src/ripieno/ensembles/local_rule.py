"""Dynamic selection: other members answer for other rows, by how right they were nearby.

A row's neighbours are looked for among the rows that the rule was fitted on: in an embedding
that is given, or in what the members themselves say of the rows (their output profiles), which
needs nothing but predictions. Distances are one matrix product, on whatever device.

Source: Woods, Kegelmeyer, Bowyer, Combination of multiple classifiers using local accuracy
estimates, TPAMI 19, 1997 (local accuracy); Ko, Sabourin, Britto, From dynamic classifier
selection to dynamic ensemble selection, Pattern Recognition 41, 2008 (KNORA); Cavalin, Sabourin,
Suen, Dynamic selection approaches for multiple classifier systems, 2013 (output profiles).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, get_args

import numpy as np
import torch
from numpy.typing import ArrayLike
from torch import Tensor

from ripieno.ensembles.combination import Combination, best_members
from ripieno.ensembles.fitted import scores_of
from ripieno.ensembles.metrics import SMALLEST
from ripieno.ensembles.predictions import Predictions
from ripieno.ensembles.rules import Rule, pooled
from ripieno.errors import EnsembleError
from ripieno.recipes import TaskName

__all__ = ["DynamicSelection", "LocalKind", "LocalRule"]

LocalKind = Literal["knora_e", "knora_u", "local_accuracy"]
_TIE = 1e-9


class LocalRule(Rule):
    """A soft vote whose weights are a matter of the row's neighbours.

    Args:
        places: Where the rows lie that it was fitted on, float, shape ``(rows, dims)``.
        merits: How right each member is on each of them, shape ``(members, rows)``: 1 and 0;
            of values the squared error, turned so that more is better.
        kind: See :class:`DynamicSelection`.
        neighbours: How many rows are looked at.
        embedded: Whether ``places`` come from an embedding that is given with every row; else
            they are the members' output profiles.
        task: The task.
    """

    name: ClassVar[str] = "dynamic"
    places: Tensor
    merits: Tensor

    def __init__(
        self,
        places: Tensor,
        merits: Tensor,
        *,
        kind: LocalKind,
        neighbours: int,
        embedded: bool = False,
        task: TaskName = "classification",
    ) -> None:
        super().__init__(task=task)
        self.kind, self.neighbours, self.reads_embedding = kind, neighbours, embedded
        self.register_buffer("places", places)
        self.register_buffer("merits", merits)

    def forward(self, scores: Tensor, embedding: Tensor | None = None) -> Tensor:
        """Return the ensemble's scores; see :meth:`Rule.forward`."""
        if self.reads_embedding and embedding is None:
            raise EnsembleError(
                "the rule looks for neighbours in an embedding, and none is given.",
                where="LocalRule.forward",
                fix="pass the embedding of the rows, or fit without one.",
            )
        where = profiles(scores, self.task) if embedding is None else embedding
        weights = self.weights_at(where).to(scores.dtype).T.unsqueeze(-1)
        logs = weights.clamp_min(SMALLEST).log()
        return pooled(scores, logs, shares=weights, task=self.task)

    def weights_at(self, where: Tensor) -> Tensor:
        """Return the members' shares for rows at some places, shape ``(batch, members)``."""
        places = self.places.to(where.dtype)
        # |a - b|^2 without |a|^2, which is the same for all neighbours of a row.
        distances = (places**2).sum(dim=1) - 2 * where @ places.T
        nearest = distances.topk(self.neighbours, dim=1, largest=False).indices
        merits = self.merits.T[nearest]  # (batch, neighbours, members), the nearest first
        if self.kind == "knora_u":
            votes = merits.sum(dim=1)
            votes = torch.where(votes.sum(dim=1, keepdim=True) > 0, votes, 1.0)
        else:
            # Unbroken runs of neighbours that a member has right: the longest run is that of
            # the largest neighbourhood in which anyone is always right.
            found = merits.cumprod(dim=1).sum(dim=1) if self.kind == "knora_e" else merits.mean(1)
            votes = (found >= found.amax(dim=1, keepdim=True) - _TIE).to(found.dtype)
        return votes / votes.sum(dim=1, keepdim=True)

    @property
    def shares(self) -> tuple[float, ...]:
        """Equal shares: who answers is a matter of the row."""
        return (1 / len(self.merits),) * len(self.merits)

    def options(self) -> dict[str, Any]:
        """Return the arguments of the constructor that are no tensors."""
        return {
            "kind": self.kind, "neighbours": self.neighbours, "embedded": self.reads_embedding,
            "task": self.task,
        }  # fmt: skip

    def keep(self, members: Sequence[int]) -> Rule:
        """Return the rule of some members alone, if an embedding is given with every row.

        Raises:
            EnsembleError: The neighbours are looked for in what all members say.
        """
        if list(members) == list(range(len(self.merits))):
            return self
        if not self.reads_embedding:
            raise EnsembleError(
                "members of a dynamic selection by output profiles cannot be taken out.",
                where="LocalRule.keep",
                fix="fit it again with a smaller `size`.",
            )
        options = self.options()
        return LocalRule(self.places, self.merits[list(members)], **options)


@dataclass(frozen=True, slots=True, eq=False)
class DynamicSelection:
    """Let those members answer for a row that were right on rows like it.

    Args:
        kind: ``knora_e``: those that are right on all of the row's neighbours, as many of them
            as any member has right without a break; ``knora_u``: all, with a vote for each
            neighbour that is right; ``local_accuracy``: the one that is most often right (of
            values: with the smallest squared error), or those that are equally often.
        neighbours: Rows that are looked at.
        size: The best members to choose from; None for all.
        embedding: Where the library's rows lie, ``(rows, dims)``; the members' output
            profiles where absent.
    """

    kind: LocalKind = "knora_u"
    neighbours: int = 15
    size: int | None = 10
    embedding: ArrayLike | None = None

    def fit(self, library: Predictions) -> Combination:
        """Return the members and the rule; see :class:`Combiner`.

        Raises:
            EnsembleError: There are fewer rows than neighbours, no such kind, or an embedding
                of other rows.
        """
        self._check(library)
        members = best_members(library, self.size)
        part = library.subset(list(members))
        scores = scores_of(part.probabilities, part.task)
        if self.embedding is None:
            places = profiles(scores, part.task)
        else:
            places = torch.from_numpy(np.array(self.embedding, dtype=np.float64))
        rule = LocalRule(
            places,
            _merits(part),
            kind=self.kind,
            neighbours=self.neighbours,
            embedded=self.embedding is not None,
            task=part.task,
        )
        return Combination(members, rule)

    def _check(self, library: Predictions) -> None:
        given = None if self.embedding is None else np.shape(self.embedding)
        if self.kind not in get_args(LocalKind):
            problem = f"kind = {self.kind!r} is not known."
        elif library.task == "regression" and self.kind != "local_accuracy":
            problem = f"{self.kind} asks who is right, and values are never quite right."
        elif not 1 <= self.neighbours <= library.rows:
            problem = f"{self.neighbours} neighbours are asked for among {library.rows} rows."
        elif given is not None and (len(given) != 2 or given[0] != library.rows):
            problem = f"the embedding has the shape {given}, and there are {library.rows} rows."
        else:
            return
        raise EnsembleError(
            problem,
            where="DynamicSelection.fit",
            fix=f"use kind={' or '.join(map(repr, get_args(LocalKind)))} (for values the last), "
            "no more neighbours than rows, and an embedding of shape (rows, dims).",
        )


def profiles(scores: Tensor, task: TaskName) -> Tensor:
    """Return what the members say of each row, side by side, ``(batch, members * outputs)``."""
    said = scores
    if task == "classification":
        said = scores.exp()
    elif task == "multilabel":
        said = torch.sigmoid(scores)
    return said.permute(1, 0, 2).flatten(1)


def _merits(library: Predictions) -> Tensor:
    answers, targets = library.probabilities.astype(np.float64), library.targets
    if library.task == "classification":
        merits = (answers.argmax(axis=2) == targets).astype(np.float64)
    elif library.task == "multilabel":
        merits = ((answers > 0.5) == (targets == 1)).all(axis=2).astype(np.float64)
    else:
        merits = -((answers - targets) ** 2).mean(axis=2)
    return torch.from_numpy(merits)
