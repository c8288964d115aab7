"""Several models that answer as one: made from a search, calibrated, pruned, stored, exported."""

import hashlib
from collections.abc import Callable
from os import PathLike
from typing import TYPE_CHECKING, Any, Self

import numpy as np
import torch
from numpy.typing import ArrayLike, NDArray
from torch import Tensor, nn

from ripieno.ensembles import folders
from ripieno.ensembles.calibrators import CalibrationName, calibrate
from ripieno.ensembles.combining import as_answers
from ripieno.ensembles.pooled_model import PooledModel
from ripieno.ensembles.predictions import Predictions
from ripieno.ensembles.rebuilding import rebuild, rebuild_parts
from ripieno.ensembles.rules import Rule
from ripieno.ensembles.stored import Stored
from ripieno.errors import EnsembleError
from ripieno.recipes import Coding, Preprocess, Split, Table
from ripieno.space import Config

if TYPE_CHECKING:
    from ripieno.ensembles.card import EnsembleCard

__all__ = ["Ensemble"]


class Ensemble(PooledModel):
    """Several models that answer as one: the weighted mean of their probabilities, or by a rule.

    As a module it maps standardised rows to log-probabilities: it can be moved, exported,
    used as a member of another ensemble, or trained on with ``nn.NLLLoss``. Where a row may
    have several labels, it gives the log-odds of each one's mean probability, and for a
    regression the mean value in the target's own units. The other methods take rows as the
    user's files hold them, and apply the preprocessing; a :class:`~ripieno.recipes.Split` is
    standardised already and is taken as it is.

    Args:
        members: Modules that map ``(batch, *features)`` to logits ``(batch, classes)``.
        weights: Shares of the members in a soft vote, positive; divided by their sum. None
            where a ``rule`` is given.
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
        rule: How the members' scores become one answer; a soft vote where absent.
        calibrator: What the rule's scores go through at last; see :meth:`calibrate`.
        embed: Maps standardised rows (by the first preprocessing) to where they lie,
            ``(batch, dims)``, for a rule that reads it.

    Raises:
        EnsembleError: No member, weights that are not positive numbers, one a member, fewer
            than two classes, a class twice, ``reads`` that name no preprocessing, or facts
            that are incomplete.
    """

    def predictions(self, x: ArrayLike | Split | Table, y: ArrayLike | None = None) -> Predictions:
        """Return what each member says of the rows, beside their targets.

        Args:
            x: Raw rows, or a split, which holds its targets.
            y: Targets of raw rows; see :meth:`score`.

        Raises:
            EnsembleError: There are no targets, or a member cannot read the rows.
        """
        truth, mark = self._truth(x, y), hashlib.sha256()

        def answer(scores: Tensor, views: tuple[Tensor, ...]) -> NDArray[Any]:
            mark.update(views[0].cpu().numpy().tobytes())
            return as_answers(scores, self.task)

        parts = self._each_batch(x, answer)
        told = self.facts["members"] if self.facts else [{"id": "member"}] * len(self.members)
        ids = tuple(f"{number}: {each['id']}" for number, each in enumerate(told))
        rows = f"rows {mark.hexdigest()[:16]}"
        return Predictions(np.concatenate(parts, axis=1), truth, ids, rows, self.task)

    def calibrate(
        self,
        x: ArrayLike | Split | Table,
        y: ArrayLike | None = None,
        *,
        method: CalibrationName = "temperature",
    ) -> "Ensemble":
        """Return the ensemble with calibrated probabilities; the members are shared.

        The members are pooled first; one that was calibrated before is calibrated anew.

        Args:
            x: Raw rows or a split that neither training nor selection has seen; and not those
                that the result will be measured on.
            y: Targets of raw rows; see :meth:`score`.
            method: ``temperature``, ``vector`` or ``isotonic``.

        Raises:
            EnsembleError: There are no targets, no such method, or it is a regression.
        """
        plain = self.replaced(calibrator=None)
        answers, truth = plain.answers(x), plain._truth(x, y)  # noqa: SLF001 - its own kind
        return self.replaced(calibrator=calibrate(answers, truth, method=method, task=self.task))

    def prune(
        self,
        on: Split | None = None,
        *,
        members: int | None = None,
        parameters: float | None = None,
        latency_ms: float | None = None,
    ) -> "Ensemble":
        """Return a cheaper ensemble of some of the members.

        Args:
            on: Rows to select on again, greedily; they must not have been trained on. Without
                them the members that count most are kept, with their weights.
            members: The most members.
            parameters: The most numbers, of all members together.
            latency_ms: The most milliseconds for one row, measured here, one member after the
                other.

        Raises:
            EnsembleError: No member is within the limits, or the rule was fitted for all its
                members together and no rows are given.
        """
        from ripieno.ensembles.pruning import prune

        return prune(self, on, members=members, parameters=parameters, latency_ms=latency_ms)

    def distill(self, model: nn.Module, rows: Split, **options: Any) -> "Ensemble":
        """Train one model to answer as the ensemble does; see :func:`ripieno.ensembles.distill`."""
        from ripieno.ensembles.distilling import distill

        return distill(self, model, rows, **options)

    def export(self, path: str | PathLike[str], example: Tensor | None = None) -> None:
        """Write the ensemble as one graph: ``.pt2`` or ``.onnx``; see ``ensembles.export``."""
        from ripieno.ensembles.exporting import export

        export(self, path, example)

    def report(
        self,
        x: ArrayLike | Split | Table,
        y: ArrayLike | None = None,
        *,
        single: int | None = None,
    ) -> "EnsembleCard":
        """Measure the ensemble and its members on rows that nothing was chosen on.

        Args:
            x: Raw rows or a split.
            y: Targets of raw rows; see :meth:`score`.
            single: The member to compare with: the one that looked best on the rows that the
                ensemble was selected on. The one that counts most where absent.

        Raises:
            EnsembleError: There are no targets, or a member cannot read the rows.
        """
        from ripieno.ensembles.card import make_card

        return make_card(self, x, y, single=single)

    def example(self, rows: int = 2) -> Tensor:
        """Return rows of zeros as the members read them, ``(rows, *features)``.

        Raises:
            EnsembleError: The ensemble has no facts that tell the shape of a row.
        """
        if self.facts is None:
            raise EnsembleError(
                "it is not known what shape the rows have.",
                where=f"{self!r}",
                fix="pass an example, or facts={'input_shape': …, 'members': […]}.",
            )
        some = next(self.parameters(), None)
        dtype = None if some is None else some.dtype
        return torch.zeros(rows, *self.facts["input_shape"], dtype=dtype)

    def replaced(self, **changes: Any) -> "Ensemble":
        """Return an ensemble of the same members with other arguments."""
        arguments: dict[str, Any] = {
            "members": self.members, "classes": self.classes, "preprocess": self.preprocesses,
            "reads": self.reads, "facts": self.facts, "coding": self.codings, "rule": self.rule,
            "calibrator": self.calibrator, "embed": self.embed, **changes,
        }  # fmt: skip
        if "members" in changes and "reads" not in changes and len(self.preprocesses) < 2:
            arguments["reads"] = None
        made = Ensemble(**arguments)
        made.training = self.training  # and not `train()`: members may be frozen in evaluation mode
        return made

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
                rule={"name": self.rule.name, "options": self.rule.options()},
                calibrator=None
                if self.calibrator is None
                else {"name": self.calibrator.name, "options": self.calibrator.options()},
            ),
            [member.state_dict() for member in self.members],
            parts={
                "rule": self.rule.tensors(),
                "calibrator": {} if self.calibrator is None else self.calibrator.tensors(),
                "embed": {} if self.embed is None else self.embed.state_dict(),
            },
        )

    @classmethod
    def load(
        cls,
        folder: str | PathLike[str],
        model: Callable[[Config], nn.Module] | None = None,
        *,
        rule: Callable[..., Rule] | None = None,
        embed: nn.Module | None = None,
    ) -> Self:
        """Read what :meth:`save` wrote; the ensemble is in evaluation mode and on the CPU.

        Nothing is unpickled: the members are built from their configs and given the stored
        tensors. The global random state is left as it was.

        Args:
            folder: The folder.
            model: The factory that the search was given; not needed for built-in recipes.
            rule: The class of a rule of your own.
            embed: A module like the one that maps rows to where they lie, if there was one;
                it is given its stored tensors.

        Raises:
            ArtifactError: A file is missing or damaged.
            EnsembleError: A member, or the rule, cannot be built, or does not fit its tensors.
        """
        stored, states, tensors = folders.read(folder)
        parts = rebuild_parts(stored, tensors, rule=rule, embed=embed)
        ensemble = cls(
            rebuild(stored, states, model),
            stored.weights if parts["rule"] is None else None,
            classes=stored.classes,
            preprocess=[Preprocess.from_json(text) for text in stored.preprocesses],
            reads=stored.reads,
            facts=stored.facts,
            coding=[Coding.from_dict(each) for each in stored.codings],
            **parts,
        )
        return ensemble.eval()
