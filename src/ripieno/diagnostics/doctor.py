"""The whole examination of one training: rows, learning rate, one batch, layers, curves."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from ripieno.diagnostics import layer_checks, rows, training_checks
from ripieno.diagnostics.finding import KINDS, Finding, number
from ripieno.diagnostics.layers import watch_layers
from ripieno.diagnostics.one_batch import (
    cannot_fit,
    outputs_fit_the_loss,
    overfit_one_batch,
    undropped,
)
from ripieno.diagnostics.practice import knobs_of
from ripieno.diagnostics.range_test import RangeTest, learning_rate_range
from ripieno.diagnostics.trials import Run, epochs_for, part_of, train
from ripieno.diagnostics.yardstick import Yardstick
from ripieno.recipes import Data, Recipe, as_tensor, build_model
from ripieno.space import Config

__all__ = ["Diagnosis", "diagnose", "inspect"]

_STRONG = 0.3
_GENTLE = 1e-2

_Watch = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What an examination found.

    Args:
        findings: Alarms first, in the order of :data:`KINDS`, then advice.
        range_test: The learning-rate range test; None where nothing was trained.
        measured: Numbers of the examination by name.
    """

    findings: tuple[Finding, ...]
    range_test: RangeTest | None = None
    measured: Mapping[str, float] | None = None

    @property
    def alarms(self) -> tuple[Finding, ...]:
        """The findings that say that the training is broken."""
        return tuple(f for f in self.findings if f.severity == "warning")

    def to_dict(self) -> dict[str, Any]:
        """Return the diagnosis as what JSON can hold."""
        return {
            "findings": [finding.to_dict() for finding in self.findings],
            "range_test": None if self.range_test is None else self.range_test.to_dict(),
            "measured": dict(self.measured or {}),
        }

    @classmethod
    def from_dict(cls, tree: Mapping[str, Any]) -> Self:
        """Read what :meth:`to_dict` returned."""
        tested = tree["range_test"]
        return cls(
            tuple(Finding.from_dict(finding) for finding in tree["findings"]),
            None if tested is None else RangeTest.from_dict(tested),
            tree["measured"],
        )


def inspect(data: Data) -> tuple[Finding, ...]:
    """Return what is wrong with the data themselves; nothing is trained."""
    checks = (rows.leaks, rows.scaling, rows.scarcity, rows.imbalance, rows.constant_features)
    return _ordered([finding for check in checks for finding in check(data)])


def diagnose(
    recipe: Recipe,
    data: Data,
    config: Config | None = None,
    *,
    seed: int = 0,
    watch: _Watch | None = None,
) -> Diagnosis:
    """Examine one training and say what is wrong with it.

    It trains up to four times for about 600 steps: as it is, and where that is in question
    with the suggested learning rate and without dropout. So a cause is named only where its
    treatment helps. Large data are examined on 20,000 of their training rows (duplicates on
    all). The same arguments give the same diagnosis.

    Args:
        recipe: How the model is trained.
        data: On what; of folded data the first fold.
        config: With which hyperparameters; the defaults of the recipe's space where absent.
        seed: Of everything that is drawn.
        watch: Called with the name of each part of the examination as it begins.

    Raises:
        RecipeError: The model cannot be built or trained at all, or a config is impossible.
    """
    say = watch or (lambda _: None)
    if config is None:
        config = recipe.space.default() if recipe.space is not None else Config({})
    rate = knobs_of(recipe, config).lr
    say("rows of the data")
    found = list(inspect(data))
    data = part_of(data, seed=seed)
    say("learning-rate range test")
    tested = learning_rate_range(recipe, data, config, seed=seed)
    safe = tested.suggestion or min(rate, _GENTLE)
    say("one batch by heart")
    batch = overfit_one_batch(recipe, data, config, rate=safe, seed=seed)
    found += outputs_fit_the_loss(batch) or cannot_fit(batch)
    say("layers and gradients")
    found += _inside(recipe, data, config, seed=seed)
    runs, blamed = _trained(recipe, data, config, tested=tested, seed=seed, say=say)
    found += blamed
    best = min(runs, key=training_checks.quality)
    stick = Yardstick.of(recipe, data, config)
    if stick.metric is not None:
        found += _curves(runs[0], best, stick=stick, found=found)
    measured = {
        "lr": rate,
        "epochs": float(len(runs[0].history)),
        "train_loss": runs[0].train_loss,
        "validation_loss": runs[0].validation_loss,
        "validation_accuracy": runs[0].validation_accuracy,
        "one_batch_loss": batch.last,
    }
    finite = {name: value for name, value in measured.items() if np.isfinite(value)}
    return Diagnosis(_ordered(found), tested, finite)


def _inside(recipe: Recipe, data: Data, config: Config, *, seed: int) -> list[Finding]:
    layers = watch_layers(recipe, data, config, seed=seed)
    found = layer_checks.dead_relus(layers) + layer_checks.saturation(layers)
    sizes = layer_checks.gradient_sizes(layers)
    # Behind dead or flat units gradients vanish: one fault, not two.
    return found + [f for f in sizes if not (found and f.kind == "vanishing_gradients")]


def _trained(
    recipe: Recipe, data: Data, config: Config, *, tested: RangeTest, seed: int, say: _Watch
) -> tuple[list[Run], list[Finding]]:
    """Train as it is, with another learning rate and without dropout, as far as is called for."""
    epochs = epochs_for(recipe, data, config)
    say(f"training for {epochs} epochs")
    runs = [train(recipe, data, config, epochs=epochs, seed=seed)]
    found: list[Finding] = []
    rate = knobs_of(recipe, config).lr
    suggestion = tested.suggestion
    if suggestion is not None and (runs[0].diverged or training_checks.is_far(rate, tested)):
        say(f"training with a learning rate of {number(suggestion)}")
        config = Config({**config, "lr": suggestion})
        runs.append(train(recipe, data, config, epochs=epochs, seed=seed))
        found += training_checks.learning_rate(*runs, rate=rate, suggestion=suggestion)
    base = min(runs, key=training_checks.quality)
    strongest = _strongest_dropout(recipe, data, base.config, seed=seed)
    if strongest >= _STRONG:
        say("training without dropout")
        without = train(recipe, data, base.config, epochs=epochs, seed=seed, change=undropped)
        found += training_checks.dropout_strength(base, without, strongest=strongest)
        runs.append(without)
    return runs, found


def _curves(own: Run, best: Run, *, stick: Yardstick, found: list[Finding]) -> list[Finding]:
    """Judge what the best training could learn; what others explain is not said again."""
    kinds = {finding.kind for finding in found if finding.severity == "warning"}
    if "too_little_data" in kinds:
        return []
    said = training_checks.labels(best, stick)
    if said:
        return said
    if kinds - {"leakage"}:
        return []
    return training_checks.nothing_learnt(best, stick) or training_checks.fit(own, stick)


def _strongest_dropout(recipe: Recipe, data: Data, config: Config, *, seed: int) -> float:
    example = as_tensor(data.train.x[:2]).to(getattr(torch, recipe.dtype))
    module = build_model(recipe, config, seed, example=example)
    base = nn.modules.dropout._DropoutNd  # noqa: SLF001 - torch has no public base
    return max((part.p for part in module.modules() if isinstance(part, base)), default=0.0)


def _ordered(found: list[Finding]) -> tuple[Finding, ...]:
    kinds = list(KINDS)
    return tuple(sorted(found, key=lambda f: (f.severity != "warning", kinds.index(f.kind))))
