"""Several models that answer as one."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from ripieno.ensembles import folders
from ripieno.ensembles.checks import FEWEST
from ripieno.ensembles.combining import (
    answers,
    checked_codings,
    combine,
    true_targets,
    units_of,
)
from ripieno.ensembles.rebuilding import rebuild
from ripieno.ensembles.stored import Stored, plain_classes, plain_facts
from ripieno.ensembles.views import as_preprocesses, checked_reads, checked_views, standardised
from ripieno.errors import EnsembleError
from ripieno.recipes import Coding, Preprocess, Split, Table, TaskName, measure
from ripieno.space import Config

__all__ = ["Ensemble"]

_BATCH = 1024


class Ensemble(nn.Module):
    """The weighted mean of several models' class probabilities, as one module.

    As a module it maps standardised rows to log-probabilities: it can be moved, exported,
    used as a member of another ensemble, or trained on with ``nn.NLLLoss``. Where a row may
    have several labels, it gives the log-odds of each one's mean probability, and for a
    regression the mean value in the target's own units. The other methods take rows as the
    user's files hold them, and apply the preprocessing; a :class:`~ripieno.recipes.Split` is
    standardised already and is taken as it is.

    Args:
        members: Modules that map ``(batch, *features)`` to logits ``(batch, classes)``.
        weights: Shares of the members, positive; divided by their sum.
        classes: Name of each class: strings, whole numbers or booleans; of each label, or of
            each column of a regression.
        preprocess: Turns raw rows into what the members read; None if they read raw rows. With
            several, as models of different folds have, ``reads`` says whose is whose.
        reads: The number of each member's preprocessing; where absent all read the first.
        facts: What :meth:`load` needs to build the members again, JSON-able:
            ``"input_shape"``, the shape of one standardised row, and ``"members"``, for each
            member a mapping with its ``"id"``, the name of its ``"recipe"`` and its
            ``"config"``; for an mlp that reads tables also the ``"numbers"`` and
            ``"cardinalities"`` of its factory. More facts are kept. Without facts an ensemble
            cannot be saved.
        coding: The task, and the units that the members of a regression give values in: one
            of all, or one a preprocessing; classification where absent. (A member that is an
            ensemble gives values in their own units: ``Coding("regression", (0.0,), (1.0,))``.)

    Raises:
        EnsembleError: No member, weights that are not positive numbers, one a member, fewer
            than two classes, a class twice, ``reads`` that name no preprocessing, or facts
            that are incomplete.
    """

    log_weights: Tensor
    scale: Tensor | None
    shift: Tensor | None

    def __init__(
        self,
        members: Iterable[nn.Module],
        weights: ArrayLike,
        *,
        classes: Sequence[Any],
        preprocess: Preprocess | Sequence[Preprocess] | None = None,
        reads: Sequence[int] | None = None,
        facts: Mapping[str, Any] | None = None,
        coding: Coding | Sequence[Coding] | None = None,
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.weights = _shares(weights, len(self.members))
        self.preprocesses = as_preprocesses(preprocess)
        self.reads = checked_reads(reads, len(self.members), self.preprocesses)
        self.codings = checked_codings(coding, self.preprocesses)
        self.classes = plain_classes(classes, fewest=FEWEST[self.task])
        self.facts = None if facts is None else plain_facts(facts, len(self.members))
        # Derived from `weights`, which is stored as JSON: a state_dict holds members alone.
        self.register_buffer(
            "log_weights", torch.tensor(self.weights).log()[:, None, None], persistent=False
        )
        for name, units in units_of(self._own_codings).items():
            self.register_buffer(name, units, persistent=False)

    def __repr__(self) -> str:
        outputs = {"multilabel": "labels", "regression": "columns"}.get(self.task, "classes")
        return f"Ensemble({len(self.members)} members, {len(self.classes)} {outputs})"

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
        """Return the logarithm of the weighted mean probability.

        Args:
            x: Standardised rows, shape ``(batch, *features)``.
            others: The same rows by the second and every further preprocessing, if there
                are several.

        Returns:
            Shape ``(batch, classes)``; the exponentials of a row sum to 1. Nothing underflows:
            the mean is taken by ``logsumexp`` over ``log_softmax(logits) + log(weight)``. Of
            labels the log-odds of their mean probability; of a regression the mean value.

        Raises:
            EnsembleError: A member answers in another shape, or there are fewer or more
                tensors than preprocessings.
        """
        votes = self._votes(checked_views((x, *others), self.preprocesses))
        return combine(votes, self.log_weights, task=self.task, units=(self.scale, self.shift))

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
        return self._predictions(x).astype(np.float32, copy=False)

    def predict(self, x: ArrayLike | Split | Table) -> NDArray[Any]:
        """Return the name of each row's likeliest class, shape ``(rows,)``.

        Where a row may have several labels: 1 for each one of a probability above one half,
        else 0, int64, ``(rows, labels)``. Of a regression: values in the target's own units,
        float64, ``(rows,)``, or ``(rows, columns)`` where there are several.

        Raises:
            DataError: The rows have other features than those that were trained on.
            EnsembleError: A member cannot read the rows.
        """
        found = self._predictions(x)
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
        measured = measure(self._predictions(x), truth, task=self.task)
        return dict(sorted(measured.items()))

    def save(self, folder: str | PathLike[str]) -> None:
        """Write ``ensemble.json`` and ``members.safetensors`` into a folder.

        Each file is written under another name first and then renamed; the JSON holds the
        checksum of the tensors, so that two halves of different ensembles are noticed.

        Raises:
            EnsembleError: The ensemble has no facts to be rebuilt from, or its state holds
                something that is not a tensor.
            ArtifactError: The folder cannot be written.
        """
        if self.facts is None:
            raise EnsembleError(
                "an ensemble without facts cannot be built again from a file.",
                where=f"{self!r}.save({str(folder)!r})",
                fix="pass facts={'input_shape': …, 'members': [{'id', 'recipe', 'config'}, …]}.",
            )
        folders.write(
            folder,
            Stored(
                weights=self.weights,
                classes=self.classes,
                preprocesses=tuple(each.to_json() for each in self.preprocesses),
                reads=self.reads,
                facts=self.facts,
                codings=tuple(each.to_dict() for each in self.codings),
            ),
            [member.state_dict() for member in self.members],
        )

    @classmethod
    def load(
        cls, folder: str | PathLike[str], model: Callable[[Config], nn.Module] | None = None
    ) -> Self:
        """Read what :meth:`save` wrote; the ensemble is in evaluation mode and on the CPU.

        Nothing is unpickled: the members are built from their configs and given the stored
        tensors. The global random state is left as it was.

        Args:
            folder: The folder.
            model: The factory that the search was given; not needed for built-in recipes.

        Raises:
            ArtifactError: A file is missing or damaged.
            EnsembleError: A member cannot be built, or does not fit its tensors.
        """
        stored, states = folders.read(folder)
        members = rebuild(stored, states, model)
        ensemble = cls(
            members,
            stored.weights,
            classes=stored.classes,
            preprocess=[Preprocess.from_json(text) for text in stored.preprocesses],
            reads=stored.reads,
            facts=stored.facts,
            coding=[Coding.from_dict(each) for each in stored.codings],
        )
        return ensemble.eval()

    def _logits(self, index: int, views: Sequence[Tensor]) -> Tensor:
        x = views[self.reads[index]]
        logits = self.members[index](x)
        if logits.shape != (len(x), len(self.classes)):
            raise EnsembleError(
                f"member {index} answers in the shape {tuple(logits.shape)}.",
                where=f"{self!r} on {len(x)} rows",
                fix=f"use members that give outputs of shape (batch, {len(self.classes)}).",
            )
        return logits  # type: ignore[no-any-return]

    def _votes(self, views: tuple[Tensor, ...]) -> Tensor:
        """Return what the members give, shape ``(members, batch, outputs)``."""
        return torch.stack([self._logits(i, views) for i in range(len(self.members))])

    def _predictions(self, x: ArrayLike | Split | Table) -> NDArray[Any]:
        """Return probabilities, float32, or values, float64, ``(rows, outputs)``."""
        views = standardised(x, self.preprocesses)
        rows = views[0]
        kind = np.float64 if self.task == "regression" else np.float32
        found = np.empty((len(rows), len(self.classes)), dtype=kind)
        like = next(self.parameters(), self.log_weights)
        try:
            with _evaluating(self), torch.no_grad():
                for start in range(0, len(rows), _BATCH):
                    # A copy: torch refuses negative strides and warns of read-only arrays.
                    batches = (torch.from_numpy(v[start : start + _BATCH].copy()) for v in views)
                    votes = self._votes(tuple(batch.to(like) for batch in batches))
                    found[start : start + _BATCH] = answers(
                        votes, self.weights, self.log_weights, codings=self._own_codings
                    )
        except RuntimeError as error:
            raise EnsembleError(
                f"a member cannot read rows of shape {rows.shape[1:]}: {error}",
                where=f"{self!r}.predict",
                fix="pass rows with the features that the members were trained on.",
            ) from error
        return found

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


def _shares(weights: ArrayLike, members: int) -> tuple[float, ...]:
    array = np.asarray(weights, dtype=np.float64)
    if array.shape != (members,) or not members or not (np.isfinite(array) & (array > 0)).all():
        raise EnsembleError(
            f"the weights {array.tolist()} are not one positive number for each of "
            f"{members} members.",
            where="Ensemble(members, weights)",
            fix="pass the members whose weight is above zero, and their weights.",
        )
    total = float(array.sum())
    # Shares that were stored come back bit for bit, not divided by 0.9999999999999999.
    return tuple((array if math.isclose(total, 1.0, abs_tol=1e-12) else array / total).tolist())


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
