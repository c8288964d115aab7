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

    _parts: "_Parts | None" = None
    _marks: list[tuple[object, ...]] = field(default_factory=list)
    _found: list[tuple[Group, StackedAnswers]] = field(default_factory=list)

    def may_answer(self, members: nn.ModuleList) -> bool:
        """Say whether nothing forbids stacks: no gradients, no training mode, no export."""
        if len(members) < _FEWEST or torch.is_grad_enabled() or torch.compiler.is_compiling():
            return False
        return not any(module.training for module in self._parts_of(members).modules)

    def _parts_of(self, members: nn.ModuleList) -> "_Parts":
        if self._parts is None or self._parts.members is not members or self._parts.changed:
            self._parts, self._marks = _Parts(members), []
        return self._parts

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
        marks = self._parts_of(members).marks()
        if marks != self._marks:
            self._marks, self._found = marks, _stacks(members, reads, views)
        answers: dict[int, Tensor] = {}
        for group, stack in self._found:
            x = views[reads[group[0]]]
            both = torch.cat([stack(piece) for piece in torch.split(x, _PIECE)], dim=1)
            answers.update(zip(group, both, strict=True))
        return answers


class _Parts:
    """The modules and tensors of members, walked through once."""

    def __init__(self, members: nn.ModuleList) -> None:
        self.members = members
        self.modules = list(members.modules())[1:]
        places = [
            place
            for module in [members, *self.modules]
            for place in (module._modules, module._parameters, module._buffers)  # noqa: SLF001 - children() and parameters() walk
        ]
        self._empty = [place for place in places if not place]
        self._filled = [(place, tuple(place.values())) for place in places if place]
        found = [value for _, values in self._filled for value in values]
        self._tensors = [value for value in found if isinstance(value, Tensor)]

    @property
    def changed(self) -> bool:
        """Whether a module or a tensor was put in or taken out since."""
        return any(self._empty) or any(
            len(place) != len(values) or not all(map(is_, place.values(), values))
            for place, values in self._filled
        )

    def marks(self) -> list[tuple[object, ...]]:
        """Return what is another one for a tensor that was changed, moved or converted."""
        return [(t.data_ptr(), t._version, t.dtype) for t in self._tensors]  # noqa: SLF001 - torch's own mark of changes


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
