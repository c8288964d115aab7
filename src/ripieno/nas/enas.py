"""ENAS: a controller learns which architectures do well with the weights that all share.

The weights are trained for one epoch, each batch in an architecture that the controller draws.
Then the weights rest, and the controller learns by REINFORCE: its draws are rewarded with
their accuracy on rows that the weights were not trained on.

Source: Pham, Guan, Zoph, Le and Dean, "Efficient neural architecture search via parameter
sharing", ICML 2018, sections 2.2 and 3.2, with the constants of its code for cells; Williams,
"Simple statistical gradient-following algorithms for connectionist reinforcement learning",
Machine Learning 8, 1992.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
import torch.nn.functional as F
from torch import Tensor

from ripieno.errors import SearchError
from ripieno.nas.cells import Gates
from ripieno.nas.controller import Controller, Draws
from ripieno.nas.found import SearchEpoch
from ripieno.nas.weights import Batch, SharedWeights
from ripieno.space import Config

__all__ = ["Baseline", "ByController", "Enas", "Lessons", "policy_loss"]

_CLIP = 5.0


@dataclass(frozen=True, slots=True)
class Enas:
    """An LSTM draws architectures, and learns from their accuracy with shared weights.

    Args:
        hidden: Units of the LSTM.
        temperature: Its logits ``z`` become ``tanh * tanh(z / temperature)``.
        tanh: See ``temperature``.
        entropy: Weight of the entropy in the reward; it keeps draws varied.
        decay: Of the moving average of rewards, which a draw has to surpass.
        lr: Of Adam, for the controller.
        steps: Of the controller after each epoch of the weights.
        draws: Architectures a step.
        candidates: Architectures drawn after each epoch, of which the best is what is found.
        warmup: The share of the epochs before the controller begins to learn. Weights that have
            learnt little reward shortcuts, which the controller then never leaves.

    Raises:
        SearchError: A number is out of range.
    """

    hidden: int = 100
    temperature: float = 5.0
    tanh: float = 2.5
    entropy: float = 1e-4
    decay: float = 0.99
    lr: float = 3.5e-3
    steps: int = 30
    draws: int = 10
    candidates: int = 20
    warmup: float = 0.3

    def __post_init__(self) -> None:
        counts = self.hidden, self.steps, self.draws, self.candidates
        sizes = self.temperature, self.tanh, self.lr
        if min(counts) < 1 or min(sizes) <= 0.0 or self.entropy < 0 or not 0 <= self.decay < 1:
            raise SearchError(
                "a number of the controller is out of range.",
                where=repr(self),
                fix="give counts of 1 or more, an entropy from 0 up, a decay from 0 to below 1, "
                "and other numbers above 0.",
            )


def policy_loss(log_probability: Tensor, advantage: Tensor) -> Tensor:
    """Return what has minus the gradient of REINFORCE: draws of much advantage become likelier.

    Args:
        log_probability: Of each draw, shape ``(draws,)``.
        advantage: Of each draw, likewise; no gradient goes through it.
    """
    return -(advantage.detach() * log_probability).mean()


class Baseline:
    """A moving average of rewards, which begins with the first one.

    Args:
        decay: Weight of what was, at each step.
    """

    def __init__(self, decay: float) -> None:
        self._decay = decay
        self._average: float | None = None

    def advantage(self, reward: float) -> float:
        """Return how much a reward surpasses the average, which it moves first."""
        before = reward if self._average is None else self._average
        self._average = before + (1.0 - self._decay) * (reward - before)
        return reward - self._average


class Lessons:
    """Teaches a controller which of its draws are good.

    Args:
        controller: What learns.
        options: How.
    """

    def __init__(self, controller: Controller, options: Enas) -> None:
        self._controller, self._options = controller, options
        self._optimizer = torch.optim.Adam(controller.parameters(), options.lr)
        self.baseline = Baseline(options.decay)

    def step(self, reward: Callable[[Config], float]) -> Draws:
        """Draw architectures, and make those likelier that are better than usual.

        Args:
            reward: Of an architecture; more is better.

        Returns:
            The draws.
        """
        drawn = self._controller.draw(self._options.draws)
        configs = map(self._controller.config, drawn.choices)
        rewards = torch.tensor([reward(config) for config in configs])
        rewards += self._options.entropy * drawn.entropy.detach()
        advantage = torch.tensor([self.baseline.advantage(each) for each in rewards.tolist()])
        self._optimizer.zero_grad()
        torch.autograd.backward(policy_loss(drawn.log_probability, advantage))
        torch.nn.utils.clip_grad_norm_(self._controller.parameters(), _CLIP)
        self._optimizer.step()
        return drawn


class ByController:
    """A search whose architectures are drawn by a controller.

    An architecture that breaks a constraint of the space is rewarded with nothing, and is
    never what was found.

    Args:
        options: Of the controller.
        shared: The weights.
    """

    def __init__(self, options: Enas, shared: SharedWeights) -> None:
        self._options, self._shared, self._net = options, shared, shared.net
        self._controller = Controller(
            shared.net.space,
            hidden=options.hidden,
            temperature=options.temperature,
            tanh=options.tanh,
        )
        self._lessons = Lessons(self._controller, options)
        self._held = shared.held()
        self._strengths: dict[str, Tensor] = {}

    def epoch(self, number: int) -> SearchEpoch:
        """Train the weights for an epoch, and then the controller."""
        self._shared.begin(number)
        losses = []
        for batch, _ in self._shared.batches():
            (config,) = self._drawn(1)
            losses.append(self._shared.step(batch, self._net.gates(config)))
        learns = number >= self._options.warmup * self._shared.settings.epochs
        for _ in range(self._options.steps if learns else 0):
            self._lessons.step(partial(self._reward, next(self._held)))
        return self._seen(next(self._held), sum(losses) / len(losses))

    def strengths(self) -> dict[str, Tensor]:
        """Return in which share of the last candidates each operation stands on each edge."""
        return self._strengths

    def _drawn(self, count: int) -> list[Config]:
        with torch.no_grad():
            drawn = self._controller.draw(count)
        return [self._controller.config(choices) for choices in drawn.choices]

    def _reward(self, held: Batch, config: Config) -> float:
        return self._judged(held, config)[0] if self._net.space.allows(config) else 0.0

    def _judged(self, held: Batch, config: Config) -> tuple[float, float]:
        """Return the accuracy of an architecture on a batch, and its loss."""
        with torch.no_grad():
            outputs = self._net(held[0], self._net.gates(config))
            loss = F.cross_entropy(outputs, held[1])
        return float((outputs.argmax(1) == held[1]).float().mean()), float(loss)

    def _seen(self, held: Batch, train_loss: float) -> SearchEpoch:
        """Draw candidates, and return the best on one batch, as ENAS derives architectures."""
        candidates = self._drawn(self._options.candidates)
        gates = [self._net.gates(config) for config in candidates]
        self._strengths = {kind: _mean([each[kind] for each in gates]) for kind in gates[0]}
        allowed = list(filter(self._net.space.allows, candidates)) or candidates
        judged = {config: self._judged(held, config) for config in allowed}
        best = max(judged, key=lambda config: (judged[config][0], -judged[config][1]))
        # The space says so where no candidate keeps its constraints.
        config = self._net.space.config(best)
        skips, idle = self._net.skips(config), self._net.idle(config)
        return SearchEpoch(config, train_loss, judged[best][1], skips, idle, None)


def _mean(gates: list[Gates]) -> Tensor:
    return torch.stack([each.operations for each in gates]).mean(0)
