"""What an optimizer keeps for each parameter, found out by one step of it."""

import copy
from collections.abc import Mapping
from types import MappingProxyType

import torch
from torch import Tensor, nn

from ripieno.errors import RecipeError
from ripieno.recipes.bilevel_knobs import bilevel_names
from ripieno.recipes.knobs import Knobs
from ripieno.recipes.online_rate import ONLINE, PREVIOUS, rate_rule
from ripieno.recipes.optimizers import (
    OPTIMIZERS,
    OptimizerFactory,
    build_optimizer,
    put_in_mode,
    state_slots,
)
from ripieno.recipes.tuner import tuned_slots
from ripieno.space import Value

__all__ = ["kept_slots"]

Slots = Mapping[str, Mapping[str, type]]
"""For every trained parameter what is kept for it, and its type: Tensor, int, float, bool."""


def kept_slots(
    module: nn.Module,
    knobs: Knobs,
    *,
    config: Mapping[str, Value] = MappingProxyType({}),
    own: Mapping[str, OptimizerFactory] = MappingProxyType({}),
) -> Slots:
    """Return what the optimizer of a module will keep for each trained parameter.

    That of muon and of a user's own is read off one step of a copy of the module.

    Args:
        module: The model.
        knobs: Its knobs.
        config: The config.
        own: The recipe's own optimizers by name.

    Raises:
        RecipeError: The optimizer keeps something that cannot be stored.
    """
    trained = [(name, p) for name, p in module.named_parameters() if p.requires_grad]
    online = {} if rate_rule(knobs) is None else dict.fromkeys((PREVIOUS, *ONLINE), Tensor)
    tuned = tuned_slots(bilevel_names(knobs.hypergradient))
    online |= dict.fromkeys([*tuned, "tuned_steps"], Tensor) if tuned else {}
    if knobs.optimizer in OPTIMIZERS and knobs.optimizer not in own and knobs.optimizer != "muon":
        known: dict[str, type] = dict.fromkeys(sorted(state_slots(knobs)), Tensor)
        return {name: known | online for name, _ in trained}
    twin = copy.deepcopy(module)
    optimizer = build_optimizer(twin, knobs, config=config, own=own)
    copies = dict(twin.named_parameters())
    for name, _ in trained:
        copies[name].grad = torch.full_like(copies[name], 1e-3)
    put_in_mode(optimizer, training=True)
    optimizer.step()
    return {
        name: _read(optimizer.state.get(copies[name], {}), knobs.optimizer) | online
        for name, _ in trained
    }


def _read(slots: Mapping[str, object], optimizer: str) -> dict[str, type]:
    found: dict[str, type] = {}
    for slot, value in slots.items():
        if value is None:
            continue
        kind = next((k for k in (Tensor, bool, int, float) if isinstance(value, k)), None)
        if kind is None:
            raise RecipeError(
                f"{optimizer!r} keeps {slot!r}, a {type(value).__name__}, which is not stored.",
                where="the optimizer's state",
                fix="keep tensors or numbers for each parameter.",
            )
        found[slot] = kind
    return found
