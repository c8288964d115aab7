"""One model that answers as an ensemble does.

Source: Hinton, Vinyals, Dean, Distilling the knowledge in a neural network, 2015.
"""

from typing import TYPE_CHECKING

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ripieno.ensembles.fitted import scores_of
from ripieno.ensembles.rules import SoftRule
from ripieno.ensembles.views import standardised
from ripieno.errors import EnsembleError
from ripieno.recipes import Split

if TYPE_CHECKING:
    from ripieno.ensembles.ensemble import Ensemble

__all__ = ["distill"]


def distill(
    ensemble: "Ensemble",
    model: nn.Module,
    rows: Split,
    *,
    epochs: int = 50,
    lr: float = 1e-3,
    batch_size: int = 64,
    temperature: float = 2.0,
    hard_share: float = 0.1,
    seed: int = 0,
) -> "Ensemble":
    """Train a model on what an ensemble says of rows, and return it as an ensemble of one.

    The loss is the cross entropy between the ensemble's and the model's probabilities, both
    softened by the temperature and scaled by its square, and a share of the true targets'
    loss. Of a regression it is the squared error on the ensemble's values, in the units that
    the first member was trained in.

    Args:
        ensemble: The teacher; left unchanged.
        model: The student, trained in place with AdamW under a cosine schedule; it reads what
            the first preprocessing gives.
        rows: Training rows; targets may be absent from the loss, see ``hard_share``.
        epochs: Times that all rows are gone through.
        lr: The highest learning rate.
        batch_size: Rows of a step.
        temperature: At least 1; above it the unlikely classes are listened to as well.
        hard_share: Share of the true targets in the loss, in [0, 1].
        seed: Of the order of the rows. The model's own dropout draws from torch's generator.

    Returns:
        An ensemble of the one model: it predicts, scores, calibrates and exports. It cannot be
        saved as a folder unless it is given facts: ``replaced(facts=…)``.

    Raises:
        EnsembleError: An option is out of range, or the training has diverged.
    """
    if not (epochs >= 1 and batch_size >= 1 and temperature >= 1 and 0 <= hard_share <= 1):
        raise EnsembleError(
            f"epochs = {epochs}, batch_size = {batch_size}, temperature = {temperature} and "
            f"hard_share = {hard_share} cannot be trained with.",
            where="distill",
            fix="use epochs and batch_size from 1, a temperature from 1, a share in [0, 1].",
        )
    x = torch.from_numpy(np.array(standardised(rows, ensemble.preprocesses)[0][:]))
    soft, hard = _targets(ensemble, rows)
    generator = torch.Generator().manual_seed(seed)
    optimizer = torch.optim.AdamW(model.parameters(), lr=lr)
    steps = epochs * -(-len(x) // batch_size)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, T_max=steps)
    model.train()
    for _ in range(epochs):
        for batch in torch.split(torch.randperm(len(x), generator=generator), batch_size):
            optimizer.zero_grad()
            loss = _loss(
                model(x[batch]), soft[batch], hard[batch],
                task=ensemble.task, temperature=temperature, hard_share=hard_share,
            )  # fmt: skip
            loss.backward()  # type: ignore[no-untyped-call]  # torch leaves it untyped
            optimizer.step()
            schedule.step()
            if not torch.isfinite(loss):
                raise EnsembleError(
                    f"the loss of the student is {float(loss.detach())}.",
                    where=f"distill(lr={lr})",
                    fix="use a lower learning rate.",
                )
    return ensemble.replaced(
        members=[model.eval()],
        reads=[0],
        facts=None,
        rule=SoftRule([1.0], task=ensemble.task),
        calibrator=None,
        embed=None,
        coding=ensemble.codings[0],
        preprocess=ensemble.preprocesses[:1],
    )


def _targets(ensemble: "Ensemble", rows: Split) -> tuple[Tensor, Tensor]:
    """Return what the student learns: the ensemble's scores, and the true targets."""
    coding = ensemble.codings[0]
    hard = coding.encode(rows.y, torch.float32)
    if ensemble.task == "regression":
        values = ensemble.predict(rows).reshape(len(rows.y), -1)
        return coding.encode(values, torch.float32), hard
    return scores_of(ensemble.predict_proba(rows), ensemble.task).float(), hard


def _loss(
    outputs: Tensor,
    soft: Tensor,
    hard: Tensor,
    *,
    task: str,
    temperature: float,
    hard_share: float,
) -> Tensor:
    if task == "regression":
        return (1 - hard_share) * F.mse_loss(outputs, soft) + hard_share * F.mse_loss(outputs, hard)
    # Gradients shrink with the square of the temperature: Hinton et al., section 2.
    scale = temperature**2
    if task == "multilabel":
        wanted = torch.sigmoid(soft / temperature)
        taught = scale * F.binary_cross_entropy_with_logits(outputs / temperature, wanted)
        own = F.binary_cross_entropy_with_logits(outputs, hard)
    else:
        wanted = F.softmax(soft / temperature, dim=1)
        taught = scale * F.cross_entropy(outputs / temperature, wanted)
        own = F.cross_entropy(outputs, hard)
    return (1 - hard_share) * taught + hard_share * own
