"""One search by gradient among several: what it draws, its alphas and its end are its own."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from ripieno.errors import SearchError
from ripieno.nas.cells import Gates
from ripieno.nas.collapse import Guard
from ripieno.nas.found import Found, SearchEpoch
from ripieno.nas.relaxations import Alphas, Relaxation
from ripieno.nas.searching import ByGradient, ended, run
from ripieno.nas.weights import Batch, Settings, SharedWeights
from ripieno.recipes import Data, draws
from ripieno.space import Space

__all__ = ["Report", "Restart", "Row"]

Report = Callable[[int, SearchEpoch], None]
"""Is told the seed of a search, and an epoch of it."""


@dataclass(frozen=True, slots=True)
class Restart:
    """One of several searches.

    Args:
        seed: With it :func:`search_supernet` finds the same.
        found: What was found.
        loss: Of the architecture that was found, with the weights of its supernet, on the
            whole half that the alphas are trained on.
    """

    seed: int
    found: Found
    loss: float


class Row(ByGradient):
    """A search with a generator of its own.

    Args:
        space: Of cells.
        data: Images and their classes.
        relaxation: The method.
        settings: How the weights are trained.
        alpha_lr: Of Adam, for the alphas.
        seed: Of the search.
        report: Called after each of its epochs.
    """

    def __init__(
        self,
        space: Space,
        data: Data,
        relaxation: Relaxation,
        *,
        settings: Settings,
        alpha_lr: float,
        seed: int,
        report: Report | None,
    ) -> None:
        self._seed, self._report = seed, report
        self._history: list[SearchEpoch] = []
        with torch.random.fork_rng(devices=[]):
            torch.default_generator.manual_seed(draws.fold(seed, draws.Purpose.INITIALIZATION))
            self.shared = SharedWeights(space, data, settings, share=relaxation.share)
            super().__init__(relaxation, self.shared, alpha_lr=alpha_lr)
            self._drawn = torch.get_rng_state()

    @property
    def alphas(self) -> dict[str, Tensor]:
        """The alphas by name."""
        return self._alphas

    @property
    def rate(self) -> float:
        """The learning rate of the weights in this epoch."""
        return self.shared.rate(self._number)

    @property
    def moves_alphas(self) -> bool:
        """Whether the warm-up is over."""
        return self._number >= self._relaxation.warmup * self.shared.settings.epochs

    def alone(self, guard: Guard | None) -> Restart | SearchError:
        """Make the search by itself."""
        try:
            with self._drawing():
                return self.judged(run(self, self.shared, guard=guard, report=self._say))
        except SearchError as error:
            return error

    def epoch_batches(self) -> Iterator[tuple[Batch, Batch]]:
        """Yield a batch of either half, until the end of an epoch."""
        pairs = self.shared.batches()
        while True:
            with self._drawing():  # of the order, before the first batch
                pair = next(pairs, None)
            if pair is None:
                return
            yield pair

    def gates(self) -> dict[str, Gates]:
        """Return the gates of a step; a graph goes to the alphas."""
        with self._drawing():
            return self._relaxation.gates(self._alphas, self._layout, self._progress)

    def penalty(self) -> Tensor:
        """Return what is added to the loss of the alphas."""
        return self._relaxation.penalty(self._alphas, self._progress)

    def average_gates(self, alphas: Alphas) -> dict[str, Gates]:
        """Return what the operations count on average."""
        return self._relaxation.strengths(alphas, self._layout)

    def step_alphas(self) -> None:
        """Take a step along the gradients of the alphas, and forget them."""
        self._choice.step()
        self._choice.zero_grad()

    def starts(self) -> list[Tensor]:
        """Return what the power iteration of this epoch begins with."""
        with self._drawing():
            return [torch.randn_like(alpha) for alpha in self._alphas.values()]

    def end_epoch(
        self, train_loss: float, loss: float, eigenvalue: float, *, guard: Guard | None
    ) -> Found | None:
        """Keep what an epoch has shown; return what was found if it was the last one."""
        self._history.append(self._told(train_loss, loss, eigenvalue))
        self._say(self._history[-1])
        return ended(self, self.shared, history=self._history, guard=guard)

    def take(self, weights: Mapping[str, Tensor]) -> None:
        """Have these weights, by their names in the supernet."""
        self._net.load_state_dict(weights)

    def judged(self, found: Found) -> Restart:
        """Measure what was found with the weights that the supernet has."""
        return Restart(self._seed, found, self.shared.held_loss(self._net.gates(found.config)))

    @property
    def _number(self) -> int:
        return len(self._history)

    @property
    def _progress(self) -> float:
        return self._number / max(1, self.shared.settings.epochs - 1)

    @contextmanager
    def _drawing(self) -> Iterator[None]:
        """Go on with what this row has drawn so far."""
        with torch.random.fork_rng(devices=[]):
            torch.set_rng_state(self._drawn)
            yield
            self._drawn = torch.get_rng_state()

    def _say(self, epoch: SearchEpoch) -> None:
        if self._report is not None:
            self._report(self._seed, epoch)
