"""Several models that answer as one."""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from os import PathLike
from typing import Any, Self

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from ripieno.ensembles import folders, metrics
from ripieno.ensembles.rebuilding import rebuild
from ripieno.ensembles.stored import Stored, plain_classes, plain_facts
from ripieno.ensembles.views import as_preprocesses, checked_reads, checked_views, standardised
from ripieno.errors import EnsembleError
from ripieno.recipes import Preprocess, Split, Table
from ripieno.space import Config

__all__ = ["Ensemble"]

_BATCH = 1024


class Ensemble(nn.Module):
    """The weighted mean of several models' class probabilities, as one module.

    As a module it maps standardised rows to log-probabilities: it can be moved, exported,
    used as a member of another ensemble, or trained on with ``nn.NLLLoss``. The other methods
    take rows as the user's files hold them, and apply the preprocessing; a
    :class:`~ripieno.recipes.Split` is standardised already and is taken as it is.

    Args:
        members: Modules that map ``(batch, *features)`` to logits ``(batch, classes)``.
        weights: Shares of the members, positive; divided by their sum.
        classes: Name of each class: strings, whole numbers or booleans.
        preprocess: Turns raw rows into what the members read; None if they read raw rows. With
            several, as models of different folds have, ``reads`` says whose is whose.
        reads: The number of each member's preprocessing; where absent all read the first.
        facts: What :meth:`load` needs to build the members again, JSON-able:
            ``"input_shape"``, the shape of one standardised row, and ``"members"``, for each
            member a mapping with its ``"id"``, the name of its ``"recipe"`` and its
            ``"config"``; for an mlp that reads tables also the ``"numbers"`` and
            ``"cardinalities"`` of its factory. More facts are kept. Without facts an ensemble
            cannot be saved.

    Raises:
        EnsembleError: No member, weights that are not positive numbers, one a member, fewer
            than two classes, a class twice, ``reads`` that name no preprocessing, or facts
            that are incomplete.
    """

    log_weights: Tensor

    def __init__(
        self,
        members: Iterable[nn.Module],
        weights: ArrayLike,
        *,
        classes: Sequence[Any],
        preprocess: Preprocess | Sequence[Preprocess] | None = None,
        reads: Sequence[int] | None = None,
        facts: Mapping[str, Any] | None = None,
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.weights = _shares(weights, len(self.members))
        self.classes = plain_classes(classes)
        self.preprocesses = as_preprocesses(preprocess)
        self.reads = checked_reads(reads, len(self.members), self.preprocesses)
        self.facts = None if facts is None else plain_facts(facts, len(self.members))
        # Derived from `weights`, which is stored as JSON: a state_dict holds members alone.
        self.register_buffer(
            "log_weights", torch.tensor(self.weights).log()[:, None, None], persistent=False
        )

    def __repr__(self) -> str:
        return f"Ensemble({len(self.members)} members, {len(self.classes)} classes)"

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
            the mean is taken by ``logsumexp`` over ``log_softmax(logits) + log(weight)``.

        Raises:
            EnsembleError: A member answers in another shape, or there are fewer or more
                tensors than preprocessings.
        """
        views = checked_views((x, *others), self.preprocesses)
        votes = [F.log_softmax(self._logits(i, views), dim=-1) for i in range(len(self.members))]
        stacked = torch.stack(votes)  # (members, batch, classes)
        return torch.logsumexp(stacked + self.log_weights.to(stacked.dtype), dim=0)

    def predict_proba(self, x: ArrayLike | Split | Table) -> NDArray[np.float32]:
        """Return class probabilities, float32, shape ``(rows, classes)``.

        Rows go through in batches of 1,024, in evaluation mode and without gradients; the
        mode of every submodule is left as it was.

        Args:
            x: Raw rows, shape ``(rows, *features)``; a table, as ``preprocess.read`` gives
                one, or a pandas DataFrame; or a split.

        Raises:
            DataError: The rows have other features than those that were trained on.
            EnsembleError: A member cannot read the rows.
        """
        views = standardised(x, self.preprocesses)
        rows = views[0]
        answers = np.empty((len(rows), len(self.classes)), dtype=np.float32)
        like = next(self.parameters(), self.log_weights)
        try:
            with _evaluating(self), torch.no_grad():
                for start in range(0, len(rows), _BATCH):
                    # A copy: torch refuses negative strides and warns of read-only arrays.
                    batches = (torch.from_numpy(v[start : start + _BATCH].copy()) for v in views)
                    logs = self(*(batch.to(like) for batch in batches))
                    answers[start : start + _BATCH] = logs.exp().float().cpu().numpy()
        except RuntimeError as error:
            raise EnsembleError(
                f"a member cannot read rows of shape {rows.shape[1:]}: {error}",
                where=f"{self!r}.predict_proba",
                fix="pass rows with the features that the members were trained on.",
            ) from error
        return answers

    def predict(self, x: ArrayLike | Split | Table) -> NDArray[Any]:
        """Return the name of each row's likeliest class, shape ``(rows,)``.

        Raises:
            DataError: The rows have other features than those that were trained on.
            EnsembleError: A member cannot read the rows.
        """
        names: NDArray[Any] = np.asarray(self.classes)
        likeliest: NDArray[Any] = names[self.predict_proba(x).argmax(axis=1)]
        return likeliest

    def score(self, x: ArrayLike | Split | Table, y: ArrayLike | None = None) -> dict[str, float]:
        """Measure accuracy and log loss.

        Args:
            x: Raw rows, or a split, which holds its targets.
            y: Name of the true class of each raw row, shape ``(rows,)``.

        Raises:
            EnsembleError: There are no targets, or one is not among the classes.
        """
        targets = self._targets(x, y)
        probabilities = self.predict_proba(x)
        return {
            "accuracy": metrics.accuracy(probabilities, targets),
            "log_loss": metrics.log_loss(probabilities, targets),
        }

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
        )
        return ensemble.eval()

    def _logits(self, index: int, views: Sequence[Tensor]) -> Tensor:
        x = views[self.reads[index]]
        logits = self.members[index](x)
        if logits.shape != (len(x), len(self.classes)):
            raise EnsembleError(
                f"member {index} answers in the shape {tuple(logits.shape)}.",
                where=f"{self!r} on {len(x)} rows",
                fix=f"use members that give logits of shape (batch, {len(self.classes)}).",
            )
        return logits  # type: ignore[no-any-return]

    def _targets(self, x: ArrayLike | Split | Table, y: ArrayLike | None) -> NDArray[np.int64]:
        if isinstance(x, Split):
            return x.y
        if y is None:
            raise EnsembleError(
                "there are no targets to score against.",
                where=f"{self!r}.score(x)",
                fix="pass score(x, y) with the names of the true classes, or score(split).",
            )
        numbers = {name: number for number, name in enumerate(self.classes)}
        names, places = np.unique(np.asarray(y), return_inverse=True)
        for name in names.tolist():
            if name not in numbers:
                raise EnsembleError(
                    f"{name!r} is not a class of this ensemble.",
                    where=f"classes {self.classes[:8]!r}{' …' if len(numbers) > 8 else ''}",
                    fix="pass the targets as the training data named them.",
                )
        return np.array([numbers[name] for name in names.tolist()], dtype=np.int64)[places]


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
