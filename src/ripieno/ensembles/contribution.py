"""What one more model adds to an ensemble."""

from dataclasses import dataclass

import numpy as np

from ripieno.ensembles.predictions import Predictions
from ripieno.ensembles.selection import greedy_selection, own_losses

__all__ = ["Contribution"]


@dataclass(frozen=True, slots=True, eq=False)
class Contribution:
    """An ensemble, and how good it would be with one more member.

    Args:
        pooled: What the ensemble says, as predictions of one member; None for no ensemble.
        members: How many models it is made of.
    """

    pooled: Predictions | None = None
    members: int = 0

    @classmethod
    def of(cls, library: Predictions | None) -> "Contribution":
        """Select an ensemble greedily from a library; None is the empty one."""
        if library is None:
            return cls()
        weights = greedy_selection(library, bags=0)
        pooled = Predictions(
            library.mean(weights)[None], library.targets, ("the ensemble",),
            library.fingerprint, library.task,
        )  # fmt: skip
        return cls(pooled, int(np.count_nonzero(weights)))

    def loss_with(self, model: Predictions) -> float:
        """Return the loss of the ensemble with a model added; that of the model to an empty one.

        The model has the weight of one among ``members + 1``, whatever would be best: so
        models that add nothing are still told apart by how much they would spoil.

        Args:
            model: The predictions of one model on the ensemble's rows.

        Raises:
            EnsembleError: They are of other rows.
        """
        if self.pooled is None:
            return float(own_losses(model)[0])
        both = Predictions.stack([self.pooled, model])
        share = 1 / (self.members + 1)
        mixed = both.mean([1 - share, share])[None]
        joined = Predictions(mixed, both.targets, ("joined",), both.fingerprint, both.task)
        return float(own_losses(joined)[0])
