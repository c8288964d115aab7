"""Members that are several models each: pooled first, then combined."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, ClassVar

import torch
from torch import Tensor

from ripieno.ensembles.rules import Rule, pooled
from ripieno.errors import EnsembleError
from ripieno.recipes import TaskName

__all__ = ["GroupedRule"]


class GroupedRule(Rule):
    """A rule of members that are models of several folds or seeds.

    The models of a member answer by their mean, with equal weights; the rule combines those.

    Args:
        rule: The rule of the members.
        groups: The number of each model's member, rising.
        task: The task.
    """

    name: ClassVar[str] = "grouped"

    def __init__(
        self, rule: Rule, groups: Sequence[int], *, task: TaskName = "classification"
    ) -> None:
        super().__init__(task=task)
        if list(groups) != sorted(groups) or set(groups) != set(range(len(rule.shares))):
            raise EnsembleError(
                f"the groups {list(groups)} are not those of {len(rule.shares)} members.",
                where="GroupedRule",
                fix="give the number of each model's member, from 0, one member after the other.",
            )
        self.rule, self.groups = rule, tuple(groups)
        self.reads_embedding = rule.reads_embedding

    def forward(self, scores: Tensor, embedding: Tensor | None = None) -> Tensor:
        """Return the ensemble's scores; see :meth:`Rule.forward`."""
        members = []
        for number in range(len(self.rule.shares)):
            own = scores[self.groups.index(number) :][: self.groups.count(number)]
            shares = torch.full_like(own[:, :1, :1], 1 / len(own))
            members.append(pooled(own, shares.log(), shares=shares, task=self.task))
        combined: Tensor = self.rule(torch.stack(members), embedding)
        return combined

    @property
    def shares(self) -> tuple[float, ...]:
        """How much each model counts: a member shares its part out to its models."""
        whole = self.rule.shares
        return tuple(whole[number] / self.groups.count(number) for number in self.groups)

    def options(self) -> dict[str, Any]:
        """Return what the rule of the members is built from."""
        inner = {"name": self.rule.name, "options": self.rule.options()}
        return {"inner": inner, "groups": list(self.groups), "task": self.task}

    def tensors(self) -> dict[str, Tensor]:
        """Return the tensors of the rule of the members."""
        return self.rule.tensors()

    @classmethod
    def rebuilt(
        cls,
        known: Mapping[str, Callable[..., Rule]],
        *,
        inner: Mapping[str, Any],
        groups: Sequence[int],
        task: TaskName,
        **tensors: Tensor,
    ) -> "GroupedRule":
        """Build a rule again from its options and tensors.

        Args:
            known: The rules by name.
            inner: Name and options of the rule of the members.
            groups: See the class.
            task: The task.
            tensors: Those of the rule of the members.
        """
        return cls(known[inner["name"]](**inner["options"], **tensors), groups, task=task)

    def keep(self, members: Sequence[int]) -> Rule:
        """Return the rule of some members' models, of which none may be left out.

        Raises:
            EnsembleError: A member would lose some of its models.
        """
        wanted = {self.groups[model] for model in members}
        whole = [model for model, number in enumerate(self.groups) if number in wanted]
        if whole != sorted(members):
            raise EnsembleError(
                "a member would lose some of its models.",
                where="GroupedRule.keep",
                fix="keep all models of a member, or none.",
            )
        numbers = sorted(wanted)
        groups = [numbers.index(self.groups[model]) for model in whole]
        return GroupedRule(self.rule.keep(numbers), groups, task=self.task)
