"""One stack on its way through the epochs of its rows' orders."""

import copy
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache, partial
from itertools import groupby
from types import MappingProxyType
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from ripieno.population.changes import Changes
from ripieno.population.choice import RatherAloneError
from ripieno.population.deciding import TierName
from ripieno.population.epoch import generator_seeds, learning_rates, orders, step_keys
from ripieno.population.hyper import hyperparameters, stacked_optimizer, tuned_hyper, used
from ripieno.population.inputs import Inputs
from ripieno.population.losses import stacked_options
from ripieno.population.online import tuned_numbers
from ripieno.population.optimizers import Optimizer
from ripieno.population.rows import Row, fall_together, finished
from ripieno.population.stack import Layout, Stack
from ripieno.population.step import Batch, Rules, fresh_statistics
from ripieno.population.tiers import Engine
from ripieno.population.tuning import tuning_of
from ripieno.population.width import Probe
from ripieno.recipes import (
    Data,
    Device,
    Recipe,
    State,
    Tuner,
    arrange,
    augmentation_strengths,
    batches,
    build_model,
    chosen_loss,
    complete,
    draws,
    in_equal_epochs,
    join,
    loss_options,
    measure_scores,
    take_features,
)
from ripieno.records import OutcomeStatus, say_epochs

__all__ = ["EngineKey", "Group"]

EngineKey = tuple[str, Optimizer, Rules]
"""What an engine computes: the group's name, the optimizer, and what else rows have in common."""


_ALL: Mapping[int, Tensor] = MappingProxyType({})


class Group:
    """Rows of one signature, trained together epoch by epoch.

    Args:
        recipe: How models are trained.
        data: What they are trained on and measured on.
        rows: The rows; one batch size, one optimizer.
        tier: How the stack is computed.
        engines: Engines by what they compute, kept for later groups.
        name: The group's name.
        seed: The study's seed, from which the order of streamed rows comes.
        samples: The only training rows that a trial sees, equally many in all rows.
        alone: Times a step of the first row's model in the one-model trainer.
        device: Where they are trained.
        measures: Whether epochs are measured too that end no order and are not judged.
        tuner: Computes hypergradients, where knobs tune themselves on the validation part.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: Data,
        rows: Sequence[Row],
        *,
        tier: TierName,
        engines: dict[EngineKey, Engine],
        name: str,
        seed: int = 0,
        samples: Mapping[int, Tensor] = _ALL,
        alone: Callable[[], float] | None = None,
        device: Device | None = None,
        measures: bool = True,
        tuner: Tuner | None = None,
    ) -> None:
        self.rows, self._measures = list(rows), measures
        self._device = device or Device()
        self._place = self._device.found
        self._seed, self._samples, self._alone, self._tuner = seed, samples, alone, tuner
        recipe = complete(recipe, data)
        self._recipe, self._data = in_equal_epochs(recipe, data), data
        self._tier, self._engines, self._name = tier, engines, name
        self._inputs = Inputs(data, getattr(torch, recipe.dtype), self._device)
        self._shape = data.shape
        # Where images are changed, each row has its own: what is shared is the reading alone.
        changed = augmentation_strengths([row.knobs for row in self.rows], data.shape)
        self._shared = self._inputs.streamed and not changed
        self._going = list(self.rows)
        self._decided = False
        self._options = stacked_options(
            [loss_options(recipe, r.order.config, data.parts[r.fold]) for r in self.rows]
        )

    @property
    def notes(self) -> str:
        """How the stack was computed, why, and where."""
        how = f"{len(self.rows)} rows; {self._engine.choice}"
        return "; ".join(filter(None, [how, self._device.words]))

    def start(self, stored: Sequence[State | None]) -> None:
        """Build the stack, and load what rows go on from."""
        models = self._build(self.rows)
        stack = Stack.of(models, self._optimizer(), self._hyper())
        for number, state in enumerate(stored):
            if state is not None:
                stack.insert(number, state)
            self.rows[number].end_early()
        self._stack = stack.to(self._place).flat()
        self._engine = self._find_engine(models[0], self._stack.layout)
        self._tuning = tuning_of(self._tuner, self._engine.leaves, self._inputs)
        if self._tuning is not None:
            self._tuning.settle(self._stack.arrays)

    def probe(self) -> Probe:
        """Return the first row, untrained, for trying how steps behave."""
        row, inputs = self.rows[0], self._inputs
        models = self._build(self.rows[:1])
        hyper = {name: values[:1] for name, values in self._hyper().items()}
        stack = Stack.of(models, self._optimizer(), hyper).to(self._place)
        count = min(row.knobs.batch_size, inputs.rows(row.fold))
        first = torch.arange(count, device=self._place)
        readers = inputs.members([row.fold])
        x, y = next(inputs.batches(first.unsqueeze(0), [first], readers=readers, key=0))
        x = x.unsqueeze(0) if inputs.streamed and not self._shared else x
        planned = self._changes(1).mixing
        mixing = {name: numbers[:1, 0].contiguous() for name, numbers in planned.items()}
        # Features of a frozen backbone may have taken the place of the inputs.
        self._inputs = Inputs(self._data, getattr(torch, self._recipe.dtype), self._device)
        engine = self._find_engine(models[0], stack.layout)
        batch = {"x": x, "y": y, **mixing}
        return Probe.of(engine, stack, batch, seed=row.seed, rate=row.knobs.lr)

    def _build(self, rows: Sequence[Row]) -> list[nn.Module]:
        example = self._inputs.example
        models = [build_model(self._recipe, r.order.config, r.seed, example=example) for r in rows]
        self._model = models[0]
        self._take_features(models)
        return models

    def train(self, stop: Callable[[], bool]) -> Iterator[None]:
        """Train every row to the end of its order, or until ``stop()``; yield each epoch."""
        self._compact()
        while self._going:
            begin, rows = time.perf_counter(), self._going
            whole = self._epoch(stop)
            share = (time.perf_counter() - begin) / len(rows)
            for row in rows:
                row.seconds += share
                say_epochs(row.order.trial, row.epoch - row.order.start)
            if not whole:
                return
            fall_together(self._going)
            self._judge()
            self._compact()
            yield

    def _compact(self) -> None:
        """Leave out the rows that are done."""
        going = [row for row in self._going if row.status is OutcomeStatus.STOPPED]
        if len(going) < len(self._going):
            places = [self._going.index(row) for row in going]
            kept = torch.tensor(places, dtype=torch.int64, device=self._place)
            self._stack = self._stack.select(kept)
            self._lay_out()
        self._going = going

    def _epoch(self, stop: Callable[[], bool]) -> bool:
        """Train one epoch; False, with the rows as they were, if ``stop()`` came first."""
        rows, members = self._going, len(self._going)
        order = orders(
            rows,
            counts=[self._inputs.rows(row.fold) for row in rows],
            size=self._recipe.epoch_rows,
            samples=[self._samples.get(row.order.trial) for row in rows],
            stream=self._seed if self._inputs.streamed else None,
        ).to(self._place)
        plan = batches(torch.arange(order.shape[1], device=self._place), self._model, rows[0].knobs)
        keys = step_keys(rows, len(plan), device=self._place)
        changes = self._changes(len(plan), mixup=self._stack.arrays.get("hyper/mixup"))
        scheduled = learning_rates(rows, len(plan), epochs=self._recipe.epochs)
        told = {"keys": keys, "rates": scheduled.to(self._place), **changes.mixing}
        steps = {name: numbers.transpose(0, 1).contiguous() for name, numbers in told.items()}
        statistics = fresh_statistics(members, self._place)
        arrays = {**self._stack.arrays, **statistics}
        readers = self._inputs.members([row.fold for row in rows])
        active = torch.ones(members, dtype=torch.bool, device=self._place)
        key = draws.fold(self._seed, draws.Purpose.STREAM, rows[0].epoch)
        batches_read = self._inputs.batches(order, plan, readers=readers, key=key)
        for step in range(len(plan)):
            if stop():
                return False
            x, y = next(batches_read)
            if self._inputs.streamed and not self._shared:
                x = x.expand(members, *x.shape)
            drawn = changes.at(step, x, arrays)
            batch = {
                "x": drawn.inputs(),
                "y": y,
                "active": active,
                **{name: numbers[step] for name, numbers in steps.items()},
            }
            if not self._decided:
                left = sum(row.order.stop - row.epoch for row in rows) * len(plan) / members
                self._decide(arrays, batch, steps_left=left)
                arrays = {**self._stack.arrays, **statistics}
            if step == 0 and self._engine.catch_up(arrays, batch, epoch=rows[0].epoch + 1):
                self._lay_out()
                arrays = {**self._stack.arrays, **statistics}
            self._engine.step(arrays, batch, generator_seeds=partial(generator_seeds, rows, step))
            if self._tuning is not None:
                place = (step, len(plan))
                self._tuning.after(arrays, batch, step=place, rows=rows, drawn=drawn)
        kept, scores = self._stack.copy(), None
        if self._is_measured():
            scores = self._scores(kept, [row.fold for row in rows], stop)
            if scores is None:
                return False
        numbers = {name: array.cpu() for name, array in statistics.items()}
        stored = cache(partial(kept.to, torch.device("cpu")))
        for number, row in enumerate(rows):
            own = None if scores is None else scores[number]
            self._finish(
                number, row, numbers, scores=own, rates=scheduled[number], kept=kept, stored=stored
            )
        return True

    def _is_measured(self) -> bool:
        """Say whether anybody asks for the metrics of this epoch."""
        ends = any(row.epoch + 1 == row.order.stop for row in self._going)
        return self._measures or ends or any(row.judging is not None for row in self._going)

    def _decide(self, arrays: Mapping[str, Tensor], batch: Batch, *, steps_left: float) -> None:
        """Choose the tier, and lay the stack out for it."""
        choice = self._engine.choice
        if choice is None or not choice.lasting:
            choice = self._engine.decide(arrays, batch, steps_left=steps_left, alone=self._alone)
        if choice.tier == "alone":
            raise RatherAloneError(str(choice).removeprefix("alone: "))
        self._decided = True
        self._lay_out()

    def _lay_out(self) -> None:
        choice = self._engine.choice
        # A compiler is told of no array that it looks into another one.
        apart = choice is not None and choice.tier == "compiled"
        self._stack = self._stack.apart() if apart else self._stack.flat()

    def _judge(self) -> None:
        """Let the trials that watch their metric judge their epoch, and end early."""
        for _, found in groupby(self._going, lambda row: row.order.trial):
            rows = list(found)
            first = rows[0]
            if first.judging is None or first.error is not None:
                continue
            finished = [row.finished for row in rows if row.finished is not None]
            whole = finished[0]
            if len(rows) > 1:
                whole = join(finished, self._data, measured=self._recipe.measured)
            first.judged.append(first.judging.judge(whole))
            for row in rows:
                row.end_early()

    def _finish(
        self,
        number: int,
        row: Row,
        statistics: dict[str, Tensor],
        *,
        scores: NDArray[np.float64] | None,
        rates: Tensor,
        kept: Stack,
        stored: Callable[[], Stack],
    ) -> None:
        epoch, measured = row.epoch + 1, {}
        if not statistics["statistic/alive"][number]:
            step = int(statistics["statistic/steps_taken"][number])
            loss = float(statistics["statistic/last_loss"][number])
            row.error = (
                f"the training loss was {loss} in epoch {epoch}, step {step + 1} of {len(rates)} "
                f"(learning rate {float(rates[step]):.3g})."
            )
        elif scores is not None and not np.isfinite(scores).all():
            row.error = f"the validation predictions were not finite after epoch {epoch}."
        if row.error is not None:
            row.status, row.held = OutcomeStatus.DIVERGED, None
            return
        loss_sum = float(statistics["statistic/loss_sum"][number])
        if scores is not None:
            scores, targets = self._inputs.measured(scores, row.fold)
            measured = measure_scores(
                scores, targets, metrics=self._recipe.metrics, task=self._inputs.task
            )
            predictions = partial(self._inputs.predictions, scores)
        else:
            folds = [each.fold for each in self._going]
            predictions = partial(self._predictions, kept, folds, number=number)
        row.metrics.append(
            {
                "train_loss": loss_sum / float(statistics["statistic/weight_sum"][number]),
                **measured,
                "learning_rate": float(rates[-1]),
                **tuned_numbers(kept, number, labels=self._data.classes),
            }
        )
        row.held = partial(
            finished, row.metrics[-1], stored, number=number, epoch=epoch, predictions=predictions
        )
        if epoch == row.order.stop:
            row.status = OutcomeStatus.DONE

    def _scores(
        self, stack: Stack, folds: Sequence[int], stop: Callable[[], bool]
    ) -> NDArray[np.float64] | None:
        """Return scores ``(members, rows, outputs)``, or None if ``stop()``."""
        parts = []
        for part in self._parts(stack, folds):
            if stop():
                return None
            parts.append(part)
        return torch.cat(parts, dim=1).cpu().numpy()

    def _parts(self, stack: Stack, folds: Sequence[int]) -> Iterator[Tensor]:
        """Yield scores ``(members, some rows, outputs)`` of the validation part."""
        for x in self._inputs.validation(folds):
            outputs = self._engine.predict(stack.arrays, x, shared=self._inputs.shared)
            yield self._inputs.scores(outputs, folds)

    def _predictions(
        self, stack: Stack, folds: Sequence[int], *, number: int
    ) -> NDArray[np.floating[Any]]:
        """Return what a row of an epoch that was not measured says of the validation part."""
        scores = torch.cat([part[number] for part in self._parts(stack, folds)]).cpu().numpy()
        return self._inputs.predictions(self._inputs.measured(scores, folds[number])[0])

    def _changes(self, steps: int, *, mixup: Tensor | None = None) -> Changes:
        """Draw what changes the batches of an epoch."""
        shapes = (self._shape, tuple(self._inputs.example.shape[1:]))
        # Asked of all rows: the step's rules stay when those that mix are done.
        mixes = bool(self._uses() & {"mixup", "cutmix"})
        return Changes.of(
            self._going, steps, shapes=shapes, mixes=mixes, mixup=mixup, device=self._place
        )

    def _take_features(self, models: Sequence[nn.Module]) -> None:
        """Train on the features of a frozen backbone, where all rows can."""
        given = [x for part in self._data.parts for x in (part.train.x, part.validation.x)]
        arrays = [x for x in given if isinstance(x, np.ndarray)]
        if not arrays:
            return  # a stream is read batch by batch
        features = None
        for model, row in zip(models, self.rows, strict=False):
            features = take_features(model, row.knobs, arrays, device=self._place)
        if features is not None:
            self._inputs.replace(features[0::2], features[1::2])

    def _optimizer(self) -> Optimizer:
        return stacked_optimizer(self._model, [row.knobs for row in self.rows])

    def _hyper(self) -> dict[str, Tensor]:
        """Return every row's hyperparameters by name, ``(members, ...)``."""
        knobs = [row.knobs for row in self.rows]
        hyper = {**hyperparameters(self._model, knobs, self._uses()), **self._options}
        return {**hyper, **tuned_hyper(self._model, knobs, hyper)}

    def _uses(self) -> frozenset[str]:
        return used([row.knobs for row in self.rows]) | set(self._options)

    def _find_engine(self, model: nn.Module, layout: Layout) -> Engine:
        loss = chosen_loss(self._recipe, self.rows[0].order.config)
        rules = Rules(loss=loss, shared=self._shared, uses=self._uses())
        key = (self._name, layout.optimizer, rules)
        if key not in self._engines:
            # One model after another in the layout of the trainer; stacks have their own.
            example = self._inputs.example
            model = arrange(self._recipe, copy.deepcopy(model), self._place, example=example)
            self._engines[key] = Engine(model, layout, rules, tier=self._tier)
        return self._engines[key]
