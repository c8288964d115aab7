"""Carries orders out as rows of stacks: the runner of ``ripieno tune``."""

import math
import time
from collections import Counter, deque
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ripieno.population.attempt import Attempt, notes_of
from ripieno.population.choice import RatherAloneError
from ripieno.population.deciding import TierName
from ripieno.population.group import EngineKey, Group
from ripieno.population.hyper import common
from ripieno.population.memory import give_back_memory, keep_freed_memory
from ripieno.population.optimizers import FAMILIES
from ripieno.population.parts import Part
from ripieno.population.remembered import Remembered
from ripieno.population.rows import Row
from ripieno.population.signature import signature
from ripieno.population.tiers import Engine
from ripieno.population.trials import is_reached, joined, rows_of
from ripieno.population.width import Widths, most_rows
from ripieno.recipes import (
    Data,
    Device,
    Recipe,
    State,
    TrainerRunner,
    Tuner,
    alone,
    as_tensor,
    augmentation_strengths,
    bilevel_names,
    build_model,
    chosen_loss,
    complete,
    draws,
    is_out_of_memory,
    is_tunable,
    keep,
    loss_name,
    read_knobs,
    split_state,
    take_up,
    takes_features,
)
from ripieno.records import ArtifactStore, Order, Outcome, OutcomeStatus, Target

__all__ = ["PopulationRunner"]

_LONE_STEPS = 200
"""Steps of single rows of one signature that are worth a stack of one, where others needed vmap."""
_WORTH_TRACING = 5_000
"""Steps, counted for each row, below which probes (3 to 5 seconds) cost more than they save, where
the forward needs vmap: about a millisecond a row and step for small models."""

_LARGE_BATCH = 20_000
"""Numbers of a batch below which no model is heavy."""
_HEAVY_SECONDS = 0.02
_WORTH_TRYING = 120.0
"""A step of a heavy model, and work of so many seconds that trying tiers and widths is worth it."""


class PopulationRunner:
    """Trains orders whose models have one signature together, as rows of one stack.

    Every number of a trial is what the one-model trainer gives, up to rounding: neither the
    neighbours of a row nor the width matter. What cannot be stacked is trained one model
    after the other; the outcome's notes say how it was trained, and why.

    Args:
        recipe: How models are trained.
        data: What they are trained on and measured on.
        seed: The study's seed.
        seeds: How many times a trial is trained on each fold of the data, each with another
            seed. All these models of a trial are rows of one stack.
        tier: How stacks are computed, ``"auto"`` for whatever a probe finds fastest.
        width: Rows of one stack at most; ``"auto"`` measures for each signature how many are
            best (see :class:`~ripieno.population.width.Widths`).
        target: Where a trial reaches it, its stack ends as if it were asked to stop.
        samples: By its number the only rows that a trial sees, int64, repeats allowed; else all.
        measures: False leaves out the metrics of epochs that end no order, in stacks.
        tuner: Computes hypergradients, for trials that tune their knobs on the validation part.
        device: Where models are trained. What is stored lies on the CPU in any case.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: Data,
        seed: int = 0,
        *,
        seeds: int = 1,
        tier: TierName = "auto",
        width: int | Literal["auto"] = "auto",
        target: Target | None = None,
        samples: Mapping[int, Tensor] | None = None,
        measures: bool = True,
        tuner: Tuner | None = None,
        device: Device | None = None,
    ) -> None:
        self.device = Device() if device is None else device
        self.recipe = complete(recipe, data)
        self.data = data
        self.seed = seed
        self.tier = tier
        self.rows = most_rows(self.device) if width == "auto" else width
        self._widths = Widths(self.rows, width == "auto", Remembered(), self.device)
        self._seeds = seeds
        self._models = len(data.parts) * seeds
        self._samples, self._measures = samples or {}, measures
        self._target, self._tuner = target, tuner
        self._trainer = TrainerRunner(
            self.recipe, data, seed, seeds, target, samples=self._samples, tuner=tuner,
            device=self.device,
        )  # fmt: skip
        self._groups: dict[str, str] = {}
        self._rather_alone: dict[str, str] = {}
        self._lone_steps: Counter[str] = Counter()
        self._engines: dict[EngineKey, Engine] = {}  # kept from rung to rung, with their graphs

    def __setstate__(self, state: dict[str, object]) -> None:
        """Arrive in a worker, which does nothing but train."""
        self.__dict__.update(state)
        keep_freed_memory()

    @property
    def width(self) -> int:
        """How many orders are worth being given at once."""
        return 1 if self.tier == "loop" else max(1, self.rows // self._models)

    def group(self, order: Order) -> str:
        """Name the orders that can be rows of one stack."""
        # Rows that share the batches of a stream are in the same epoch.
        begin = f" from {order.start}" if self.data.streamed else ""
        sample = self._samples.get(order.trial)
        seen = "" if sample is None else f" of {len(sample)} rows"
        return self._name(order) + begin + seen

    def run(
        self, orders: Sequence[Order], artifacts: ArtifactStore, stop: Callable[[], bool]
    ) -> Iterator[Outcome]:
        """Carry the orders out, stack by stack; see :class:`~ripieno.records.Runner`.

        Raises:
            ArtifactError: A stored state cannot be read, or a new one cannot be written.
        """
        for chunk in self._chunks(orders):
            reason = self._obstacle(chunk)
            if reason is None:
                yield from self._together(chunk, artifacts, stop)
            else:
                yield from self._alone(chunk, artifacts, stop, reason=reason)

    def _obstacle(self, orders: Sequence[Order]) -> str | None:
        """Say why orders of one group are not worth a stack, or None if they are."""
        if self.tier == "loop":
            return "the loop tier was asked for"
        if not self.device.has_doubles:
            return f"{self.device.name} has no float64, which a stack needs"
        if self._tunes(orders[0]):
            fits = is_tunable(self.recipe, orders[0].config)
            return None if fits else "its knobs cannot tune themselves"
        row_steps = self._row_steps(orders)
        if len(orders) * self._models == 1 and not self._worth_recording(orders[0], row_steps):
            return "no other order has its signature"
        alone = self._rather_alone.get(self._name(orders[0]))
        if alone is not None:
            return alone
        knobs = read_knobs(orders[0].config, optimizers=self.recipe.optimizers)
        if knobs.optimizer not in FAMILIES or knobs.optimizer in self.recipe.optimizers:
            return f"the optimizer {knobs.optimizer!r} has no stacked form"
        if self.tier == "auto" and row_steps < _WORTH_TRACING and self._needs_vmap(orders[0]):
            return f"{row_steps} steps of all rows are too few to be worth tracing"
        return None

    def _tunes(self, order: Order) -> bool:
        """Say whether knobs tune themselves on the validation part, which only a stack can do."""
        knobs = read_knobs(order.config, optimizers=self.recipe.optimizers)
        return bool(bilevel_names(knobs.hypergradient))

    def _worth_recording(self, order: Order, steps: int) -> bool:
        """Say whether a single row is worth a stack of one, which is recorded.

        By sizes, not by a clock: the trainer rounds otherwise, and the same search is to give
        the same trials. Models that were found to need vmap must be worth more.
        """
        if self.tier != "auto" or self._batch_numbers(order) >= _LARGE_BATCH:
            return False
        name = self._name(order)
        self._lone_steps[name] += steps
        easy = all(engine.direct for engine in self._engines.values())
        return easy or self._lone_steps[name] >= _LONE_STEPS

    def _row_steps(self, orders: Sequence[Order]) -> int:
        """Count the steps of orders of one group, for each row."""
        rows = min(len(self.data.train), self.recipe.epoch_rows or len(self.data.train))
        knobs = read_knobs(orders[0].config, optimizers=self.recipe.optimizers)
        steps = -(-rows // knobs.batch_size)
        return steps * sum(order.epochs for order in orders) * self._models

    def _needs_vmap(self, order: Order) -> bool:
        """Say whether models of this signature were found not to run without vmap."""
        name = self._name(order)
        engines = [engine for key, engine in self._engines.items() if key[0] == name]
        return bool(engines) and not engines[0].direct

    def _name(self, order: Order) -> str:
        """Name what an order's models have in common."""
        digest = order.config.digest
        if digest not in self._groups:
            self._groups[digest] = self._signature(order)
        return self._groups[digest]

    def _signature(self, order: Order) -> str:
        try:
            knobs = read_knobs(order.config, optimizers=self.recipe.optimizers)
            seed = draws.trial_seed(self.seed, order.trial)
            example = as_tensor(self.data.train.x[:2]).to(getattr(torch, self.recipe.dtype))
            module = build_model(self.recipe, order.config, seed, example=example)
            # Whether it takes features is part of its signature.
            given = [x for p in self.data.parts for x in (p.train.x, p.validation.x)]
            arrays = [x for x in given if isinstance(x, np.ndarray)]
            if arrays:  # a stream has none, and is read batch by batch
                takes_features(module, knobs, arrays)
            augmentation_strengths([knobs], self.data.shape)
        except Exception:  # noqa: BLE001 - whatever it is, the trainer will record it
            return f"alone {order.config.digest}"
        loss = loss_name(chosen_loss(self.recipe, order.config))
        return f"{signature(module)} {common(knobs)} {loss}"

    def _chunks(self, orders: Sequence[Order]) -> Iterator[list[Order]]:
        """Divide orders into stacks: equal groups, and equal lengths beside each other."""
        groups: dict[str, list[Order]] = {}
        for order in orders:
            groups.setdefault(self.group(order), []).append(order)
        for group in groups.values():
            group.sort(key=lambda order: (order.epochs, order.trial))
            for begin in range(0, len(group), self.width):
                yield group[begin : begin + self.width]

    def _alone(
        self,
        orders: Sequence[Order],
        artifacts: ArtifactStore,
        stop: Callable[[], bool],
        *,
        reason: str,
    ) -> Iterator[Outcome]:
        for outcome in self._trainer.run(orders, artifacts, stop):
            notes = [f"one model after another: {reason}", outcome.notes]
            yield replace(outcome, notes="; ".join(filter(None, notes)))

    def _together(
        self, orders: Sequence[Order], artifacts: ArtifactStore, stop: Callable[[], bool]
    ) -> Iterator[Outcome]:
        """Train orders of one group, in as many stacks as their width and the memory ask for."""
        # Outside of any net: a damaged store is no fault of the trial.
        stored = [take_up(order, artifacts) for order in orders]
        rows = [row for o, s in zip(orders, stored, strict=True) for row in self._rows_of(o, s)]
        states = [state for each in stored for state in self._split(each)]
        waiting = deque([Part(tuple(rows), tuple(states))])
        steps = self._row_steps(orders)
        while waiting:
            part = waiting.popleft()
            attempt = yield from self._attempt(part, artifacts, stop, steps=steps)
            if attempt.width is not None:
                parts = part.left().by_epoch() if self.data.streamed else [part.left()]
                narrower = [each for some in parts for each in some.divide(attempt.width)]
                waiting.extendleft(reversed(narrower))
            elif not attempt.trained:
                left = part.left().orders
                yield from self._alone(left, artifacts, stop, reason=attempt.notes)

    def _attempt(
        self, part: Part, artifacts: ArtifactStore, stop: Callable[[], bool], *, steps: int
    ) -> Generator[Outcome, None, Attempt]:
        """Train rows together and yield trials as they end, or say how many could be."""
        training, given = self._train(part, stop, steps=steps), set[int]()
        attempt = Attempt("", going=True)
        while attempt.going:
            attempt = self._next(training, part)
            ended = part.rows if attempt.trained else part.ended
            new = [row for row in ended if row.order.trial not in given]
            given.update(row.order.trial for row in new)
            for trial in joined(new, self.data, measured=self.recipe.measured):
                yield self._outcome(trial, artifacts, notes=attempt.notes)
        return attempt

    def _next(self, training: Iterator[Attempt], part: Part) -> Attempt:
        """Train one epoch more, or say why the rows cannot be trained together."""
        try:
            with alone(self.device):
                return next(training)
        except RatherAloneError as found:
            self._rather_alone[self._name(part.rows[0].order)] = str(found)
            return Attempt(str(found))
        except Exception as error:  # noqa: BLE001 - the trainer finds out whose fault it is
            if not is_out_of_memory(error):
                return Attempt(f"their stack failed with {type(error).__name__}")
        # Only here is the traceback gone, with the frames that held the stack.
        give_back_memory()
        count, left = len(part.rows), part.left()
        self._widths.shrink(self._name(part.rows[0].order), count)
        notes = f"memory ran out with {count} {'row' if count == 1 else 'rows'}"
        return Attempt(notes, width=len(left.rows) // 2 if len(left.orders) > 1 else None)

    def _train(self, part: Part, stop: Callable[[], bool], *, steps: int) -> Iterator[Attempt]:
        """Train rows as one stack; yield after each epoch, and at the end."""
        heavy = self._heavy(part.rows[0].order, steps=steps)
        if heavy is not None:
            yield Attempt(heavy)
            return
        begin, order = time.perf_counter(), part.rows[0].order
        name = self._name(order)
        lone = len(part.rows) == 1 or self._tunes(order)
        group = Group(
            self.recipe,
            self.data,
            part.rows,
            tier=self.tier,
            engines=self._engines,
            name=name,
            seed=self.seed,
            samples=self._samples,
            device=self.device,
            measures=self._measures,
            alone=None if lone else partial(self._trainer.step_seconds, order),
            tuner=self._tuner,
        )
        width = self._widths.find(name, len(part.rows), probe=group.probe, steps=steps)
        if len(part.divide(width.rows)) > 1:
            yield Attempt(width.reason, width=width.rows)
            return
        group.start(part.stored)
        share = (time.perf_counter() - begin) / len(part.rows)
        for row in part.rows:
            row.seconds += share
        for _ in group.train(stop):
            yield Attempt(notes_of(group, width), going=True)
            if self._target is not None and is_reached(self._target, part.rows):
                break
        yield Attempt(notes_of(group, width), trained=True)

    def _heavy(self, order: Order, *, steps: int) -> str | None:
        """Say why models are so large that even to try a stack of them costs more than it gives.

        A stack saves calls, and there are few of them a second here; only a compiler could do
        better, and needs minutes of work to be worth its time.
        """
        small = self._batch_numbers(order) < _LARGE_BATCH
        if self.tier != "auto" or small or self._tunes(order):
            return None
        try:
            seconds = self._trainer.step_seconds(order)
        except Exception:  # noqa: BLE001 - the stack, or the trainer, will say what is wrong
            return None
        if seconds < _HEAVY_SECONDS or seconds * steps > _WORTH_TRYING:
            return None
        return f"a step of one model takes {1e3 * seconds:.0f} ms, too long for a stack to gain"

    def _batch_numbers(self, order: Order) -> int:
        knobs = read_knobs(order.config, optimizers=self.recipe.optimizers)
        return knobs.batch_size * math.prod(self.data.shape)

    def _rows_of(self, order: Order, stored: State | None) -> list[Row]:
        return rows_of(
            order,
            stored,
            recipe=self.recipe,
            study_seed=self.seed,
            folds=len(self.data.parts),
            seeds=self._seeds,
        )

    def _split(self, stored: State | None) -> Sequence[State | None]:
        return [None] * self._models if stored is None else split_state(stored, self._models)

    def _outcome(self, row: Row, artifacts: ArtifactStore, *, notes: str) -> Outcome:
        # An order for a trial that early stopping has ended already leaves all as it was.
        done = row.status is OutcomeStatus.DONE
        keys: tuple[str | None, str | None] = (row.order.state if done else None, None)
        if row.finished and row.status in {OutcomeStatus.DONE, OutcomeStatus.STOPPED}:
            keys = keep(row.order, row.finished, artifacts, recipe=self.recipe, data=self.data)
        return Outcome(
            row.order,
            row.status,
            metrics=tuple(row.metrics),
            seconds=row.seconds,
            state=keys[0],
            predictions=keys[1],
            error=row.error,
            notes="; ".join(filter(None, [notes, row.note])),
        )
