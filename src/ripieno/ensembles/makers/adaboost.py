"""Members that each look hardest at the rows on which those before them were wrong."""

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ripieno.ensembles.boosted_rules import WeightedMedianRule
from ripieno.ensembles.ensemble import Ensemble
from ripieno.ensembles.makers.assembling import Member, assemble
from ripieno.ensembles.makers.boosting_rounds import R2Loss, Round, r2, samme, samme_r
from ripieno.ensembles.makers.maker import Configs, check, configs_of, ready
from ripieno.ensembles.makers.stacks import fresh, rows_of, separate_members
from ripieno.ensembles.rules import GeometricRule, HardRule, Rule
from ripieno.errors import EnsembleError
from ripieno.population import Hooks, SteppedStack, Turn
from ripieno.recipes import Data, Recipe
from ripieno.space import Config

__all__ = ["AdaBoost"]


@dataclass(frozen=True, slots=True)
class AdaBoost:
    """Trains members one after the other, with weights of the rows in the loss.

    A network that learns the training rows by heart ends boosting at once, being perfect: give
    it a config of small capacity, or few epochs.

    Args:
        members: How many at most: boosting ends with one that is perfect, and before one that
            is no better than chance.
        rate: How much a member changes the weights, positive.
        variant: ``samme``, a weighted vote of named classes; ``samme.r``, the geometric mean of
            probabilities; for a regression ``r2``, a weighted median. None: ``samme`` or ``r2``.
        start: What a member starts from: ``same`` first weights as the first one, ``warm``, the
            trained weights of the one before, or ``new`` ones.
        loss: For ``r2``: what a row's loss is made of.
    """

    members: int = 8
    rate: float = 1.0
    variant: Literal["samme", "samme.r", "r2"] | None = None
    start: Literal["same", "warm", "new"] = "same"
    loss: R2Loss = "linear"

    def __post_init__(self) -> None:
        check(
            self,
            members=self.members >= 1,
            rate=self.rate > 0,
            variant=self.variant in (None, "samme", "samme.r", "r2"),
            start=self.start in ("same", "warm", "new"),
            loss=self.loss in ("linear", "square", "exponential"),
        )

    def make(self, recipe: Recipe, data: Data, configs: Configs, *, seed: int = 0) -> Ensemble:
        """Return a trained ensemble; see :class:`Maker`.

        ``ensemble.facts["errors"]`` are the members' weighted errors.

        Raises:
            EnsembleError: The data are folds or a stream, the task is not the variant's, or
                the first member diverged or is no better than chance.
        """
        recipe = ready(recipe, data, streams=False)
        variant = self._variant(data)
        u = np.full(len(data.train), 1 / len(data.train))
        found: list[Member] = []
        rounds: list[Round] = []
        stack: SteppedStack | None = None
        first: dict[str, SteppedStack] = {}
        for number, config in enumerate(configs_of(configs, self.members)):
            like = first.get(config.digest)
            made_of = (recipe, data, seed)
            stack = self._next(stack, config, number=number, made_of=made_of, like=like)
            _train(stack, torch.from_numpy(u), like=first.setdefault(config.digest, stack))
            member = separate_members(stack, [config], name="")[0]
            judged = self._judge(stack, u, variant)
            if judged.weight is None:
                _check_any(self, rounds, judged)
                break
            found.append(Member(f"{number}", config, member.model))
            rounds.append(judged)
            if judged.last:
                break
            u = judged.rows
        rule = _rule(variant, [each.weight or 0.0 for each in rounds])
        facts = {"errors": [each.error for each in rounds]}
        return assemble(recipe, data, found, rule=rule, facts=facts)

    def _variant(self, data: Data) -> str:
        fitting = {"classification": ("samme", "samme.r"), "regression": ("r2",)}
        allowed: tuple[str, ...] = fitting.get(data.task, ())
        variant = self.variant or (allowed[0] if allowed else "samme")
        columns = data.outputs if data.task == "regression" else 1
        if variant not in allowed or columns > 1:
            raise EnsembleError(
                f"AdaBoost by {variant!r} is not for {data.task} with {data.outputs} outputs.",
                where=f"{self!r} on {data.name!r}",
                fix="use samme or samme.r for classes, r2 for one column of values.",
            )
        return variant

    def _next(
        self,
        before: SteppedStack | None,
        config: Config,
        *,
        number: int,
        made_of: tuple[Recipe, Data, int],
        like: SteppedStack | None,
    ) -> SteppedStack:
        """Return the next member, untrained or warm; its order and dropout are its own."""
        recipe, data, seed = made_of
        if self.start == "new" or before is None:
            return SteppedStack(recipe, data, [config], seed=seed, trials=[number], like=like)
        first = before
        if self.start == "same":
            first = SteppedStack(recipe, data, [config], seed=seed, trials=[0])
        states = [fresh(first.state(0).model)]
        return SteppedStack(
            recipe, data, [config], seed=seed, trials=[number], states=states, like=like
        )

    def _judge(self, stack: SteppedStack, u: NDArray[np.float64], variant: str) -> Round:
        """Return the round of a trained member."""
        data = stack.data
        outputs = stack.outputs(rows_of(data.train))[0]
        answers = data.coding.predictions(data.coding.scores(outputs).numpy())
        y: NDArray[Any] = data.train.y
        if variant == "samme":
            right = answers.argmax(axis=1) == y
            return samme(u, right, classes=data.outputs, rate=self.rate)
        if variant == "samme.r":
            return samme_r(u, answers, y, rate=self.rate)
        return r2(u, np.abs(answers[:, 0] - y.reshape(-1)), loss=self.loss, rate=self.rate)


def _check_any(maker: AdaBoost, rounds: list[Round], judged: Round) -> None:
    """Refuse a boosting whose first member is no better than chance."""
    if not rounds:
        raise EnsembleError(
            f"the first member's error of {judged.error:.3f} is no better than chance.",
            where=f"{maker!r}",
            fix="train members for longer, or give them more capacity.",
        )


def _train(stack: SteppedStack, u: Tensor, *, like: SteppedStack) -> None:
    """Train a member on the mean of the weighted losses.

    Args:
        stack: The member.
        u: What each training row counts, ``(rows,)``, of sum 1.
        like: The first stack of the member's config: one objective is recorded once.
    """
    weights = (u * len(u)).clamp_min(1e-12)  # of mean 1: the size of a step stays what it was

    def told(turn: Turn) -> Turn:
        return replace(turn, batch={**turn.batch, "weights": weights[turn.rows]})

    stack.train(stack.recipe.epochs, Hooks(objective=like.weighted, steady=True, change=told))


def _rule(variant: str, weights: list[float]) -> Rule:
    if variant == "r2":
        return WeightedMedianRule(weights)
    return HardRule(weights) if variant == "samme" else GeometricRule(weights)
