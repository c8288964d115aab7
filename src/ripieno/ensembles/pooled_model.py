"""Members, a rule and a calibrator, asked together: what an ensemble answers."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from ripieno.ensembles.calibrators import Isotonic, Temperature, Vector
from ripieno.ensembles.checks import FEWEST
from ripieno.ensembles.combining import (
    as_answers,
    checked_codings,
    member_scores,
    true_targets,
    units_of,
)
from ripieno.ensembles.member_stacks import MemberStacks
from ripieno.ensembles.rules import Rule, SoftRule
from ripieno.ensembles.stored import plain_classes, plain_facts
from ripieno.ensembles.views import as_preprocesses, checked_reads, checked_views, standardised
from ripieno.errors import EnsembleError
from ripieno.recipes import Coding, Preprocess, Split, Table, TaskName, measure

__all__ = ["PooledModel"]

_BATCH = 1024


class PooledModel(nn.Module):
    """Several models that answer as one; see :class:`~ripieno.ensembles.Ensemble`."""

    scale: Tensor | None
    shift: Tensor | None

    def __init__(
        self,
        members: Iterable[nn.Module],
        weights: ArrayLike | None = None,
        *,
        classes: Sequence[Any],
        preprocess: Preprocess | Sequence[Preprocess] | None = None,
        reads: Sequence[int] | None = None,
        facts: Mapping[str, Any] | None = None,
        coding: Coding | Sequence[Coding] | None = None,
        rule: Rule | None = None,
        calibrator: Temperature | Vector | Isotonic | None = None,
        embed: nn.Module | None = None,
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.preprocesses = as_preprocesses(preprocess)
        self.reads = checked_reads(reads, len(self.members), self.preprocesses)
        self.codings = checked_codings(coding, self.preprocesses)
        self.classes = plain_classes(classes, fewest=FEWEST[self.task])
        self.facts = None if facts is None else plain_facts(facts, len(self.members))
        self.rule = _checked_rule(rule, weights, members=len(self.members), task=self.task)
        self.calibrator, self.embed = calibrator, embed
        self.stacks = MemberStacks()
        for name, units in units_of(self._own_codings).items():
            self.register_buffer(name, units, persistent=False)

    def __repr__(self) -> str:
        outputs = {"multilabel": "labels", "regression": "columns"}.get(self.task, "classes")
        return f"Ensemble({len(self.members)} members, {len(self.classes)} {outputs})"

    @property
    def weights(self) -> tuple[float, ...]:
        """How much each member counts, of sum 1."""
        return self.rule.shares

    @property
    def task(self) -> TaskName:
        """``classification``, ``multilabel`` or ``regression``."""
        return self.codings[0].task

    @property
    def _own_codings(self) -> list[Coding]:
        """The coding of each member."""
        several = len(self.codings) > 1
        return [self.codings[number if several else 0] for number in self.reads]

    @property
    def preprocess(self) -> Preprocess | None:
        """What reads raw rows: the only preprocessing, or the first of several."""
        return self.preprocesses[0] if self.preprocesses else None

    def forward(self, x: Tensor, *others: Tensor) -> Tensor:
        """Return the logarithm of the ensemble's probabilities.

        Args:
            x: Standardised rows, shape ``(batch, *features)``.
            others: The same rows by the second and every further preprocessing, if there
                are several.

        Returns:
            Shape ``(batch, classes)``; the exponentials of a row sum to 1. Of labels the
            log-odds of their probability; of a regression the value.

        Raises:
            EnsembleError: A member answers in another shape, or there are fewer or more
                tensors than preprocessings.
        """
        views = checked_views((x, *others), self.preprocesses)
        units = (self.scale, self.shift)
        return self._ruled(member_scores(self._votes(views), task=self.task, units=units), views)

    def predict_proba(self, x: ArrayLike | Split | Table) -> NDArray[np.float32]:
        """Return class probabilities, float32, shape ``(rows, classes)``; or those of labels.

        Rows go through in batches of 1,024, in evaluation mode and without gradients; the
        mode of every submodule is left as it was.

        Args:
            x: Raw rows, shape ``(rows, *features)``; a table, as ``preprocess.read`` gives
                one, or a pandas DataFrame; or a split.

        Raises:
            DataError: The rows have other features than those that were trained on.
            EnsembleError: A member cannot read the rows, or the task is a regression.
        """
        if self.task == "regression":
            raise EnsembleError(
                "a regression has no probabilities.",
                where=f"{self!r}.predict_proba",
                fix="ask for predict(x), which gives values.",
            )
        return self.answers(x).astype(np.float32, copy=False)

    def predict(self, x: ArrayLike | Split | Table) -> NDArray[Any]:
        """Return the name of each row's likeliest class, shape ``(rows,)``.

        Where a row may have several labels: 1 for each one of a probability above one half,
        else 0, int64, ``(rows, labels)``. Of a regression: values in the target's own units,
        float64, ``(rows,)``, or ``(rows, columns)`` where there are several.

        Raises:
            DataError: The rows have other features than those that were trained on.
            EnsembleError: A member cannot read the rows.
        """
        found = self.answers(x)
        answers: NDArray[Any]
        if self.task == "multilabel":
            answers = (found > 0.5).astype(np.int64)
        elif self.task == "regression":
            answers = found[:, 0] if found.shape[1] == 1 else found
        else:
            answers = np.asarray(self.classes)[found.argmax(axis=1)]
        return answers

    def score(self, x: ArrayLike | Split | Table, y: ArrayLike | None = None) -> dict[str, float]:
        """Measure accuracy and log loss, or what else the task is measured by.

        Args:
            x: Raw rows, or a split, which holds its targets.
            y: Name of the true class of each raw row, shape ``(rows,)``; or 0 and 1,
                ``(rows, labels)``, or values.

        Raises:
            EnsembleError: There are no targets, or one is not among the classes.
        """
        truth = self._truth(x, y)
        measured = measure(self.answers(x), truth, task=self.task)
        return dict(sorted(measured.items()))

    def _logits(self, index: int, views: Sequence[Tensor]) -> Tensor:
        x = views[self.reads[index]]
        logits = self.members[index](x)
        # `len(x)` would make an exported graph one of so many rows.
        if (
            logits.ndim != 2
            or logits.shape[0] != x.shape[0]
            or (logits.shape[1] != len(self.classes))
        ):
            raise EnsembleError(
                f"member {index} answers in the shape {tuple(logits.shape)}.",
                where=f"{self!r} on {len(x)} rows",
                fix=f"use members that give outputs of shape (batch, {len(self.classes)}).",
            )
        return logits  # type: ignore[no-any-return]

    def _votes(self, views: tuple[Tensor, ...]) -> Tensor:
        """Return what the members give, shape ``(members, batch, outputs)``."""
        stacked = {}
        if self.stacks.may_answer(self.members):
            stacked = self.stacks.outputs(self.members, self.reads, views)
        return torch.stack(
            [
                stacked[i] if i in stacked else self._logits(i, views)
                for i in range(len(self.members))
            ]
        )

    def _ruled(self, scores: Tensor, views: tuple[Tensor, ...]) -> Tensor:
        """Return the ensemble's scores, shape ``(batch, outputs)``."""
        embedding = None if self.embed is None else self.embed(views[0])
        combined: Tensor = self.rule(scores, embedding)
        return combined if self.calibrator is None else self.calibrator(combined)

    def _each_batch(
        self,
        x: ArrayLike | Split | Table,
        answer: Callable[[Tensor, tuple[Tensor, ...]], NDArray[Any]],
    ) -> list[NDArray[Any]]:
        """Return what a function makes of the members' scores, batch after batch.

        Args:
            x: Raw rows or a split.
            answer: Is given scores ``(members, batch, outputs)`` and the batch as the members
                read it, one tensor a preprocessing.
        """
        rows = standardised(x, self.preprocesses)
        like = next(self.parameters(), torch.empty(0))
        found = []
        try:
            with _evaluating(self), torch.no_grad():
                for start in range(0, len(rows[0]), _BATCH):
                    # A copy: torch refuses negative strides and warns of read-only arrays.
                    batches = (torch.from_numpy(v[start : start + _BATCH].copy()) for v in rows)
                    views = tuple(batch.to(like) for batch in batches)
                    found.append(answer(self._exact_scores(self._votes(views)), views))
        except RuntimeError as error:
            raise EnsembleError(
                f"a member cannot read rows of shape {rows[0].shape[1:]}: {error}",
                where=f"{self!r}.predict",
                fix="pass rows with the features that the members were trained on.",
            ) from error
        return found

    def _exact_scores(self, votes: Tensor) -> Tensor:
        if self.task != "regression":
            return member_scores(votes, task=self.task)
        # In float64: a mean of large values with small differences keeps them.
        own = zip(self._own_codings, votes, strict=True)
        return torch.stack([coding.scores(vote) for coding, vote in own])

    def answers(self, x: ArrayLike | Split | Table) -> NDArray[Any]:
        """Return probabilities, float32, or values, float64, ``(rows, outputs)``."""
        parts = self._each_batch(x, lambda s, v: as_answers(self._ruled(s, v), self.task))
        kind = np.float64 if self.task == "regression" else np.float32
        return np.concatenate([np.empty((0, len(self.classes)), dtype=kind), *parts])

    def _truth(self, x: ArrayLike | Split | Table, y: ArrayLike | None) -> NDArray[Any]:
        if isinstance(x, Split):
            return x.y
        if y is None:
            raise EnsembleError(
                "there are no targets to score against.",
                where=f"{self!r}.score(x)",
                fix="pass score(x, y) with the names of the true classes, or score(split).",
            )
        return true_targets(y, task=self.task, classes=self.classes)


def _checked_rule(
    rule: Rule | None, weights: ArrayLike | None, *, members: int, task: TaskName
) -> Rule:
    """Return the rule of the members; a soft vote with weights where none is given."""
    if rule is None:
        array = np.asarray([] if weights is None else weights, dtype=np.float64)
        fine = array.shape == (members,) and members and (np.isfinite(array) & (array > 0)).all()
        if fine:
            return SoftRule(array, task=task)
        problem = f"the weights {array.tolist()} are not one positive number for each of "
        problem += f"{members} members."
    elif weights is not None:
        problem = "weights are given beside a rule, which has its own."
    elif len(rule.shares) != members or rule.task != task:
        problem = f"a rule of {len(rule.shares)} members of {rule.task} is given {members} members "
        problem += f"of {task}."
    else:
        return rule
    raise EnsembleError(
        problem,
        where="Ensemble(members, weights)",
        fix="pass the members whose weight is above zero, and their weights; or a rule of them.",
    )


@contextmanager
def _evaluating(module: nn.Module) -> Iterator[None]:
    """Put every submodule into evaluation mode, and back into the mode it was in."""
    modes = [(part, part.training) for part in module.modules()]
    module.eval()
    try:
        yield
    finally:
        for part, training in modes:
            part.training = training
