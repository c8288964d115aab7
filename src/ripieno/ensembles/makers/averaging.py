"""Averages of weights, and the statistics of batch norms that an average has to learn anew.

Source: Izmailov et al., "Averaging weights leads to wider optima and better generalization",
UAI 2018.
"""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor, nn

from ripieno.recipes import Stream, pieces

__all__ = ["average", "refresh_statistics"]

_NORM = nn.modules.batchnorm._BatchNorm  # noqa: SLF001 - torch offers no public base


def average(
    models: Sequence[Mapping[str, Tensor]], weights: Sequence[float] | None = None
) -> dict[str, Tensor]:
    """Return the weighted mean of states of one module.

    Numbers are averaged in float64; whole numbers and booleans are those of the last state.

    Args:
        models: What ``state_dict`` returned; left unchanged.
        weights: One a state, of any sum above zero; equal where absent.
    """
    shares = torch.tensor(weights or [1.0] * len(models), dtype=torch.float64)
    shares = shares / shares.sum()
    mixed = {}
    for name, last in models[-1].items():
        if not last.is_floating_point():
            mixed[name] = last.clone()
            continue
        mean = sum(
            share * model[name].double() for share, model in zip(shares, models, strict=True)
        )
        mixed[name] = torch.as_tensor(mean).to(last.dtype)
    return mixed


def refresh_statistics(module: nn.Module, x: Tensor | Stream, *, batch_size: int = 256) -> bool:
    """Measure the running statistics of every batch norm anew, in place.

    Each becomes the mean over the batches, all of which count alike. Everything else stays in
    evaluation mode and keeps its numbers; so does the mode that each part is in.

    Args:
        module: The model.
        x: Rows as the model reads them; all are gone through once.
        batch_size: Rows at a time.

    Returns:
        Whether there is any batch norm with running statistics; without one nothing is run.
    """
    norms = [m for m in module.modules() if isinstance(m, _NORM) and m.track_running_stats]
    if not norms:
        return False
    modes = [(part, part.training) for part in module.modules()]
    momenta = [norm.momentum for norm in norms]
    dtype = next(module.parameters()).dtype
    module.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # torch's word for a mean over all batches
        norm.train()
    with torch.no_grad():
        for number, batch in enumerate(pieces(x, batch_size)):
            # A single row left over has no variance.
            if number == 0 or len(batch) > 1:
                module(batch.to(dtype))
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    for part, training in modes:
        part.training = training
    return True
