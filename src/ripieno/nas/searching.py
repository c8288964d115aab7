"""Search of a supernet: its weights, and what its operations count, in turns.

By gradient, what they count are alphas, which follow the gradient of the loss of rows that the
weights are not trained on; ``ripieno.nas.enas`` has a controller instead. The validation part
is not touched; it is there to compare networks that were trained from scratch.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Literal, Protocol

import torch
from torch import Tensor

from ripieno.errors import DataError, SearchError
from ripieno.hypergradient import Unrolled, hypergradient
from ripieno.nas.collapse import Guard, dominant_eigenvalue
from ripieno.nas.enas import ByController, Enas
from ripieno.nas.found import Found, SearchEpoch
from ripieno.nas.relaxations import RELAXATIONS, PcDarts, Relaxation, first_alphas
from ripieno.nas.weights import Batch, Settings, SharedWeights
from ripieno.recipes import Data, draws
from ripieno.space import Space

__all__ = [
    "METHODS",
    "ByGradient",
    "check_data",
    "ended",
    "method_of",
    "run",
    "search_supernet",
    "watching",
]

METHODS: Mapping[str, Relaxation | Enas] = MappingProxyType({**RELAXATIONS, "enas": Enas()})
"""Ways to search a supernet by name."""


def search_supernet(
    space: Space,
    data: Data,
    method: str | Relaxation | Enas = "darts",
    *,
    epochs: int = 50,
    batch_size: int = 64,
    lr: float = 0.025,
    momentum: float = 0.9,
    weight_decay: float = 3e-4,
    alpha_lr: float = 3e-3,
    clip: float = 5.0,
    guard: Guard | Literal["usual"] | None = "usual",
    seed: int = 0,
    report: Callable[[SearchEpoch], None] | None = None,
) -> Found:
    """Search a space of cells with one supernet.

    Args:
        space: A :func:`cell_space` or a :func:`darts_space`.
        data: Images and their classes, in memory.
        method: ``darts``, ``darts2``, ``gdas``, ``pc_darts``, ``drnas`` or ``enas``; or a
            relaxation, or :class:`Enas` with other options.
        epochs: Over the half that the weights are trained on.
        batch_size: Rows of a batch of either half.
        lr: Of the weights, at the beginning; it falls to a 25th along a cosine.
        momentum: Of the weights.
        weight_decay: Of the weights.
        alpha_lr: Of Adam, for the alphas. The papers' 3e-4 is for some 20,000 steps.
        clip: The norm of the weights' gradient at most.
        guard: What stops a search that collapses; None lets it. What a controller draws is not
            judged: draws of little else than shortcuts are usual at first.
        seed: Of everything that is random; the caller's generator is left as it was.
        report: Called after every epoch.

    Raises:
        DataError: The data are no classes of images in memory, or too few.
        SearchError: There is no such method, or the loss is not finite.
        SpaceError: The space is none of cells, or what was found breaks its constraints.
    """
    way = method_of(method)
    check_data(data)
    settings = Settings(epochs, batch_size, lr, momentum, weight_decay, clip)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(draws.fold(seed, draws.Purpose.INITIALIZATION))
        if isinstance(way, Enas):
            shared = SharedWeights(space, data, settings)
            return run(ByController(way, shared), shared, guard=None, report=report)
        shared = SharedWeights(space, data, settings, share=way.share)
        search = ByGradient(way, shared, alpha_lr=alpha_lr)
        return run(search, shared, guard=watching(guard, way), report=report)


class Search(Protocol):
    """A search under way."""

    def epoch(self, number: int) -> SearchEpoch:
        """Train for one epoch."""

    def strengths(self) -> dict[str, Tensor]:
        """Return what each operation counts by now."""


def run(
    search: Search,
    shared: SharedWeights,
    *,
    guard: Guard | None,
    report: Callable[[SearchEpoch], None] | None,
) -> Found:
    """Take the epochs of a search until its end.

    Args:
        search: What is to be done.
        shared: Its weights.
        guard: What stops it; None for nothing.
        report: Called after every epoch.
    """
    history: list[SearchEpoch] = []
    found: Found | None = None
    while found is None:
        history.append(search.epoch(len(history)))
        if report is not None:
            report(history[-1])
        found = ended(search, shared, history=history, guard=guard)
    return found


def ended(
    search: Search,
    shared: SharedWeights,
    *,
    history: Sequence[SearchEpoch],
    guard: Guard | None,
) -> Found | None:
    """Return what was found, where this was the last epoch or the guard stops the search."""
    epochs = shared.settings.epochs
    verdict = guard and guard.judge(
        [epoch.skips for epoch in history],
        [epoch.eigenvalue for epoch in history if epoch.eigenvalue is not None],
        idle=[epoch.idle for epoch in history],
        edges=shared.net.cell_layout.chosen_edges,
        epochs=epochs,
    )
    if verdict:
        taken = history[verdict.epoch].config
        return Found(taken, tuple(history), verdict.reason, search.strengths())
    if len(history) < epochs:
        return None
    return Found(history[-1].config, tuple(history), None, search.strengths())


class ByGradient:
    """A search whose alphas follow the gradient of the loss.

    Args:
        relaxation: From alphas to gates.
        shared: The weights.
        alpha_lr: Of Adam, for the alphas.
    """

    def __init__(self, relaxation: Relaxation, shared: SharedWeights, *, alpha_lr: float) -> None:
        self._relaxation, self._shared = relaxation, shared
        self._net = shared.net
        self._layout = self._net.cell_layout
        edges = isinstance(relaxation, PcDarts)
        self._alphas = {
            name: alpha.requires_grad_()
            for name, alpha in first_alphas(self._layout, edges=edges).items()
        }
        self._choice = torch.optim.Adam(
            self._alphas.values(), alpha_lr, betas=(0.5, 0.999), weight_decay=1e-3
        )

    def epoch(self, number: int) -> SearchEpoch:
        """Move alphas and weights in turns, batch by batch."""
        epochs = self._shared.settings.epochs
        progress = number / max(1, epochs - 1)
        lr = self._shared.begin(number)
        losses = []
        for batch, held in self._shared.batches():
            if number >= self._relaxation.warmup * epochs:
                self._move_alphas(batch, held, progress=progress, lr=lr)
            with torch.no_grad():
                gates = self._relaxation.gates(self._alphas, self._layout, progress)
            losses.append(self._shared.step(batch, gates))
        return self._seen(held, sum(losses) / len(losses))

    def _move_alphas(self, batch: Batch, held: Batch, *, progress: float, lr: float) -> None:
        if self._relaxation.order == 2:
            found = self._second_order(batch, held, progress=progress, lr=lr)
        else:
            loss = self._held_loss(
                dict(self._net.named_parameters()), self._alphas, held, progress=progress
            )
            slopes = torch.autograd.grad(loss, list(self._alphas.values()))
            found = dict(zip(self._alphas, slopes, strict=True))
        for name, alpha in self._alphas.items():
            alpha.grad = found[name]
        self._choice.step()

    def _second_order(
        self, batch: Batch, held: Batch, *, progress: float, lr: float
    ) -> dict[str, Tensor]:
        """Return the gradient by the alphas after one more step of the weights."""

        def train_loss(params: Mapping[str, Tensor], alphas: Mapping[str, Tensor]) -> Tensor:
            gates = self._relaxation.gates(alphas, self._layout, progress)
            return self._shared.loss(params, gates, batch)

        def validation_loss(params: Mapping[str, Tensor], alphas: Mapping[str, Tensor]) -> Tensor:
            return self._held_loss(params, alphas, held, progress=progress)

        params = {name: p.detach() for name, p in self._net.named_parameters()}
        numbers = {"lr": lr, "weight_decay": self._shared.settings.weight_decay}
        step = Unrolled(1, "sgd", numbers)
        alphas = {name: alpha.detach() for name, alpha in self._alphas.items()}
        return hypergradient(train_loss, validation_loss, params, alphas, method=step)

    def _held_loss(
        self,
        params: Mapping[str, Tensor],
        alphas: Mapping[str, Tensor],
        held: Batch,
        *,
        progress: float,
    ) -> Tensor:
        gates = self._relaxation.gates(alphas, self._layout, progress)
        return self._shared.loss(params, gates, held) + self._relaxation.penalty(alphas, progress)

    def _seen(self, held: Batch, train_loss: float) -> SearchEpoch:
        params = {name: p.detach() for name, p in self._net.named_parameters()}

        def loss(alphas: Mapping[str, Tensor]) -> Tensor:
            return self._shared.loss(params, self._relaxation.strengths(alphas, self._layout), held)

        with torch.no_grad():
            value = float(loss(self._alphas))
        return self._told(train_loss, value, dominant_eigenvalue(loss, self._alphas))

    def _told(self, train_loss: float, loss: float, eigenvalue: float) -> SearchEpoch:
        config = self._net.config(self.strengths())
        skips, idle = self._net.skips(config), self._net.idle(config)
        return SearchEpoch(config, train_loss, loss, skips, idle, eigenvalue)

    def strengths(self) -> dict[str, Tensor]:
        """Return what each operation counts on average, times its edge."""
        found = self._relaxation.strengths(self._alphas, self._layout)
        return {
            kind: (
                gates.operations if gates.edges is None else gates.operations * gates.edges[:, None]
            ).detach()
            for kind, gates in found.items()
        }


def method_of(method: str | Relaxation | Enas) -> Relaxation | Enas:
    """Return the method that is named, or the one that is given.

    Raises:
        SearchError: There is none of this name.
    """
    if not isinstance(method, str):
        return method
    if method not in METHODS:
        raise SearchError(
            f"there is no method {method!r}.",
            where=f"methods: {', '.join(METHODS)}",
            fix="name one of these, or pass one with its options: Darts(beta=0.0).",
        )
    return METHODS[method]


def watching(guard: Guard | Literal["usual"] | None, relaxation: Relaxation) -> Guard | None:
    """Return the guard of a search: its warm-up begins where the alphas begin to move."""
    own = Guard() if guard == "usual" else guard
    return own and replace(own, warmup=own.warmup + relaxation.warmup)


def check_data(data: Data) -> None:
    """Refuse what no supernet can be trained on.

    Raises:
        DataError: The data are no classes of images in memory, or too few.
    """
    if data.task != "classification" or data.streamed or len(data.shape) != 3:
        raise DataError(
            f"the data are a {data.task} of rows of shape {data.shape}"
            f"{', read batch by batch' if data.streamed else ''}.",
            where=f"search_supernet(data={data.name!r})",
            fix="give classes of images that fit in memory, or search with rp.tune('nas', data).",
        )
    if len(data.train) < 4:
        raise DataError(
            f"{len(data.train)} training rows cannot be divided into halves of batches.",
            where=f"search_supernet(data={data.name!r})",
            fix="give more rows.",
        )
