"""Several optimizers as one, and Muon, which needs another one at its side."""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

__all__ = ["Together", "hidden_matrices", "muon"]


class Together(torch.optim.Optimizer):
    """Optimizers of different parameters, which step one after the other.

    Their groups of parameters and their state are its own, so that it is read and changed
    like any one of them.

    Args:
        parts: The optimizers; they are taken over.
    """

    def __init__(self, parts: Sequence[torch.optim.Optimizer]) -> None:
        super().__init__([group for part in parts for group in part.param_groups], {})
        self._parts = tuple(parts)
        for part in parts:
            part.state = self.state

    @torch.no_grad()
    def step(self, closure: Callable[[], Tensor] | None = None) -> Tensor | None:  # type: ignore[override]
        """Take one step with each."""
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for part in self._parts:
            part.step()
        return loss


def hidden_matrices(module: nn.Module) -> frozenset[str]:
    """Return the names of the parameters that Muon trains.

    Those are the trained parameters of two axes, but for embeddings and for the last one,
    which gives the outputs: the source leaves these to AdamW.
    """
    embeddings = {id(m.weight) for m in module.modules() if isinstance(m, nn.Embedding)}
    matrices = [name for name, p in module.named_parameters() if p.requires_grad and p.ndim == 2]
    own = dict(module.named_parameters())
    return frozenset(name for name in matrices[:-1] if id(own[name]) not in embeddings)


def muon(
    parameters: Sequence[tuple[str, nn.Parameter]],
    *,
    matrices: frozenset[str],
    lr: float,
    momentum: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> torch.optim.Optimizer:
    """Return ``torch.optim.Muon`` for matrices and ``torch.optim.AdamW`` for the others.

    Muon's steps are scaled to the size of AdamW's (``adjust_lr_fn="match_rms_adamw"``), so
    that one learning rate suits both.

    Args:
        parameters: Named parameters.
        matrices: Names of those that Muon trains.
        lr: Learning rate of both.
        momentum: Of Muon, which looks ahead along it.
        betas: Of AdamW.
        eps: Of AdamW.
        weight_decay: Decoupled, of both.

    Sources: Jordan et al., "Muon: An optimizer for hidden layers in neural networks",
    https://kellerjordan.github.io/posts/muon/, 2024; Liu et al., "Muon is scalable for LLM
    training", arXiv:2502.16982, 2025 (the scale of the steps).
    """
    hidden = [(name, p) for name, p in parameters if name in matrices]
    others = [(name, p) for name, p in parameters if name not in matrices]
    parts: list[torch.optim.Optimizer] = []
    if hidden:
        parts.append(
            torch.optim.Muon(
                hidden,
                lr=lr,
                momentum=momentum,
                weight_decay=weight_decay,
                adjust_lr_fn="match_rms_adamw",
            )
        )
    if others:
        parts.append(
            torch.optim.AdamW(
                others, lr=lr, betas=betas, eps=eps, weight_decay=weight_decay, foreach=False
            )
        )
    return Together(parts) if len(parts) > 1 else parts[0]
