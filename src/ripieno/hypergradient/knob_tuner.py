"""What tunes the knobs of a recipe on the validation part, in every trial of a study."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from torch import Tensor

from ripieno.hypergradient.implicit import Implicit
from ripieno.hypergradient.problem import Method, Problem
from ripieno.hypergradient.strengths import BY_NAME
from ripieno.hypergradient.trees import Loss, Tensors

__all__ = ["KnobTuner"]


@dataclass(frozen=True, slots=True)
class KnobTuner:
    """A :class:`~ripieno.recipes.Tuner` for :class:`~ripieno.population.PopulationRunner`.

    Args:
        method: How hypergradients are computed.
    """

    method: Method = field(default_factory=lambda: Implicit(iterations=3, damping=1e-2))

    def values(self, first: Mapping[str, Tensor], moved: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """Return the knobs after they have moved, each in the space in which it is free.

        Args:
            first: Where they began, ``(members,)`` or ``(members, numbers)`` by name.
            moved: How far they have moved, of that shape.
        """
        kinds = {name: BY_NAME[name].starting(start) for name, start in first.items()}
        return {n: kind.from_free(kind.to_free(first[n]) + moved[n]) for n, kind in kinds.items()}

    def slopes(
        self, train_loss: Loss, validation_loss: Loss, *, params: Tensors, moved: Tensors
    ) -> tuple[dict[str, Tensor], Tensor]:
        """Return the gradient of each row's validation loss, and the rows where it is none.

        Args:
            train_loss: Of ``(params, moved)``, ``(members,)``.
            validation_loss: Of the same.
            params: The parameters; left unchanged.
            moved: How far each knob has moved.

        Raises:
            HypergradientError: A knob does not enter the training loss.
        """
        answer = self.method.answer(Problem(train_loss, validation_loss, params, moved))
        return answer.gradients, answer.diverged
