"""A stack that is trained on any objective, step by step, with hooks.

The runner minimizes each row's own loss. What trains members against each other, or against
what others have learnt, says for itself what is minimized; models, batches, masks of dropout,
optimizers and schedules stay those of the runner.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import torch
from torch import Tensor
from torch.func import functional_call

from ripieno.population.alike import alike
from ripieno.population.hooks import Hooks, Objective, Turn
from ripieno.population.hyper import hyperparameters, stacked_optimizer, used
from ripieno.population.inputs import Inputs
from ripieno.population.leaves import Kernels
from ripieno.population.loop import LoopStep, load_row
from ripieno.population.losses import check_outputs, stacked_loss, stacked_options
from ripieno.population.optimizers import l1_penalty
from ripieno.population.probe import few, is_direct
from ripieno.population.recorded_step import RecordedStep
from ripieno.population.stack import Stack
from ripieno.population.step import (
    Batch,
    Found,
    Rules,
    StackedStep,
    apply,
    fresh_statistics,
    named,
)
from ripieno.population.template import Template
from ripieno.recipes import (
    Data,
    DropoutMode,
    Recipe,
    State,
    alone,
    augment,
    augmentation_strengths,
    batches,
    build_model,
    chosen_loss,
    complete,
    draws,
    learning_rate_factor,
    loss_options,
    raise_out_of_memory,
)
from ripieno.space import Config

__all__ = ["SteppedStack", "Ways"]

_ROWS = 256
"""Rows at a time, where nothing is trained."""
_OFTEN = 10
"""Turns of one shape, from which on one is recorded."""


@dataclass(slots=True, eq=False)
class Ways:
    """How the steps of stacks are computed whose configs are equal.

    Args:
        step: Runs the forward of all members at once.
        loop: Runs it one member after the other.
        one_by_one: Whether that is needed; None while nobody knows.
        recorded: Recordings by the objective and the shapes of the batch.
        seen: How often each of these came.
    """

    step: StackedStep
    loop: LoopStep
    one_by_one: bool | None = None
    recorded: dict[object, RecordedStep | None] = field(default_factory=dict)
    seen: Counter[object] = field(default_factory=Counter)


class SteppedStack:
    """Models of one signature that are trained on an objective of the caller's.

    Early stopping, and watching a metric, are the caller's as well: configs that ask for them
    are trained to the end.

    Args:
        recipe: How models are trained; its ``epochs`` span the schedule.
        data: Arrays without folds.
        configs: One a member; they differ in numbers alone.
        seed: Of weights, order and dropout.
        trials: For each member the number of the trial whose draws are its own; None counts
            from 0.
        states: What members go on from, optimizers included; None starts anew.
        together: Whether all members see the first one's rows at the same time, as they must
            where the objective reads more than one of them.
        like: A stack that was trained before, of the same recipe, data and configs: what was
            recorded of it serves this one too.

    Raises:
        RecipeError: The members are no rows of one stack, or mix examples; or the data are
            folds or a stream.
    """

    def __init__(
        self,
        recipe: Recipe,
        data: Data,
        configs: Sequence[Config],
        *,
        seed: int = 0,
        trials: Sequence[int] | None = None,
        states: Sequence[State] | None = None,
        together: bool = False,
        like: "SteppedStack | None" = None,
    ) -> None:
        self.configs = tuple(configs)
        self.recipe, self.data = complete(recipe, data), data
        self.knobs = alike(
            self.recipe,
            data,
            configs,
            kind="a stepped stack",
            refused=("mixup", "cutmix", "input_noise"),
        )
        numbers = range(len(configs)) if trials is None else trials
        self.seeds = [draws.trial_seed(seed, trial) for trial in numbers]
        self._inputs = Inputs(data, getattr(torch, recipe.dtype))
        example = self._inputs.example
        models = [
            build_model(self.recipe, config, own, example=example)
            for config, own in zip(configs, self.seeds, strict=True)
        ]
        self._options = stacked_options([loss_options(self.recipe, c, data) for c in configs])
        uses = used(self.knobs) | set(self._options)
        hyper = {**hyperparameters(models[0], self.knobs, uses), **self._options}
        stack = Stack.of(models, stacked_optimizer(models[0], self.knobs), hyper)
        for member, state in enumerate(states or ()):
            stack.insert(member, state)
        self._stack = stack.flat()
        self._rules = Rules(loss=chosen_loss(self.recipe, configs[0]), uses=uses)
        layout = self._stack.layout
        self.ways: Ways
        if like is not None and like.configs == self.configs:
            self.ways = like.ways
        else:
            template = Template(models[0], Kernels(measure=False))
            step = StackedStep(template, layout, self._rules)
            self.ways = Ways(step, LoopStep.of(models[0], layout, self._rules))
        self._strengths = augmentation_strengths(self.knobs, data.shape)
        self._arrays = {**self._stack.arrays, **fresh_statistics(len(configs))}
        self._readers = [self.seeds[0]] * self.members if together else self.seeds

    @property
    def members(self) -> int:
        """Number of members."""
        return len(self.seeds)

    @property
    def alive(self) -> Tensor:
        """Which members have not diverged, bool, ``(members,)``."""
        return self._arrays["statistic/alive"]

    @property
    def tensors(self) -> Mapping[str, Tensor]:
        """Parameters and buffers by name, ``(members, ...)``: the stack's own memory."""
        return self._stack.named("model/")

    def train(
        self,
        epochs: int,
        hooks: Hooks | None = None,
        *,
        begin: int = 0,
        samples: Sequence[Tensor] | None = None,
    ) -> None:
        """Train all members, in place. torch's own generator is left as it was.

        Args:
            epochs: How many epochs.
            hooks: What is different from plain training.
            begin: Epochs trained before.
            samples: The only training rows that each member sees, int64, equally many.
        """
        hooks = Hooks() if hooks is None else hooks
        with alone():
            for epoch in range(begin, begin + epochs):
                for turn in self._turns(epoch, samples):
                    self._take(turn if hooks.change is None else hooks.change(turn), hooks)

    def losses(self, outputs: Tensor, turn: Turn, weights: Tensor | None = None) -> Tensor:
        """Return the mean loss of each member's batch, ``(members,)``.

        Args:
            outputs: Shape ``(members, batch, outputs)``.
            turn: The turn.
            weights: What each example counts, ``(members, batch)``; alike where absent.
        """
        y = turn.batch["y"]
        check_outputs(outputs, y)
        losses, counts = stacked_loss(self._rules.loss)(outputs, y, **self._options)
        if weights is not None:
            own = weights.to(losses.dtype)
            losses, counts = losses * own, counts * own
        return losses.sum(-1) / counts.sum(-1)

    def weighted(self, outputs: Tensor, turn: Turn) -> Tensor:
        """Return the mean of each member's losses times their weights, ``(members,)``.

        Args:
            outputs: Shape ``(members, batch, outputs)``.
            turn: The turn; its batch holds ``weights``, ``(members, batch)``.
        """
        own = turn.batch["weights"]
        return self.losses(outputs, turn, own) * own.mean(-1).to(outputs.dtype)

    def input_gradients(self, turn: Turn) -> Tensor:
        """Return the gradient of each member's loss in its inputs, of their shape."""
        with torch.enable_grad():
            x = turn.batch["x"].detach().requires_grad_()
            tensors = {n: a.detach().clone() for n, a in self.tensors.items()}
            outputs = self._forward(tensors, {**turn.batch, "x": x})
            return torch.autograd.grad(self.losses(outputs, turn).sum(), x)[0]

    def outputs(self, x: Tensor) -> Tensor:
        """Return every member's outputs in evaluation mode, ``(members, rows, outputs)``.

        Args:
            x: Standardised rows, ``(rows, *features)``.
        """
        dtype = getattr(torch, self.recipe.dtype)
        with torch.no_grad(), alone():
            found = []
            for part in torch.split(x.to(dtype), _ROWS):
                shared = part.unsqueeze(0).expand(self.members, *part.shape)
                batch = {"x": shared}
                found.append(self._forward(dict(self.tensors), batch, training=False))
        return torch.cat(found, dim=1)

    def state(self, member: int, *, epoch: int = 0) -> State:
        """Copy a member out; see :meth:`Stack.extract`."""
        return self._stack.extract(member, epoch=epoch)

    def _turns(self, epoch: int, samples: Sequence[Tensor] | None) -> Iterator[Turn]:
        rows = self._inputs.rows(0)
        order = torch.stack(
            [
                draws.epoch_order(
                    own, epoch, rows=rows, size=self.recipe.epoch_rows,
                    sample=None if samples is None else samples[member],
                )
                for member, own in enumerate(self._readers)
            ]
        )  # fmt: skip
        plan = batches(torch.arange(order.shape[1]), self.ways.step.template.module, self.knobs[0])
        steps, purpose = len(plan), draws.Purpose.AUGMENTATION
        keys = images = torch.stack([draws.step_keys(s, epoch, steps) for s in self.seeds])
        rates, active = self._scheduled(epoch, steps), torch.ones(self.members, dtype=torch.bool)
        if self._strengths:
            own = [draws.step_keys(s, epoch, steps, purpose=purpose) for s in self._readers]
            images = torch.stack(own)
        readers = self._inputs.members([0] * self.members)
        fed = self._inputs.batches(order, plan, readers=readers, key=0)
        for number, (x, y) in enumerate(fed):
            step = epoch * steps + number
            torch.default_generator.manual_seed(
                draws.fold(self.seeds[0], draws.Purpose.GENERATOR, epoch, number)
            )
            batch = {
                "x": augment(x, images[:, number], self._strengths),
                "y": y,
                "keys": keys[:, number].contiguous(),
                "rates": rates[number],
                "active": active,
            }
            yield Turn(batch, order[:, plan[number]], step, steps)

    def _scheduled(self, epoch: int, steps: int) -> Tensor:
        """Return the learning rates of an epoch by the schedule, float64, ``(steps, members)``."""
        epochs, first = self.recipe.epochs, epoch * steps
        rates = [
            [own.lr * learning_rate_factor(step, steps, epochs=epochs, knobs=own)
             for own in self.knobs]
            for step in range(first, first + steps)
        ]  # fmt: skip
        return torch.tensor(rates, dtype=torch.float64)

    def _take(self, turn: Turn, hooks: Hooks) -> None:
        """Take one step."""
        if hooks.rates is not None:
            turn = replace(turn, batch={**turn.batch, "rates": hooks.rates(turn)})
        found = self._found(turn, hooks)
        apply(self._arrays, turn.batch, found, layout=self._stack.layout, rules=self._rules)
        if hooks.after_step is not None:
            hooks.after_step(turn)

    def _found(self, turn: Turn, hooks: Hooks) -> Found:
        """Return what a turn says, from a recording where it was taken often."""
        x, y = turn.batch["x"], turn.batch["y"]
        kind = (hooks.objective, x.shape, x.stride(), y.shape, y.stride())
        self.ways.seen[kind] += 1
        steady = hooks.steady or hooks.objective is None
        if self.ways.seen[kind] == _OFTEN and steady and self.ways.one_by_one is False:
            self.ways.recorded[kind] = self._recording(turn, hooks)
        step = self.ways.recorded.get(kind)
        if step is None:
            return self._find(self._arrays, turn, hooks.objective)
        return step.find(self._arrays, {**turn.batch, "rows": turn.rows})

    def _recording(self, turn: Turn, hooks: Hooks) -> RecordedStep | None:
        def find(arrays: Mapping[str, Tensor], batch: Batch) -> Found:
            own = replace(turn, batch=batch, rows=batch["rows"])
            return self._find(arrays, own, hooks.objective)

        try:
            batch, module = {**turn.batch, "rows": turn.rows}, self.ways.step.template.module
            return RecordedStep.of(find, self._arrays, batch, module=module)
        except Exception as error:  # noqa: BLE001 - an objective may look at numbers
            raise_out_of_memory(error)
            return None

    def _find(self, arrays: Mapping[str, Tensor], turn: Turn, objective: Objective | None) -> Found:
        layout, alive = self._stack.layout, arrays["statistic/alive"]
        with torch.enable_grad():
            tensors = {n: a.detach() for n, a in named(arrays, "model/").items()}
            trained = {n: tensors[n].requires_grad_() for n in layout.trained}
            # The forward writes statistics: into copies, so that a row can be left as it was.
            buffers = {name: tensors[name].clone() for name in layout.buffers}
            outputs = self._forward({**tensors, **buffers}, turn.batch)
            found = (objective or self.losses)(outputs, turn)
            if "l1" in self._rules.uses:
                found = found + l1_penalty(trained, arrays["hyper/l1"])
            total = torch.where(alive, found, 0.0).sum()
            gradients = torch.autograd.grad(total, list(trained.values()), allow_unused=True)
        pairs: list[tuple[str, Tensor | None]] = list(zip(trained, gradients, strict=True))
        own = {name: gradient for name, gradient in pairs if gradient is not None}
        losses = found.detach()
        return Found(losses, torch.ones_like(losses), own, buffers, present={})

    def _forward(
        self, tensors: Mapping[str, Tensor], batch: Batch, *, training: bool = True
    ) -> Tensor:
        """Return all members' outputs; one after the other where they cannot be stacked."""
        if self.ways.one_by_one is None:
            self.ways.one_by_one = not self._can_be_stacked(batch)
        if self.ways.one_by_one:
            return self._in_turn(tensors, batch, training=training)
        return self.ways.step.template.forward(
            tensors,
            batch["x"],
            members=self.members,
            numbers=self._stack.named("number/"),
            keys=batch.get("keys"),
            training=training,
        )

    def _can_be_stacked(self, batch: Batch) -> bool:
        """Find out on a few rows how the forward is computed: without vmap, or with it."""
        size = batch["x"].shape[1]
        fresh = {"keys": torch.zeros(self.members, dtype=torch.int64)}
        tried = {
            **fresh, **batch, "active": torch.ones(self.members, dtype=torch.bool),
            "x": batch["x"].detach()[:, : min(size, 8)],
        }  # fmt: skip
        arrays, some = few(self._arrays, tried, rules=self._rules)
        module = self.ways.loop.module
        if is_direct(self.ways.step, module, arrays=arrays, batch=some):
            return True
        self.ways.step.template.direct = False
        try:
            stacked = self.ways.step.outputs(arrays, some)
            load_row(module.train(), arrays, 0)
            with torch.no_grad(), DropoutMode(some["keys"][0]):
                own = module(some["x"][0])
        except Exception as error:  # noqa: BLE001 - a user's forward may raise anything
            raise_out_of_memory(error)
            return False
        return bool(torch.allclose(stacked[0], own, rtol=1e-3, atol=1e-3 * float(own.abs().max())))

    def _in_turn(self, tensors: Mapping[str, Tensor], batch: Batch, *, training: bool) -> Tensor:
        module, found = self.ways.loop.module.train(training), []
        for member in range(self.members):
            load_row(module, self._arrays, member)  # its dropout rates; tensors are given below
            own = {name: tensor[member] for name, tensor in tensors.items()}
            key = batch["keys"][member] if "keys" in batch else torch.tensor(0)
            with DropoutMode(key):
                found.append(functional_call(module, own, (batch["x"][member],)))
        return torch.stack(found)
