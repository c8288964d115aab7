"""Members on the population runner: orders in, states out."""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from torch import Tensor

from ripieno.ensembles.makers.storing import States
from ripieno.errors import EnsembleError
from ripieno.hypergradient import KnobTuner
from ripieno.population import PopulationRunner, TierName
from ripieno.recipes import Data, Recipe, State
from ripieno.records import Order, Outcome, OutcomeStatus
from ripieno.space import Config

__all__ = ["Members", "Trained"]


@dataclass(frozen=True, slots=True, eq=False)
class Trained:
    """A member after an order.

    Args:
        order: What was carried out.
        state: What it left.
        key: Where a later order goes on from.
    """

    order: Order
    state: State
    key: str


class Members:
    """Trains members as rows of stacks; what cannot be stacked is trained one by one.

    Args:
        recipe: How members are trained, completed.
        data: A single split.
        seed: Of weights, order and dropout.
        tier: How stacks are computed.
        samples: The only training rows that a member sees, by its number.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: Data,
        seed: int,
        *,
        tier: TierName = "auto",
        samples: Mapping[int, Tensor] | None = None,
    ) -> None:
        self._states = States()
        self._runner = PopulationRunner(
            recipe, data, seed, tier=tier, samples=samples, measures=False, tuner=KnobTuner()
        )

    def train(self, orders: Sequence[Order]) -> list[Trained]:
        """Carry orders out; return members in the order of their numbers.

        One that diverges is left out with a warning.

        Raises:
            EnsembleError: A member failed, or all of them diverged.
        """
        outcomes = sorted(
            self._runner.run(orders, self._states, lambda: False), key=lambda o: o.order.trial
        )
        trained = [self._read(outcome) for outcome in outcomes]
        found = [each for each in trained if each is not None]
        if not found:
            raise EnsembleError(
                f"all {len(outcomes)} members diverged: {outcomes[0].error}",
                where="training an ensemble",
                fix="use a lower learning rate.",
            )
        return found

    def train_from_start(
        self, configs: Sequence[Config], epochs: int, *, first: int = 0
    ) -> list[Trained]:
        """Train new members, one a config, for so many epochs.

        Args:
            configs: Theirs.
            epochs: How many epochs.
            first: Number of the first one; a member's seed depends on its number.
        """
        return self.train([Order(n, config, 0, epochs) for n, config in enumerate(configs, first)])

    def go_on(
        self, members: Sequence[Trained], epochs: int, configs: Sequence[Config] | None = None
    ) -> list[Trained]:
        """Train members further.

        Args:
            members: What they go on from.
            epochs: How many epochs more.
            configs: What each goes on with; as before where absent.
        """
        own = configs or [each.order.config for each in members]
        return self.train(
            [
                Order(m.order.trial, config, m.order.stop, m.order.stop + epochs, state=m.key)
                for m, config in zip(members, own, strict=True)
            ]
        )

    def _read(self, outcome: Outcome) -> Trained | None:
        number = outcome.order.trial
        if outcome.status is OutcomeStatus.DIVERGED:
            said = f"member {number} diverged and is left out: {outcome.error}"
            warnings.warn(said, RuntimeWarning, stacklevel=4)
            return None
        if outcome.status is not OutcomeStatus.DONE or outcome.state is None:
            raise EnsembleError(
                f"member {number} could not be trained: {outcome.error}",
                where=f"{outcome.order.config!r}",
                fix="mend the model, or leave that config out.",
            )
        arrays, _ = self._states.read(outcome.state)
        state = State.from_arrays(arrays, epoch=outcome.order.stop)
        return Trained(outcome.order, state, outcome.state)
