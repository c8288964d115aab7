"""From trained states to one ensemble."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from ripieno.ensembles.combination import Combiner, fit_combiner
from ripieno.ensembles.combiners import CombinerName, make_combiner
from ripieno.ensembles.ensemble import Ensemble
from ripieno.ensembles.rules import Rule, SoftRule
from ripieno.errors import EnsembleError
from ripieno.recipes import Data, Recipe, arrange, as_tensor, build_model
from ripieno.space import Config

__all__ = ["Member", "assemble", "combined", "members_of", "module_of"]


@dataclass(frozen=True, slots=True, eq=False)
class Member:
    """What a member is built from.

    Args:
        id: What it is called.
        config: Its config.
        model: What its module's ``state_dict`` is.
    """

    id: str
    config: Config
    model: Mapping[str, Tensor]


def module_of(recipe: Recipe, data: Data, member: Member) -> nn.Module:
    """Return a member's module with its weights, in evaluation mode."""
    example = as_tensor(data.train.x[:2])
    module = build_model(recipe, member.config, seed=0, example=example)
    module.load_state_dict(dict(member.model))
    return arrange(recipe, module.eval(), torch.device("cpu"), example=example)


def assemble(
    recipe: Recipe,
    data: Data,
    members: Sequence[Member],
    *,
    rule: Rule | None = None,
    facts: Mapping[str, Any] | None = None,
) -> Ensemble:
    """Return members as one ensemble.

    Args:
        recipe: What they were trained by; its name stands in the ensemble's file.
        data: What they were trained on.
        members: At least one.
        rule: How they are combined; a soft vote of equal weights where absent.
        facts: More that is to be kept with the ensemble, JSON-able.
    """
    told = [{"id": m.id, "recipe": recipe.name, "config": dict(m.config)} for m in members]
    return Ensemble(
        [module_of(recipe, data, member) for member in members],
        classes=data.classes,
        preprocess=data.preprocess,
        facts={
            **(facts or {}),
            "input_shape": list(data.shape),
            "numbers": data.preprocess.numbers,
            "cardinalities": list(data.preprocess.cardinalities),
            "members": told,
        },
        coding=data.coding,
        rule=rule or SoftRule([1.0] * len(members), task=data.task),
    ).eval()


def members_of(ensemble: Ensemble) -> list[Member]:
    """Return what the members of an ensemble that a maker made are built from.

    Raises:
        EnsembleError: A maker whose members have numbers did not make it.
    """
    told = (ensemble.facts or {}).get("members", [])
    numbered = len(told) == len(ensemble.members) > 0
    if not numbered or not all(str(one["id"]).isdecimal() for one in told):
        raise EnsembleError(
            f"{ensemble!r} was not made of members that are independent of each other.",
            where="fit_more(ensemble, …)",
            fix="pass what make(…) of the same maker returned, or what was loaded from it.",
        )
    return [
        Member(str(one["id"]), Config(one["config"]), module.state_dict())
        for one, module in zip(told, ensemble.members, strict=True)
    ]


def combined(ensemble: Ensemble, data: Data, combiner: CombinerName | Combiner | None) -> Ensemble:
    """Return the ensemble with a combiner fitted on the validation part; None leaves it."""
    if combiner is None:
        return ensemble
    found = fit_combiner(make_combiner(combiner), ensemble.predictions(data.validation)).trimmed()
    facts = dict(ensemble.facts or {})
    facts["members"] = [facts["members"][member] for member in found.members]
    return ensemble.replaced(
        members=[ensemble.members[member] for member in found.members],
        rule=found.rule,
        facts=facts,
    )
