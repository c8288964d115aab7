"""From the knobs of all rows to one stacked optimizer and one tensor a hyperparameter."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor, nn

from ripieno.population.optimizers import FAMILIES, SGD, Muon, Optimizer
from ripieno.recipes import (
    BILEVEL,
    LOSS_OPTIONS,
    Knobs,
    bilevel_names,
    depths,
    hidden_matrices,
    rate_rule,
    rate_scale,
    rate_scales,
    tuned_groups,
)

__all__ = ["common", "hyperparameters", "stacked_optimizer", "tuned_hyper", "used"]

_STRENGTHS = (
    "l1",
    "max_norm",
    "gradient_clip",
    "gradient_clip_value",
    "mixup",
    "cutmix",
    "input_noise",
)
_PLANNED = frozenset({"mixup", "cutmix", "rate_scales"}) | LOSS_OPTIONS
"""What a step uses without a number of each row's own by that name."""


def common(knobs: Knobs) -> str:
    """Return the knobs in which the rows of a stack must agree, as text."""
    own = knobs.decoupled_weight_decay
    tuned = f"{knobs.hypergradient} {knobs.hypergradient_strength}"
    return f"{knobs.optimizer} {knobs.nesterov} {own} {knobs.batch_size} {tuned}"


def used(knobs: Sequence[Knobs]) -> frozenset[str]:
    """Return which regularisers any row uses."""
    names = {name for name in _STRENGTHS if any(getattr(own, name) for own in knobs)}
    if any(own.backbone_lr != 1.0 or own.layer_decay != 1.0 for own in knobs):
        names.add("rate_scales")
    return frozenset(names)


def stacked_optimizer(model: nn.Module, knobs: Sequence[Knobs]) -> Optimizer:
    """Return the optimizer of rows that agree in :func:`common`.

    Args:
        model: Any row's model.
        knobs: Each row's knobs.
    """
    first, knobs = knobs[0], _without_groups(knobs)
    family = FAMILIES[first.optimizer]
    wanted = {"momentum", "weight_decay"} & set(family.defaults)
    uses = frozenset(name for name in wanted if any(getattr(own, name) > 0 for own in knobs))
    own: dict[str, Any] = {
        "uses": uses,
        "decoupled_weight_decay": first.decoupled_weight_decay,
        "online": rate_rule(first),
        "tuned": bilevel_names(first.hypergradient),
    }
    if family is SGD:
        nesterov = first.nesterov and "momentum" in uses
        return SGD(**own, nesterov=nesterov)
    if family is Muon:
        matrices = hidden_matrices(model)
        return Muon(**own, matrices=matrices)
    return family(**own)


def hyperparameters(
    model: nn.Module, knobs: Sequence[Knobs], uses: frozenset[str]
) -> dict[str, Tensor]:
    """Return every row's numbers by name, float64, ``(members,)``.

    A hyperparameter of the optimizer that is no knob has torch's default.

    Args:
        model: Any row's model.
        knobs: Each row's knobs.
        uses: What :func:`used` returned.
    """
    knobs = _without_groups(knobs)
    numbers = {
        name: [float(getattr(own, name, default)) for own in knobs]
        for name, default in FAMILIES[knobs[0].optimizer].defaults.items()
    }
    for name in sorted(uses - _PLANNED):
        numbers[name] = [float(getattr(own, name)) for own in knobs]
    if "rate_scales" in uses:
        for own in knobs:
            rate_scales(model, own)  # refuses a model without a backbone
        for depth in set(depths(model).values()):
            numbers[f"rate_scale_{depth}"] = [rate_scale(own, depth) for own in knobs]
    return {n: torch.tensor(values, dtype=torch.float64) for n, values in numbers.items()}


def tuned_hyper(
    model: nn.Module, knobs: Sequence[Knobs], hyper: Mapping[str, Tensor]
) -> dict[str, Tensor]:
    """Return what tunes itself on the validation part, and where it begins, as ``first_<name>``.

    Args:
        model: Any row's model.
        knobs: Each row's knobs.
        hyper: What :func:`hyperparameters` returned, and the options of the losses.
    """
    found: dict[str, Tensor] = {}
    names = bilevel_names(knobs[0].hypergradient)
    groups = tuned_groups(names, [n for n, p in model.named_parameters() if p.requires_grad])
    for name in names:
        numbers = hyper.get(name)
        if numbers is None:
            chosen = [float(getattr(own, BILEVEL[name])) for own in knobs]
            numbers = torch.tensor(chosen, dtype=torch.float64)
        if groups is not None and name == groups[0]:
            numbers = numbers.unsqueeze(1).repeat(1, len(groups[1].names))
        found |= {name: numbers, f"first_{name}": numbers.clone()}
    return found


def _without_groups(knobs: Sequence[Knobs]) -> list[Knobs]:
    """Leave the optimizers without a weight decay where each group of parameters has its own."""
    if tuned_groups(bilevel_names(knobs[0].hypergradient), ()) is None:
        return list(knobs)
    return [replace(own, weight_decay=0.0) for own in knobs]
