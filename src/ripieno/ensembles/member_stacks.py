"""Members of equal architecture that answer as one stack, as long as nobody changes them."""

from collections.abc import Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor, nn

from ripieno.population import StackedAnswers, stack_answers

__all__ = ["MemberStacks", "may_stack"]

_FEWEST = 6
"""Members of a stack at least: fewer are quicker one by one."""
_PIECE = 256
"""Rows at a time: the activations of all members stay in the cache of a core."""

Group = tuple[int, ...]


@dataclass(slots=True, eq=False)
class MemberStacks:
    """Which members form stacks, found out once for each state of their tensors.

    The stacks hold copies. Where a tensor of any member was changed, moved or converted since,
    they are made anew.
    """

    _state: tuple[object, ...] = ()
    _found: list[tuple[Group, StackedAnswers]] = field(default_factory=list)

    @property
    def groups(self) -> list[Group]:
        """The members of each stack, by their numbers, as they answered last."""
        return [group for group, _ in self._found]

    def outputs(
        self, members: nn.ModuleList, reads: Sequence[int], views: Sequence[Tensor]
    ) -> dict[int, Tensor]:
        """Return what those members give that form stacks, by their numbers.

        Args:
            members: All in evaluation mode, outside of gradients.
            reads: The number of each member's view.
            views: The rows as the members read them, one tensor a preprocessing.
        """
        if not len(views[0]):
            return {}
        state = tuple(
            (tensor.data_ptr(), tensor._version, tensor.dtype)  # noqa: SLF001 - torch's own mark of changes
            for tensor in [*members.parameters(), *members.buffers()]
        )
        if state != self._state:
            self._state, self._found = state, _stacks(members, reads, views)
        answers: dict[int, Tensor] = {}
        for group, stack in self._found:
            x = views[reads[group[0]]]
            both = torch.cat([stack(piece) for piece in torch.split(x, _PIECE)], dim=1)
            answers.update(zip(group, both, strict=True))
        return answers


def may_stack(members: nn.ModuleList) -> bool:
    """Say whether nothing forbids stacks: no gradients, no training mode, no export."""
    return not (
        len(members) < _FEWEST
        or torch.is_grad_enabled()
        or torch.compiler.is_compiling()
        or any(part.training for part in members.modules() if part is not members)
    )


def _stacks(
    members: nn.ModuleList, reads: Sequence[int], views: Sequence[Tensor]
) -> list[tuple[Group, StackedAnswers]]:
    groups: dict[tuple[object, ...], list[int]] = {}
    for number, member in enumerate(members):
        shapes = tuple((name, p.shape) for name, p in member.named_parameters())
        groups.setdefault((reads[number], type(member), shapes), []).append(number)
    found = []
    for (view, *_), group in groups.items():
        if len(group) < _FEWEST:
            continue
        assert isinstance(view, int)  # noqa: S101 - as it was put in above
        stack = stack_answers([members[number] for number in group], views[view])
        if stack is not None:
            found.append((tuple(group), stack))
    return found
