"""One training step of a whole stack: forward, loss, gradient, clipping, update.

The forward runs under vmap and autograd runs outside it, so that every row's gradient comes
from its own loss alone: the objective is the sum of the rows' losses, and no operation mixes
rows. What a row must not do (an inactive one, or one whose loss is no longer finite) is
decided by ``torch.where``, never by a multiplication with zero, which would keep a NaN.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import lru_cache, partial
from typing import Literal

import torch
from torch import Tensor

from ripieno.population.altering import alter_inputs, alter_losses
from ripieno.population.decays import decayed
from ripieno.population.losses import check_outputs, stacked_loss
from ripieno.population.online import follow_rates
from ripieno.population.optimizers import (
    Numbers,
    clip,
    clip_values,
    l1_penalty,
    limit_norms,
)
from ripieno.population.row_updates import update_rows
from ripieno.population.stack import Layout
from ripieno.population.template import Template
from ripieno.recipes import LOSS_OPTIONS, LossFunction

__all__ = ["Batch", "Found", "Rules", "StackedStep", "apply", "fresh_statistics", "named"]

Batch = Mapping[str, Tensor]
"""What a step is given, all of it inputs of a traced graph and never constants in it:

==========  ============================================================================
``x``       inputs ``(members, batch, ...)``, or ``(batch, ...)`` if shared
``y``       classes, int64, ``(members, batch)``, or labels or values of the outputs'
            shape and type; with the member axis also if shared
``keys``    dropout keys of this step (``draws.step_keys``), int64, ``(members,)``
``rates``   learning rates of this step, float64, ``(members,)``
``active``  which rows train, bool, ``(members,)``
``mix/…``   how examples are mixed (``recipes.Mixing``), each ``(members, ...)``, if at all
==========  ============================================================================
"""

_STATISTICS = {
    "loss_sum": torch.float64,
    "weight_sum": torch.float64,
    "steps_taken": torch.int64,
    "last_loss": torch.float64,
    "alive": torch.bool,
}


@dataclass(frozen=True, slots=True)
class Rules:
    """What the rows of a step have in common, besides their layout.

    Args:
        loss: Name of the loss, or a user's own function.
        shared: Whether all rows see the same inputs.
        uses: Which of ``"l1"``, ``"gradient_clip"``, ``"gradient_clip_value"``,
            ``"max_norm"``, ``"mixup"``, ``"cutmix"``, ``"input_noise"``, ``"rate_scales"`` and
            the options of the loss any row uses; the others cost no arithmetic. Their values
            are the arrays ``hyper/<name>``: ``(members,)``, and ``(members, outputs)`` for
            weights of classes or labels; how examples are mixed is part of the batch, and
            factors of the learning rate are ``hyper/rate_scale_<depth>``.
    """

    loss: str | LossFunction = "cross_entropy"
    shared: bool = False
    uses: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Found:
    """What a batch says.

    Args:
        loss_sum: Sum of the weighted losses of each row's examples, ``(members,)``.
        weight_sum: Sum of their weights, ``(members,)``.
        gradients: By parameter, ``(members, ...)``; none for one that is not used.
        buffers: Buffers after the forward, by name.
        present: Where some rows have a gradient of a parameter and others not: which do.
    """

    loss_sum: Tensor
    weight_sum: Tensor
    gradients: Mapping[str, Tensor]
    buffers: Mapping[str, Tensor]
    present: Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class StackedStep:
    """A training step; called with the arrays of a stack, it changes them in place.

    Args:
        template: Runs the forward.
        layout: The stack's layout.
        rules: What else the rows have in common.
        leaves: Which leaves the forward takes.
        eager: Whether numbers may be looked at; False where the step is traced.
    """

    template: Template
    layout: Layout
    rules: Rules
    leaves: Literal["all", "needed"] = "all"
    eager: bool = True

    def __call__(self, arrays: Mapping[str, Tensor], batch: Batch) -> None:
        """Train every active row on its batch.

        Args:
            arrays: The arrays of a stack and of :func:`fresh_statistics`.
            batch: See :data:`Batch`.
        """
        self.take(self.find, arrays, batch)

    def take(
        self,
        find: Callable[[Mapping[str, Tensor], Batch], Found],
        arrays: Mapping[str, Tensor],
        batch: Batch,
    ) -> None:
        """Train every active row on what ``find`` says of its batch; see :meth:`find`."""
        found = find(arrays, batch)
        with torch.no_grad():
            apply(arrays, batch, found, layout=self.layout, rules=self.rules, eager=self.eager)

    def find(self, arrays: Mapping[str, Tensor], batch: Batch) -> Found:
        """Return every row's losses and gradients; the arrays are left unchanged."""
        with torch.enable_grad():
            objective, trained, found = self.objectives(arrays, batch)
            total = torch.where(batch["active"], objective, 0.0).sum()
            gradients = torch.autograd.grad(total, list(trained.values()), allow_unused=True)
        pairs: list[tuple[str, Tensor | None]] = list(zip(trained, gradients, strict=True))
        return Found(
            loss_sum=found.loss_sum.detach(),
            weight_sum=found.weight_sum,
            gradients={name: g for name, g in pairs if g is not None},
            buffers=found.buffers,
            present={},
        )

    def objectives(
        self, arrays: Mapping[str, Tensor], batch: Batch
    ) -> tuple[Tensor, dict[str, Tensor], Found]:
        """Return what each row minimizes, ``(members,)``, as a function of its parameters.

        The parameters are returned too: leaves of autograd that share the arrays' memory.
        """
        tensors = {n: a.detach() for n, a in named(arrays, "model/").items()}
        trained = {n: tensors[n].requires_grad_() for n in self.layout.trained}
        objective, found = self.losses(tensors, arrays, batch)
        return objective, trained, found

    def losses(
        self, tensors: Mapping[str, Tensor], arrays: Mapping[str, Tensor], batch: Batch
    ) -> tuple[Tensor, Found]:
        """Return what each row minimizes, ``(members,)``; a graph goes through all that is given.

        Args:
            tensors: Parameters and buffers by name, which may carry a graph; buffers are
                left unchanged.
            arrays: The arrays of a stack; ``hyper/…`` and ``number/…`` are read.
            batch: See :data:`Batch`.
        """
        # The forward writes statistics: into copies, so that a row can be left as it was.
        buffers = {name: tensors[name].clone() for name in self.layout.buffers}
        logits = self._forward({**tensors, **buffers}, arrays, batch)
        names = self.rules.uses & LOSS_OPTIONS
        options = {name: arrays[f"hyper/{name}"] for name in sorted(names)}
        check_outputs(logits, batch["y"])
        loss = partial(stacked_loss(self.rules.loss), logits, **options)
        losses, weights = alter_losses(loss, batch, self.rules.uses)
        loss_sum, weight_sum = losses.sum(-1), weights.sum(-1)
        objective = loss_sum / weight_sum
        if "l1" in self.rules.uses:
            trained = {name: tensors[name] for name in self.layout.trained}
            objective = objective + l1_penalty(trained, arrays["hyper/l1"])
        return objective, Found(loss_sum, weight_sum, {}, buffers, {})

    def outputs(self, arrays: Mapping[str, Tensor], batch: Batch) -> Tensor:
        """Return every row's outputs in training mode; the arrays are left unchanged."""
        tensors = {n: a.clone() for n, a in named(arrays, "model/").items()}
        with torch.no_grad():
            return self._forward(tensors, arrays, batch)

    def _forward(
        self, tensors: Mapping[str, Tensor], arrays: Mapping[str, Tensor], batch: Batch
    ) -> Tensor:
        x = alter_inputs(arrays, batch, self.rules.uses, shared=self.rules.shared)
        return self.template.forward(
            tensors,
            x,
            members=len(batch["active"]),
            numbers=named(arrays, "number/"),
            keys=batch["keys"],
            training=True,
            shared=self.rules.shared and x is batch["x"],
            leaves=self.leaves,
        )


def fresh_statistics(members: int, device: torch.device | None = None) -> dict[str, Tensor]:
    """Return what a step adds up, as it is before the first one, each ``(members,)``.

    ``statistic/loss_sum`` and ``statistic/weight_sum`` of the examples, over the
    ``statistic/steps_taken``; ``statistic/last_loss``, the last sum that was seen;
    ``statistic/alive``, whether every one of them was finite: a row that is not alive is
    left as it is, and the number of its last good step can be read off ``steps_taken``.
    """
    fresh = {
        f"statistic/{n}": torch.zeros(members, dtype=t, device=device)
        for n, t in _STATISTICS.items()
    }
    fresh["statistic/alive"].fill_(True)
    return fresh


def apply(
    arrays: Mapping[str, Tensor],
    batch: Batch,
    found: Found,
    *,
    layout: Layout,
    rules: Rules,
    eager: bool = True,
    slopes: Mapping[str, Tensor] | None = None,
) -> None:
    """Update the rows that are active and finite, and leave every other one as it was.

    Args:
        arrays: The arrays of a stack and of :func:`fresh_statistics`; changed in place.
        batch: See :data:`Batch`.
        found: What the batch says.
        layout: The stack's layout.
        rules: What else the rows have in common.
        eager: Whether numbers may be looked at; False where this is traced.
        slopes: Other gradients that learning rates follow which tune themselves.
    """
    if layout.optimizer.online is not None:
        batch = follow_rates(arrays, batch, found, layout=layout, eager=eager, slopes=slopes)
    alive = arrays["statistic/alive"]
    # To look at a number of a GPU is to wait for all that it was given before.
    eager = eager and alive.device.type == "cpu"
    # What is not finite has no difference from itself.
    train = batch["active"] & alive & (found.loss_sum - found.loss_sum == 0)
    # Nothing needs to be masked where every row trains, as nearly always.
    rows = None if eager and bool(train.all()) else train
    whole = "flat/model" in arrays and not found.present and "rate_scales" not in rules.uses
    whole = whole and len(found.gradients) == len(layout.trained)
    view = _whole(arrays, found, layout) if whole else _single(arrays, found, layout)
    gradients = _changed(arrays, view, layout=layout, uses=rules.uses)
    if gradients is not view.gradients:
        view = replace(view, gradients=gradients)
    hyper = {**named(arrays, "hyper/"), "lr": batch["rates"]}
    plain = eager and bool(gradients) and "rate_scales" not in rules.uses
    kernel = layout.optimizer.kernel(_trained(arrays, view, layout)) if plain else None
    if kernel is not None:
        update_rows(
            kernel, view.parameters, view.gradients, slots=view.slots, taken=arrays["steps"],
            hyper=layout.optimizer.complete(hyper), train=train, present=found.present,
        )  # fmt: skip
    else:
        _update(arrays, view, hyper, layout=layout, rules=rules, rows=rows, present=found.present)
    if "max_norm" in rules.uses:
        for name, axis in layout.units.items():
            weights = arrays[f"model/{name}"]
            _write(weights, limit_norms(weights, axis, arrays["hyper/max_norm"]), rows)
    for name, buffer in found.buffers.items():
        _write(arrays[f"model/{name}"], buffer, rows)
    arrays["steps"].add_(train)
    if rows is None:
        arrays["statistic/loss_sum"].add_(found.loss_sum)
        arrays["statistic/weight_sum"].add_(found.weight_sum)
        arrays["statistic/steps_taken"].add_(train)
        arrays["statistic/last_loss"].copy_(found.loss_sum)
    else:
        _count(arrays, batch["active"] & alive, train=train, found=found)


def _update(
    arrays: Mapping[str, Tensor],
    view: "_View",
    hyper: Numbers,
    *,
    layout: Layout,
    rules: Rules,
    rows: Tensor | None,
    present: Mapping[str, Tensor],
) -> None:
    """Take the optimizer's step for all rows at once, and write those that train."""
    scales = layout.depths if "rate_scales" in rules.uses else {}
    new_parameters, new_slots, row_slots = layout.optimizer.step(
        view.parameters,
        view.gradients,
        slots=view.slots,
        row_slots=named(arrays, "row/"),
        steps=arrays["steps"],
        hyper=hyper,
        scales={n: arrays[f"hyper/rate_scale_{depth}"] for n, depth in scales.items()},
    )
    for name, new in new_parameters.items():
        own = rows
        if name in present:
            own = present[name] if rows is None else rows & present[name]
        _write(view.parameters[name], new, own)
        for slot, value in new_slots[name].items():
            _write(view.slots[name][slot], value, own)
    for slot, value in row_slots.items():
        _write(arrays[f"row/{slot}"], value, rows)


@dataclass(frozen=True, slots=True)
class _View:
    """What an update reads and writes, by parameter."""

    parameters: Mapping[str, Tensor]
    gradients: Mapping[str, Tensor]
    slots: Mapping[str, Mapping[str, Tensor]]


def _single(arrays: Mapping[str, Tensor], found: Found, layout: Layout) -> _View:
    names, kept = list(found.gradients), layout.optimizer.slots_of
    return _View(
        parameters={n: arrays[f"model/{n}"] for n in names},
        gradients=found.gradients,
        slots={n: {s: arrays[f"optimizer/{n}/{s}"] for s in kept(n)} for n in names},
    )


def _trained(arrays: Mapping[str, Tensor], view: _View, layout: Layout) -> Mapping[str, Tensor]:
    """Return all that a row holds; not what has a gradient now, for neighbours may branch."""
    if "" in view.parameters:
        return view.parameters
    return {name: arrays[f"model/{name}"] for name in layout.trained}


def _whole(arrays: Mapping[str, Tensor], found: Found, layout: Layout) -> _View:
    """Return a flat stack's parameters as one."""
    gradients = torch.cat([found.gradients[n].flatten(1) for n in layout.trained], 1)
    return _View(
        parameters={"": arrays["flat/model"]},
        gradients={"": gradients},
        slots={"": {slot: arrays[f"flat/{slot}"] for slot in layout.optimizer.slots}},
    )


def _changed(
    arrays: Mapping[str, Tensor], view: "_View", *, layout: Layout, uses: frozenset[str]
) -> Mapping[str, Tensor]:
    """Return the gradients clipped, then with the weight decays that groups have of their own."""
    gradients = view.gradients
    if "gradient_clip_value" in uses:
        gradients = clip_values(gradients, arrays["hyper/gradient_clip_value"])
    if "gradient_clip" in uses and gradients:
        gradients, _ = clip(gradients, arrays["hyper/gradient_clip"])
    if layout.decays is not None:
        gradients = decayed(arrays, gradients, view.parameters, layout=layout)
    return gradients


def named(arrays: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """Return the arrays of one kind, by what follows the prefix."""
    return {short: arrays[name] for name, short in _names(tuple(arrays), prefix)}


@lru_cache(maxsize=256)
def _names(names: tuple[str, ...], prefix: str) -> tuple[tuple[str, str], ...]:
    """Return the names of one kind, and what follows the prefix: the same in every step."""
    return tuple((name, name.removeprefix(prefix)) for name in names if name.startswith(prefix))


def _write(array: Tensor, new: Tensor, rows: Tensor | None) -> None:
    """Write the rows that are named, or all of them."""
    if rows is None:
        array.copy_(new)
        return
    mask = rows.view(-1, *[1] * (array.ndim - 1))
    torch.where(mask, new, array, out=array)


def _count(arrays: Mapping[str, Tensor], seen: Tensor, *, train: Tensor, found: Found) -> None:
    loss_sum, weight_sum = found.loss_sum.double(), found.weight_sum.double()
    arrays["statistic/loss_sum"].add_(torch.where(train, loss_sum, 0.0))
    arrays["statistic/weight_sum"].add_(torch.where(train, weight_sum, 0.0))
    arrays["statistic/steps_taken"].add_(train)
    _write(arrays["statistic/last_loss"], loss_sum, seen)
    arrays["statistic/alive"].logical_and_(train | ~seen)
