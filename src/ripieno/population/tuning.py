"""Knobs of rows that tune themselves on the validation part, step by step.

What has to be known is kept with the optimizer's state of each row, as float64 numbers:
``tuned_<name>``, how far a knob has moved in the space in which it is free, the moments of Adam
beside it, and ``tuned_steps``. The knob itself is the array ``hyper/<name>`` that every tier of a
stack reads, so that no step of training knows of any of this.

Source: Lorraine, Vicol and Duvenaud, "Optimizing millions of hyperparameters by implicit
differentiation", AISTATS 2020, Algorithm 1.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from ripieno.errors import RecipeError
from ripieno.population.changes import Drawn
from ripieno.population.inputs import Inputs
from ripieno.population.judged import judged_losses
from ripieno.population.optimizers import FAMILIES, decay_penalty
from ripieno.population.step import Batch, StackedStep, named
from ripieno.recipes import TUNED_EVERY, TUNED_STEP, TUNED_WARMUP, Tuner, TunerLoss, draws

__all__ = ["KnobTuning", "tuning_of"]


@dataclass(frozen=True, slots=True)
class KnobTuning:
    """Tunes the knobs of a stack's rows.

    Args:
        tuner: Computes hypergradients.
        step: The step whose losses are differentiated, with leaves.
        inputs: Where validation rows are drawn from.
    """

    tuner: Tuner
    step: StackedStep
    inputs: Inputs

    @property
    def names(self) -> tuple[str, ...]:
        """The knobs that tune themselves."""
        return self.step.layout.optimizer.tuned

    def settle(self, arrays: Mapping[str, Tensor]) -> None:
        """Set the knobs to what has been stored of them, in place."""
        values = self.tuner.values(self._first(arrays), self._moved(arrays))
        for name, value in values.items():
            arrays[f"hyper/{name}"].copy_(value)

    def after(
        self,
        arrays: Mapping[str, Tensor],
        batch: Batch,
        *,
        step: tuple[int, int],
        rows: Sequence["Tuned"],
        drawn: Drawn,
    ) -> None:
        """Move the knobs after a step of training, where it is their turn.

        Args:
            arrays: The arrays of a stack and of its statistics; changed in place.
            batch: The batch of that step.
            step: Its number in the epoch, and how many there are.
            rows: The rows.
            drawn: The batch before it was changed.
        """
        number, steps = step
        warm = [row.epoch >= TUNED_WARMUP for row in rows]
        ready = torch.tensor(warm, device=batch["active"].device)
        if (number + 1) % min(TUNED_EVERY, steps) or not bool(ready.any()):
            return
        purpose = draws.Purpose.TUNING
        keys = draws.key_tensor(*(draws.fold(r.seed, purpose, r.epoch, number) for r in rows))
        judged = self.inputs.drawn(keys.reshape(len(rows)), [row.fold for row in rows])
        moved = self._moved(arrays)
        slopes, useless = self.tuner.slopes(
            self._train_loss(arrays, batch, drawn),
            self._validation_loss(arrays, *judged),
            params={n: arrays[f"model/{n}"] for n in self.step.layout.trained},
            moved=moved,
        )
        finite = [torch.isfinite(s).reshape(len(rows), -1).all(1) for s in slopes.values()]
        usable = torch.stack(finite).all(0) & ~useless
        self._move(arrays, slopes, ready & batch["active"] & usable)
        self.settle(arrays)

    def _train_loss(self, arrays: Mapping[str, Tensor], batch: Batch, drawn: Drawn) -> TunerLoss:
        first, decays = self._first(arrays), self.step.layout.decays

        def loss(params: dict[str, Tensor], moved: dict[str, Tensor]) -> Tensor:
            values = self.tuner.values(first, moved)
            own = {**arrays, **{f"hyper/{name}": value for name, value in values.items()}}
            changed = drawn.under(values, batch)
            objective, _ = self.step.losses({**named(arrays, "model/"), **params}, own, changed)
            if "weight_decay" in values:
                objective = objective + decay_penalty(params, values["weight_decay"])
            if decays is not None:
                objective = objective + decays[1].penalty(params, values[decays[0]])
            return objective

        return loss

    def _validation_loss(self, arrays: Mapping[str, Tensor], x: Tensor, y: Tensor) -> TunerLoss:
        return lambda params, _: judged_losses(self.step, params, arrays, x=x, y=y)

    def _move(
        self, arrays: Mapping[str, Tensor], slopes: Mapping[str, Tensor], rows: Tensor
    ) -> None:
        """Take a step of Adam with each knob of the rows that are named."""
        taken, moved = arrays["row/tuned_steps"], self._moved(arrays)
        kinds = {"exp_avg": "mean", "exp_avg_sq": "square"}
        slots = {
            n: {slot: arrays[f"row/tuned_{n}_{kind}"] for slot, kind in kinds.items()}
            for n in self.names
        }
        new, new_slots, _ = FAMILIES["adam"](uses=frozenset()).step(
            moved, {n: slopes[n] for n in self.names}, slots=slots, row_slots={},
            steps=taken, hyper={"lr": torch.full_like(taken, TUNED_STEP)},
        )  # fmt: skip
        for name in self.names:
            pairs = [(moved[name], new[name])]
            pairs += [(slots[name][slot], new_slots[name][slot]) for slot in kinds]
            for array, value in pairs:
                torch.where(rows.view(-1, *[1] * (array.ndim - 1)), value, array, out=array)
        taken.add_(rows)

    def _first(self, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: arrays[f"hyper/first_{name}"] for name in self.names}

    def _moved(self, arrays: Mapping[str, Tensor]) -> dict[str, Tensor]:
        return {name: arrays[f"row/tuned_{name}"] for name in self.names}


def tuning_of(tuner: Tuner | None, step: StackedStep, inputs: Inputs) -> KnobTuning | None:
    """Return what tunes the knobs of a stack; None where none of them tunes itself.

    Args:
        tuner: Computes hypergradients.
        step: The stack's step, with leaves.
        inputs: What its rows read.

    Raises:
        RecipeError: There is nothing to compute hypergradients with.
    """
    names = step.layout.optimizer.tuned
    if not names:
        return None
    if tuner is None:
        raise RecipeError(
            f"{', '.join(names)} cannot tune themselves here: the runner has no tuner.",
            where="PopulationRunner(tuner=None)",
            fix="pass tuner=ripieno.hypergradient.KnobTuner().",
        )
    return KnobTuning(tuner, step, inputs)


class Tuned(Protocol):
    """What has to be known of a row."""

    @property
    def seed(self) -> int:
        """The replica's seed."""

    @property
    def epoch(self) -> int:
        """Epochs that the trial has been trained for."""

    @property
    def fold(self) -> int:
        """Number of the fold that it is validated on."""
