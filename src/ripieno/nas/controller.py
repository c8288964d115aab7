"""A recurrent network that draws architectures, one choice after another.

Source: Pham et al., "Efficient neural architecture search via parameter sharing", ICML 2018
(the controller); Bello et al., "Neural combinatorial optimization with reinforcement learning",
2016 (temperature and tanh, which keep it from settling early).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ripieno.errors import SpaceError
from ripieno.space import Categorical, Config, Space

__all__ = ["Controller", "Draws"]

_REACH = 0.1
"""Weights begin evenly between minus and plus this."""


@dataclass(frozen=True, slots=True)
class Draws:
    """Architectures as the numbers of their choices, and how likely they were.

    Args:
        choices: Shape ``(draws, decisions)``, int64.
        log_probability: Of each draw, shape ``(draws,)``.
        entropy: Of the decisions on the way to each draw, summed, shape ``(draws,)``.
    """

    choices: Tensor
    log_probability: Tensor
    entropy: Tensor


class Controller(nn.Module):
    """An LSTM that decides on one hyperparameter of a space after another.

    It is fed what it has just chosen. Hyperparameters of the same choices share their
    embeddings and the layer that logits come from. Logits are ``tanh * tanh(z / temperature)``
    of what that layer gives. Its draws come from torch's generator.

    Args:
        space: Of architectures; all that is searched of it are choices.
        hidden: Units of the LSTM.
        temperature: See above.
        tanh: See above: no choice is more than ``exp(2 * tanh)`` times as likely as another.

    Raises:
        SpaceError: A hyperparameter is a number, or there is none.
    """

    def __init__(
        self, space: Space, *, hidden: int = 100, temperature: float = 5.0, tanh: float = 2.5
    ) -> None:
        super().__init__()
        self._space, self._temperature, self._tanh = space, temperature, tanh
        if not space.searched:
            raise SpaceError(
                "nothing of the space is searched: there is no choice to draw.",
                where="Controller(space)",
                fix="leave some hyperparameter of the architecture free.",
            )
        values = [_choices(space, name) for name in space.searched]
        kinds = list(dict.fromkeys(values))
        self.kinds = [kinds.index(each) for each in values]
        self.lstm = nn.LSTMCell(hidden, hidden)
        self.start = nn.Parameter(torch.empty(hidden))
        self.embeddings = nn.ModuleList(nn.Embedding(len(kind), hidden) for kind in kinds)
        self.heads = nn.ModuleList(nn.Linear(hidden, len(kind)) for kind in kinds)
        for parameter in self.parameters():
            nn.init.uniform_(parameter, -_REACH, _REACH)

    def draw(self, count: int) -> Draws:
        """Draw architectures, independent of each other."""
        return self._walk(count, None)

    def forward(self, choices: Tensor) -> Draws:
        """Return how likely architectures are, given as ``choices`` of shape ``(draws, …)``."""
        return self._walk(len(choices), choices)

    def config(self, choices: Tensor) -> Config:
        """Return the config of one architecture; constraints are not checked.

        Args:
            choices: Shape ``(decisions,)``.
        """
        sizes = torch.tensor([self.heads[kind].out_features for kind in self.kinds])
        return self._space.decode(((choices + 0.5) / sizes).double().numpy())

    def _walk(self, count: int, choices: Tensor | None) -> Draws:
        fed = self.start.expand(count, -1)
        state = fed.new_zeros(2, count, fed.shape[1]).unbind()
        made, logs = [], fed.new_zeros(count)
        entropy = fed.new_zeros(count)
        for number, kind in enumerate(self.kinds):
            state = self.lstm(fed, state)
            logits = self._tanh * torch.tanh(self.heads[kind](state[0]) / self._temperature)
            log_chances = logits.log_softmax(-1)
            chances = log_chances.exp()
            drawn = chances.multinomial(1)[:, 0] if choices is None else choices[:, number]
            logs = logs + log_chances.gather(1, drawn[:, None])[:, 0]
            entropy = entropy - (chances * log_chances).sum(-1)
            fed = self.embeddings[kind](drawn)
            made.append(drawn)
        return Draws(torch.stack(made, dim=1), logs, entropy)


def _choices(space: Space, name: str) -> Sequence[object]:
    domain = space[name]
    if isinstance(domain, Categorical):
        return domain.choices
    raise SpaceError(
        f"{name!r} is no choice between operations, and a controller cannot draw it.",
        where=f"Controller(space) with {name} = {domain!r}",
        fix="search a cell_space() or a darts_space(), and the hyperparameters of training later.",
    )
