"""Members of equal architecture that answer as one stack, as long as nobody changes them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from operator import is_

import torch
from torch import Tensor, nn

from ripieno.population import StackedAnswers, stack_answers

__all__ = ["MemberStacks"]

_FEWEST = 6
"""Members of a stack at least: fewer are quicker one by one."""
_PIECE = 256
"""Rows at a time: the activations of all members stay in the cache of a core."""

Group = tuple[int, ...]


@dataclass(slots=True, eq=False)
class MemberStacks:
    """Which members form stacks, found out once for each state of their tensors.

    The stacks hold copies. Where a tensor of any member was changed, moved, converted or put in
    the place of another since, they are made anew. ``nn.Module.modules`` and ``parameters``
    would take longer than small members take to answer, so what they found is kept.
    """

    _modules: list[tuple[nn.Module, tuple[object, ...]]] = field(default_factory=list)
    _tensors: list[Tensor] = field(default_factory=list)
    _marks: list[tuple[object, ...]] = field(default_factory=list)
    _found: list[tuple[Group, StackedAnswers]] = field(default_factory=list)

    def may_answer(self, members: nn.ModuleList) -> bool:
        """Say whether nothing forbids stacks: no gradients, no training mode, no export."""
        if len(members) < _FEWEST or torch.is_grad_enabled() or torch.compiler.is_compiling():
            return False
        known = bool(self._modules) and self._modules[0][0] is members
        if not known or any(_children(m) != found for m, found in self._modules):
            self._modules = [(module, _children(module)) for module in members.modules()]
        return not any(module.training for module, _ in self._modules[1:])

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
        tensors = [t for module, _ in self._modules for t in _own(module) if t is not None]
        marks: list[tuple[object, ...]]
        marks = [(t.data_ptr(), t._version, t.dtype) for t in tensors]  # noqa: SLF001 - torch's own mark of changes
        same = len(tensors) == len(self._tensors) and all(map(is_, tensors, self._tensors))
        if not same or marks != self._marks:
            self._tensors, self._marks = tensors, marks
            self._found = _stacks(members, reads, views)
        answers: dict[int, Tensor] = {}
        for group, stack in self._found:
            x = views[reads[group[0]]]
            both = torch.cat([stack(piece) for piece in torch.split(x, _PIECE)], dim=1)
            answers.update(zip(group, both, strict=True))
        return answers


def _children(module: nn.Module) -> tuple[object, ...]:
    return tuple(module._modules.values())  # noqa: SLF001 - children() leaves out repeats, slowly


def _own(module: nn.Module) -> tuple[Tensor | None, ...]:
    return (*module._parameters.values(), *module._buffers.values())  # noqa: SLF001 - parameters() walks


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
