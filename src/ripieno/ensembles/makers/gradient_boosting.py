"""Members that each learn what the sum of those before them has left.

Sources: Friedman, "Greedy function approximation: a gradient boosting machine", 2001; Badirli
et al., "Gradient boosting neural networks: GrowNet", 2020 (second order, corrective step);
Feng et al., "Soft gradient boosting machine", 2020.
"""

from dataclasses import dataclass, field, replace
from typing import Literal

import torch
from torch import Tensor

from ripieno.ensembles.boosted_rules import AdditiveRule
from ripieno.ensembles.ensemble import Ensemble
from ripieno.ensembles.makers.assembling import Member, assemble
from ripieno.ensembles.makers.maker import Configs, check, configs_of, ready
from ripieno.ensembles.makers.residuals import best_constant, gradients, loss_of
from ripieno.ensembles.makers.stacks import fresh, joint_ensemble, rows_of
from ripieno.errors import EnsembleError
from ripieno.population import Hooks, SteppedStack, Turn
from ripieno.recipes import KNOBS, Data, Recipe
from ripieno.space import Config

__all__ = ["GradientBoosting", "SoftGradientBoosting"]


@dataclass(frozen=True, slots=True)
class GradientBoosting:
    """Trains members one after the other on what the sum so far has left, and adds them.

    What the members so far say of the training rows is kept, not computed again: a member
    costs the same however many there are. After each member a corrective step may train all of
    them on the loss itself. The stage that is best on the validation part answers.

    Args:
        members: How many at most.
        rate: What a member's outputs are multiplied with.
        order: 2: members learn Newton steps, weighted by the curvature; 1: gradients.
        corrective_epochs: Epochs of the corrective step after each member but the first, at
            half the config's learning rate; 0 for none. It asks for one architecture.
    """

    members: int = 8
    rate: float = 0.3
    order: Literal[1, 2] = 2
    corrective_epochs: int = 1

    def __post_init__(self) -> None:
        check(
            self,
            members=self.members >= 1,
            rate=self.rate > 0,
            order=self.order in (1, 2),
            corrective_epochs=self.corrective_epochs >= 0,
        )

    def make(self, recipe: Recipe, data: Data, configs: Configs, *, seed: int = 0) -> Ensemble:
        """Return a trained ensemble; see :class:`Maker`.

        The loss is the task's own; the config's ``loss`` and its options are not looked at.
        ``ensemble.facts["stage_losses"]`` are the validation losses after each member.

        Raises:
            EnsembleError: The data are folds or a stream, or the first member diverged.
            RecipeError: A corrective step is asked of different architectures.
        """
        recipe = ready(recipe, data, streams=False)
        stages = _Stages(self, recipe, data, seed)
        for config in configs_of(configs, self.members):
            if not stages.add(config):
                break
            if self.corrective_epochs and len(stages.members) > 1:
                stages.correct()
            stages.judge()
        count = len(stages.best)
        start = _intercept(data, stages.constant, rate=self.rate, members=count)
        rule = AdditiveRule([self.rate] * count, start, task=data.task)
        facts = {"stage_losses": stages.losses}
        return assemble(recipe, data, stages.best, rule=rule, facts=facts)


@dataclass(slots=True)
class _Stages:
    """A boosting on its way."""

    maker: GradientBoosting
    recipe: Recipe
    data: Data
    seed: int
    members: list[Member] = field(default_factory=list)
    best: list[Member] = field(default_factory=list)
    losses: list[float] = field(default_factory=list)
    constant: Tensor = field(init=False)
    _last: SteppedStack | None = None
    _y: Tensor = field(init=False)
    _total: Tensor = field(init=False)
    _validation: Tensor = field(init=False)

    def __post_init__(self) -> None:
        data, dtype = self.data, getattr(torch, self.recipe.dtype)
        self._y = data.coding.encode(data.train.y, dtype)
        self.constant = best_constant(self._y, task=data.task, outputs=data.outputs).to(dtype)
        self._total = self.constant.expand(len(data.train), -1).clone()
        self._validation = self.constant.expand(len(data.validation), -1).clone()

    def add(self, config: Config) -> bool:
        """Train a member on what is left; say whether there is one more.

        Raises:
            EnsembleError: The first one diverged.
        """
        number = len(self.members)
        stack = self._last = SteppedStack(
            self.recipe, self.data, [config], seed=self.seed, trials=[number], like=self._last
        )
        slope, curve = gradients(self._total, self._y, task=self.data.task)
        if self.maker.order == 1:
            curve = torch.ones_like(curve)
        wanted = -slope / curve

        def told(turn: Turn) -> Turn:
            own = {"wanted": wanted[turn.rows], "curve": curve[turn.rows]}
            return replace(turn, batch={**turn.batch, **own})

        hooks = Hooks(objective=_missed, steady=True, change=told)
        stack.train(self.recipe.epochs, hooks)
        if not bool(stack.alive.all()):
            if number:
                return False
            raise EnsembleError(
                "the first member diverged.",
                where=f"{self.maker!r}",
                fix="use a lower learning rate.",
            )
        self.members.append(Member(f"{number}", config, stack.state(0).model))
        self._total = self._total + self.maker.rate * self._outputs(stack, "train")[0]
        self._validation = (
            self._validation + self.maker.rate * self._outputs(stack, "validation")[0]
        )
        return True

    def correct(self) -> None:
        """Train all members on the loss of their sum; those that would diverge stay."""
        configs = [_slower(member.config) for member in self.members]
        stack = SteppedStack(
            self.recipe, self.data, configs, seed=self.seed, together=True,
            states=[fresh(member.model) for member in self.members],
        )  # fmt: skip
        rate, task = self.maker.rate, self.data.task

        def objective(outputs: Tensor, turn: Turn) -> Tensor:
            total = self.constant + rate * outputs.sum(0)
            loss = loss_of(total, turn.batch["y"][0], task=task)
            # One loss, said by each member: their sum over the members is the loss itself.
            return loss.expand(stack.members) / stack.members

        # From where its own training ended: another order of the rows.
        stack.train(
            self.maker.corrective_epochs,
            Hooks(objective=objective, steady=True),
            begin=self.recipe.epochs,
        )
        if not bool(stack.alive.all()):
            return
        self.members = [
            Member(member.id, member.config, stack.state(number).model)
            for number, member in enumerate(self.members)
        ]
        self._total = self.constant + rate * self._outputs(stack, "train").sum(0)
        self._validation = self.constant + rate * self._outputs(stack, "validation").sum(0)

    def judge(self) -> None:
        """Keep the stage if it is the best on the validation part so far."""
        data = self.data
        y = data.coding.encode(data.validation.y, self._validation.dtype)
        self.losses.append(float(loss_of(self._validation, y, task=data.task)))
        if self.losses[-1] <= min(self.losses):
            self.best = list(self.members)

    def _outputs(self, stack: SteppedStack, part: Literal["train", "validation"]) -> Tensor:
        return stack.outputs(rows_of(getattr(self.data, part)))


@dataclass(frozen=True, slots=True)
class SoftGradientBoosting:
    """Trains members side by side, each on what the sum of those before it leaves at the time.

    Args:
        members: How many, of one architecture.
        rate: What a member's outputs are multiplied with.
    """

    members: int = 8
    rate: float = 0.3

    def __post_init__(self) -> None:
        check(self, members=self.members >= 1, rate=self.rate > 0)

    def make(self, recipe: Recipe, data: Data, configs: Configs, *, seed: int = 0) -> Ensemble:
        """Return a trained ensemble; see :class:`Maker`.

        Raises:
            EnsembleError: The data are folds or a stream, or a member diverged.
            RecipeError: The configs are no rows of one stack.
        """
        recipe = ready(recipe, data, streams=False)
        own = configs_of(configs, self.members)
        stack = SteppedStack(recipe, data, own, seed=seed, together=True)
        y = data.coding.encode(data.train.y, getattr(torch, recipe.dtype))
        constant = best_constant(y, task=data.task, outputs=data.outputs).to(
            getattr(torch, recipe.dtype)
        )

        def objective(outputs: Tensor, turn: Turn) -> Tensor:
            # Detached: no gradient flows into what another member is trained on.
            held = outputs.detach()
            before = constant + self.rate * (held.cumsum(0) - held)
            slope, _ = gradients(before, turn.batch["y"], task=data.task)
            return ((outputs + slope) ** 2).mean(dim=(1, 2))

        stack.train(recipe.epochs, Hooks(objective=objective, steady=True))
        start = _intercept(data, constant, rate=self.rate, members=self.members)
        rule = AdditiveRule([self.rate] * self.members, start, task=data.task)
        return joint_ensemble(stack, own, rule)


def _missed(outputs: Tensor, turn: Turn) -> Tensor:
    """Return the mean of what each member misses, squared, ``(members,)``."""
    missing = outputs - turn.batch["wanted"]
    return (turn.batch["curve"] * missing**2).mean(dim=(1, 2))


def _intercept(data: Data, constant: Tensor, *, rate: float, members: int) -> list[float]:
    """Return the constant of a rule, which is given values in the target's own units."""
    if data.task != "regression":
        return list(map(float, constant.tolist()))
    # A member's value is mean + scale * output, and so holds the mean once each.
    mean, scale = (
        torch.tensor(numbers).double() for numbers in (data.coding.mean, data.coding.scale)
    )
    left = mean * (1 - rate * members) + scale * constant.double()
    return list(map(float, left.tolist()))


def _slower(config: Config) -> Config:
    lr = float(config.get("lr", KNOBS["lr"].default))  # type: ignore[arg-type]  # a number
    return Config({**config, "lr": lr / 2, "schedule": "constant", "warmup_epochs": 0.0})
