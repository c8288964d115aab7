"""Search by gradient: weights of a supernet and the strengths of its operations, in turns.

The rows of the training part are divided into two halves: the weights are trained on one, and
the alphas on the other. The validation part is not touched; it is there to compare networks
that were trained from scratch.
"""

import math
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call

from ripieno.errors import DataError, SearchError
from ripieno.hypergradient import Unrolled, hypergradient
from ripieno.nas.cells import Gates
from ripieno.nas.collapse import Guard, dominant_eigenvalue
from ripieno.nas.relaxations import RELAXATIONS, PcDarts, Relaxation, first_alphas
from ripieno.nas.supernet import Supernet
from ripieno.recipes import Data, as_features, as_tensor, draws, first_rows
from ripieno.space import Config, Space

__all__ = ["Found", "SearchEpoch", "search_supernet"]

_Batch = tuple[Tensor, Tensor]


@dataclass(frozen=True, slots=True)
class SearchEpoch:
    """What there is to see after an epoch of a search.

    Args:
        config: The architecture of the strongest operations.
        train_loss: Mean over the epoch, on the half that the weights are trained on.
        loss: Of the last batch of the half that the alphas are trained on, without sampling.
        skips: Edges of the normal cell that are shortcuts or absent.
        eigenvalue: The dominant one of the second derivative of that loss by the alphas.
    """

    config: Config
    train_loss: float
    loss: float
    skips: int
    eigenvalue: float


@dataclass(frozen=True, slots=True)
class Found:
    """What a search by gradient has found.

    Args:
        config: An architecture of the space that was searched.
        epochs: The whole way.
        stopped: Why the search was stopped before its end; None where it was not.
        strengths: Of the last epoch, by kind of cell, shape ``(edges, operations)``.
    """

    config: Config
    epochs: tuple[SearchEpoch, ...]
    stopped: str | None
    strengths: dict[str, Tensor]


@dataclass(frozen=True, slots=True)
class _Settings:
    epochs: int
    batch_size: int
    lr: float
    momentum: float
    weight_decay: float
    alpha_lr: float
    clip: float


def search_supernet(
    space: Space,
    data: Data,
    method: str | Relaxation = "darts",
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
        method: ``darts``, ``darts2``, ``gdas``, ``pc_darts`` or ``drnas``, or a relaxation.
        epochs: Over the half that the weights are trained on.
        batch_size: Rows of a batch of either half.
        lr: Of the weights, at the beginning; it falls to a 25th along a cosine.
        momentum: Of the weights.
        weight_decay: Of the weights.
        alpha_lr: Of Adam, for the alphas. The papers' 3e-4 is for some 20,000 steps.
        clip: The norm of the weights' gradient at most.
        guard: What stops a search that collapses; None lets it.
        seed: Of everything that is random; the caller's generator is left as it was.
        report: Called after every epoch.

    Raises:
        DataError: The data are no classes of images in memory, or too few.
        SearchError: There is no such method, or the loss is not finite.
        SpaceError: The space is none of cells, or what was found breaks its constraints.
    """
    relaxation = _relaxation(method)
    _check_data(data)
    settings = _Settings(epochs, batch_size, lr, momentum, weight_decay, alpha_lr, clip)
    watched = Guard() if guard == "usual" else guard
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(draws.fold(seed, draws.Purpose.INITIALIZATION))
        search = _Search(space, data, relaxation, settings=settings)
        return search.run(watched, report)


class _Search:
    """One search under way."""

    def __init__(
        self, space: Space, data: Data, relaxation: Relaxation, *, settings: _Settings
    ) -> None:
        self._relaxation, self._settings = relaxation, settings
        self._net = Supernet(space, shape=data.shape, classes=data.outputs, share=relaxation.share)
        self._layout = self._net.cell_layout
        edges = isinstance(relaxation, PcDarts)
        self._alphas = {
            name: alpha.requires_grad_()
            for name, alpha in first_alphas(self._layout, edges=edges).items()
        }
        x = first_rows(as_features(data.train.x, torch.float32), len(data.train), torch.float32)
        y = as_tensor(data.train.y)
        order = torch.randperm(len(y))
        self._halves = [(x[rows], y[rows]) for rows in order.tensor_split(2)]
        self._weights = torch.optim.SGD(
            self._net.parameters(), settings.lr, settings.momentum,
            weight_decay=settings.weight_decay,
        )  # fmt: skip
        self._choice = torch.optim.Adam(
            self._alphas.values(), settings.alpha_lr, betas=(0.5, 0.999), weight_decay=1e-3
        )

    def run(self, guard: Guard | None, report: Callable[[SearchEpoch], None] | None) -> Found:
        history: list[SearchEpoch] = []
        for number in range(self._settings.epochs):
            history.append(self._epoch(number))
            if report is not None:
                report(history[-1])
            verdict = guard and guard.judge(
                [epoch.skips for epoch in history],
                [epoch.eigenvalue for epoch in history],
                edges=self._layout.chosen_edges,
                epochs=self._settings.epochs,
            )
            if verdict:
                taken = history[verdict.epoch].config
                return Found(taken, tuple(history), verdict.reason, self._strengths())
        return Found(history[-1].config, tuple(history), None, self._strengths())

    def _epoch(self, number: int) -> SearchEpoch:
        settings = self._settings
        progress = number / max(1, settings.epochs - 1)
        cosine = (1.0 + math.cos(math.pi * number / settings.epochs)) / 2.0
        lr = settings.lr * (0.04 + 0.96 * cosine)
        self._weights.param_groups[0]["lr"] = lr
        self._net.train()
        losses, held = [], self._halves[1]
        for batch, held in self._batches():
            if number >= self._relaxation.warmup * settings.epochs:
                self._move_alphas(batch, held, progress=progress, lr=lr)
            losses.append(self._move_weights(batch, progress))
        return self._seen(held, sum(losses) / len(losses))

    def _batches(self) -> Iterator[tuple[_Batch, _Batch]]:
        """Yield a batch of either half; what is left over of either is dropped."""
        size = min(self._settings.batch_size, *(len(y) for _, y in self._halves))
        chunks = [torch.split(torch.randperm(len(y)), size) for _, y in self._halves]
        for pair in zip(*chunks, strict=False):
            if all(len(rows) == size for rows in pair):
                (x, y), (held_x, held_y) = self._halves
                yield (x[pair[0]], y[pair[0]]), (held_x[pair[1]], held_y[pair[1]])

    def _move_alphas(self, batch: _Batch, held: _Batch, *, progress: float, lr: float) -> None:
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
        self, batch: _Batch, held: _Batch, *, progress: float, lr: float
    ) -> dict[str, Tensor]:
        """Return the gradient by the alphas after one more step of the weights."""

        def train_loss(params: Mapping[str, Tensor], alphas: Mapping[str, Tensor]) -> Tensor:
            gates = self._relaxation.gates(alphas, self._layout, progress)
            return self._loss(params, gates, batch)

        def validation_loss(params: Mapping[str, Tensor], alphas: Mapping[str, Tensor]) -> Tensor:
            return self._held_loss(params, alphas, held, progress=progress)

        params = {name: p.detach() for name, p in self._net.named_parameters()}
        numbers = {"lr": lr, "weight_decay": self._settings.weight_decay}
        step = Unrolled(1, "sgd", numbers)
        alphas = {name: alpha.detach() for name, alpha in self._alphas.items()}
        return hypergradient(train_loss, validation_loss, params, alphas, method=step)

    def _held_loss(
        self,
        params: Mapping[str, Tensor],
        alphas: Mapping[str, Tensor],
        held: _Batch,
        *,
        progress: float,
    ) -> Tensor:
        gates = self._relaxation.gates(alphas, self._layout, progress)
        return self._loss(params, gates, held) + self._relaxation.penalty(alphas, progress)

    def _loss(
        self, params: Mapping[str, Tensor], gates: Mapping[str, Gates], batch: _Batch
    ) -> Tensor:
        outputs: Tensor = functional_call(self._net, dict(params), (batch[0], gates))
        return F.cross_entropy(outputs, batch[1])

    def _move_weights(self, batch: _Batch, progress: float) -> float:
        with torch.no_grad():
            gates = self._relaxation.gates(self._alphas, self._layout, progress)
        loss = F.cross_entropy(self._net(batch[0], gates), batch[1])
        value = float(loss.detach())
        if not math.isfinite(value):
            raise SearchError(
                f"the loss of the supernet is {value}.",
                where=f"search_supernet(method={self._relaxation!r})",
                fix=f"lower the learning rate (lr = {self._settings.lr}), or scale the inputs.",
            )
        self._weights.zero_grad()
        torch.autograd.backward(loss)
        torch.nn.utils.clip_grad_norm_(self._net.parameters(), self._settings.clip)
        self._weights.step()
        return value

    def _seen(self, held: _Batch, train_loss: float) -> SearchEpoch:
        params = {name: p.detach() for name, p in self._net.named_parameters()}

        def loss(alphas: Mapping[str, Tensor]) -> Tensor:
            return self._loss(params, self._relaxation.strengths(alphas, self._layout), held)

        with torch.no_grad():
            value = float(loss(self._alphas))
        config = self._net.config(self._strengths())
        return SearchEpoch(
            config, train_loss, value, self._net.skips(config),
            dominant_eigenvalue(loss, self._alphas),
        )  # fmt: skip

    def _strengths(self) -> dict[str, Tensor]:
        found = self._relaxation.strengths(self._alphas, self._layout)
        return {
            kind: (
                gates.operations if gates.edges is None else gates.operations * gates.edges[:, None]
            ).detach()
            for kind, gates in found.items()
        }


def _relaxation(method: str | Relaxation) -> Relaxation:
    if not isinstance(method, str):
        return method
    if method not in RELAXATIONS:
        raise SearchError(
            f"there is no method {method!r}.",
            where=f"methods: {', '.join(RELAXATIONS)}",
            fix="name one of these, or pass a relaxation: Darts(beta=0.0).",
        )
    return RELAXATIONS[method]


def _check_data(data: Data) -> None:
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
