"""What a step does to the batches of all rows; see :mod:`ripieno.recipes.mixing`."""

from collections.abc import Callable, Mapping

from torch import Tensor

from ripieno.recipes import Mixing, add_noise, mix_inputs, mix_losses, partners, take

__all__ = ["alter_inputs", "alter_losses", "mixing_of"]


def mixing_of(batch: Mapping[str, Tensor]) -> Mixing:
    """Return how the examples of a batch are mixed."""
    return Mixing(batch["mix/share"], batch["mix/blend"], batch["mix/box"])


def alter_inputs(
    arrays: Mapping[str, Tensor],
    batch: Mapping[str, Tensor],
    uses: frozenset[str],
    *,
    shared: bool = False,
) -> Tensor:
    """Return what the models see of a batch.

    Args:
        arrays: The arrays of a stack.
        batch: Of the stack, all tensors ``(members, ...)``, or of one row without that axis.
        uses: What any row uses.
        shared: Whether all rows are given the same inputs; after a change each has its own.
    """
    x, keys = batch["x"], batch["keys"]
    if not uses & {"mixup", "cutmix", "input_noise"}:
        return x
    if shared and keys.ndim:
        x = x.unsqueeze(0).expand(len(keys), *x.shape)
    if uses & {"mixup", "cutmix"}:
        chosen = partners(keys, x.shape[keys.ndim])
        x = mix_inputs(x, chosen, mixing_of(batch), boxes="cutmix" in uses)
    if "input_noise" in uses:
        x = add_noise(x, keys, arrays["hyper/input_noise"])
    return x


def alter_losses(
    loss: Callable[[Tensor], tuple[Tensor, Tensor]],
    batch: Mapping[str, Tensor],
    uses: frozenset[str],
) -> tuple[Tensor, Tensor]:
    """Return losses and weights, ``(members, batch)``, against all targets in a batch.

    Args:
        loss: A function of targets to losses and weights.
        batch: As for :func:`alter_inputs`.
        uses: What any row uses.
    """
    y = batch["y"]
    losses, weights = loss(y)
    if not uses & {"mixup", "cutmix"}:
        return losses, weights
    keys, share = batch["keys"], batch["mix/share"]
    chosen = partners(keys, y.shape[keys.ndim])
    other_losses, other_weights = loss(take(y, chosen))
    return mix_losses(losses, other_losses, share), mix_losses(weights, other_weights, share)
