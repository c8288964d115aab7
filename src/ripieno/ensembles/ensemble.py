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
from ripieno.ensembles.combining import answers, combine, true_targets
from ripieno.ensembles.rebuilding import rebuild
from ripieno.ensembles.stored import Stored, plain_classes, plain_facts
from ripieno.errors import EnsembleError
from ripieno.recipes import Preprocess, Split, Targets, TaskName, measure
from ripieno.space import Config

__all__ = ["Ensemble"]

_BATCH = 1024


class Ensemble(nn.Module):
    """The weighted mean of several models' class probabilities, as one module.

    As a module it maps standardised rows to log-probabilities: it can be moved, exported,
    used as a member of another ensemble, or trained on with ``nn.NLLLoss``. Where a row may
    have several labels, it gives the log-odds of each one's mean probability, and for a
    regression the mean value, in the unit that the members were trained in. The other methods
    take rows as the user's files hold them, and apply the preprocessing; a
    :class:`~ripieno.recipes.Split` is standardised already and is taken as it is.

    Args:
        members: Modules that map ``(batch, *features)`` to logits ``(batch, classes)``.
        weights: Shares of the members, positive; divided by their sum.
        classes: Name of each class: strings, whole numbers or booleans; of each label, or of
            each column of a regression.
        preprocess: Turns raw rows into what the members read; None if they read raw rows.
        facts: What :meth:`load` needs to build the members again, JSON-able:
            ``"input_shape"``, the shape of one standardised row, and ``"members"``, for each
            member a mapping with its ``"id"``, the name of its ``"recipe"`` and its
            ``"config"``. More facts are kept. Without facts an ensemble cannot be saved.
        targets: The task, and the unit that the members were trained in; classification
            where absent.

    Raises:
        EnsembleError: No member, weights that are not positive numbers, one a member, fewer
            than two classes, a class twice, or facts that are incomplete.
    """

    log_weights: Tensor

    def __init__(
        self,
        members: Iterable[nn.Module],
        weights: ArrayLike,
        *,
        classes: Sequence[Any],
        preprocess: Preprocess | None = None,
        facts: Mapping[str, Any] | None = None,
        targets: Targets | None = None,
    ) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.weights = _shares(weights, len(self.members))
        self.targets = targets or Targets()
        self.classes = plain_classes(classes, fewest=FEWEST[self.targets.task])
        self.preprocess = preprocess
        self.facts = None if facts is None else plain_facts(facts, len(self.members))
        # Derived from `weights`, which is stored as JSON: a state_dict holds members alone.
        self.register_buffer(
            "log_weights", torch.tensor(self.weights).log()[:, None, None], persistent=False
        )

    def __repr__(self) -> str:
        outputs = {"multilabel": "labels", "regression": "columns"}.get(self.task, "classes")
        return f"Ensemble({len(self.members)} members, {len(self.classes)} {outputs})"

    @property
    def task(self) -> TaskName:
        """``classification``, ``multilabel`` or ``regression``."""
        return self.targets.task

    def forward(self, x: Tensor) -> Tensor:
        """Return the logarithm of the weighted mean probability.

        Args:
            x: Standardised rows, shape ``(batch, *features)``.

        Returns:
            Shape ``(batch, classes)``; the exponentials of a row sum to 1. Nothing underflows:
            the mean is taken by ``logsumexp`` over ``log_softmax(logits) + log(weight)``. Of
            labels the log-odds of their mean probability; of a regression the mean value.

        Raises:
            EnsembleError: A member answers in another shape.
        """
        stacked = torch.stack([self._logits(i, x) for i in range(len(self.members))])
        return combine(stacked, self.log_weights, task=self.task)

    def predict_proba(self, x: ArrayLike | Split) -> NDArray[np.float32]:
        """Return class probabilities, float32, shape ``(rows, classes)``; or those of labels.

        Rows go through in batches of 1,024, in evaluation mode and without gradients; the
        mode of every submodule is left as it was.

        Args:
            x: Raw rows, shape ``(rows, *features)``, or a split.

        Raises:
            DataError: The rows have other features than those that were trained on.
            EnsembleError: A member cannot read the rows, or the task is a regression.
        """
        if self.targets.is_regression:
            raise EnsembleError(
                "a regression has no probabilities.",
                where=f"{self!r}.predict_proba",
                fix="ask for predict(x), which gives values.",
            )
        return self._predictions(x).astype(np.float32, copy=False)

    def predict(self, x: ArrayLike | Split) -> NDArray[Any]:
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

    def score(self, x: ArrayLike | Split, y: ArrayLike | None = None) -> dict[str, float]:
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
                preprocess=None if self.preprocess is None else self.preprocess.to_json(),
                facts=self.facts,
                targets=self.targets.to_dict(),
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
        preprocess = stored.preprocess
        ensemble = cls(
            members,
            stored.weights,
            classes=stored.classes,
            preprocess=None if preprocess is None else Preprocess.from_json(preprocess),
            facts=stored.facts,
            targets=Targets.from_dict(stored.targets),
        )
        return ensemble.eval()

    def _logits(self, index: int, x: Tensor) -> Tensor:
        logits = self.members[index](x)
        if logits.shape != (len(x), len(self.classes)):
            raise EnsembleError(
                f"member {index} answers in the shape {tuple(logits.shape)}.",
                where=f"{self!r} on {len(x)} rows",
                fix=f"use members that give outputs of shape (batch, {len(self.classes)}).",
            )
        return logits  # type: ignore[no-any-return]

    def _standardised(self, x: ArrayLike | Split) -> NDArray[np.float32]:
        if isinstance(x, Split):
            return x.x
        raw = np.asarray(x)
        rows = raw if self.preprocess is None else self.preprocess.apply(raw)
        standardised: NDArray[np.float32] = rows.astype(np.float32, copy=False)
        return standardised

    def _predictions(self, x: ArrayLike | Split) -> NDArray[Any]:
        """Return probabilities, float32, or values, float64, ``(rows, outputs)``."""
        rows = self._standardised(x)
        kind = np.float64 if self.targets.is_regression else np.float32
        found = np.empty((len(rows), len(self.classes)), dtype=kind)
        like = next(self.parameters(), self.log_weights)
        try:
            with _evaluating(self), torch.no_grad():
                for start in range(0, len(rows), _BATCH):
                    # A copy: torch refuses negative strides and warns of read-only arrays.
                    batch = torch.from_numpy(rows[start : start + _BATCH].copy()).to(like)
                    found[start : start + _BATCH] = answers(self(batch), self.targets)
        except RuntimeError as error:
            raise EnsembleError(
                f"a member cannot read rows of shape {rows.shape[1:]}: {error}",
                where=f"{self!r}.predict",
                fix="pass rows with the features that the members were trained on.",
            ) from error
        return found

    def _truth(self, x: ArrayLike | Split, y: ArrayLike | None) -> NDArray[Any]:
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
