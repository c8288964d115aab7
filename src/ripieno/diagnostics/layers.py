"""What happens inside a network: units that give nothing, and gradients layer by layer."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from ripieno.diagnostics.practice import Practice, drawn_alone
from ripieno.recipes import Data, Recipe
from ripieno.space import Config

__all__ = ["Activation", "Gradient", "Layers", "watch_layers"]

_ROWS = 512

_RELU = frozenset(
    {F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_, F.relu6}  # nn.ReLU calls F.relu
)
_SIGMOID = frozenset({torch.sigmoid, torch.sigmoid_, Tensor.sigmoid, Tensor.sigmoid_})
_TANH = frozenset({torch.tanh, torch.tanh_, Tensor.tanh, Tensor.tanh_})
_FLAT = 0.01  # of the slope at zero: where |x| > 6.0 for a sigmoid, |x| > 3.0 for a tanh


@dataclass(frozen=True, slots=True)
class Activation:
    """One call of an activation function, over a few hundred training rows.

    Args:
        layer: Name of the module that called it; the network's own code is ``""``.
        function: ``"relu"``, ``"sigmoid"`` or ``"tanh"``.
        units: Features, or channels of images.
        dead: Share of units that gave zero for every row; of relu.
        saturated: Share of values where the function is flat; of sigmoid and tanh.
    """

    layer: str
    function: str
    units: int
    dead: float = 0.0
    saturated: float = 0.0


@dataclass(frozen=True, slots=True)
class Gradient:
    """The gradient of one weight of two or more axes, the median of several steps.

    Args:
        layer: Name of the parameter.
        size: Root mean square of the gradient.
        relative: Norm of the gradient over the norm of the weight.
    """

    layer: str
    size: float
    relative: float


@dataclass(frozen=True, slots=True)
class Layers:
    """What was seen inside a network, first layers first.

    Args:
        before: Activations of the untrained network.
        after: Activations after some steps.
        gradients: Of the weights, during these steps.
        steps: How many there were; fewer than asked for where a loss was no number.
    """

    before: tuple[Activation, ...]
    after: tuple[Activation, ...]
    gradients: tuple[Gradient, ...]
    steps: int


def watch_layers(
    recipe: Recipe, data: Data, config: Config, *, steps: int = 36, seed: int = 0
) -> Layers:
    """Train for a few steps with the config's own learning rate, and look inside.

    Args:
        recipe: How the model is trained.
        data: On whose training part.
        config: Of the training.
        steps: How many.
        seed: Of weights, order and dropout.

    Raises:
        RecipeError: The model raises an error.
    """
    with drawn_alone(seed):
        practice = Practice(recipe, data, config, seed=seed)
        seen: dict[str, list[tuple[float, float]]] = {}
        before = activations(practice.module, practice.x[:_ROWS])
        taken = 0
        for rows in practice.batches(steps):
            loss = practice.step(rows, look=lambda module: _look(module, seen))
            taken += 1
            if not np.isfinite(loss):
                break
        after = activations(practice.module, practice.x[:_ROWS])
    return Layers(before, after, tuple(_gradients(seen)), taken)


def activations(module: nn.Module, x: Tensor) -> tuple[Activation, ...]:
    """Return every call of relu, sigmoid and tanh in one forward pass, in evaluation mode.

    Args:
        module: Left in the mode it was in.
        x: A few hundred rows, shape ``(rows, *features)``.
    """
    training = module.training
    module.eval()
    try:
        with torch.no_grad(), _names(module) as current, _Watch(current) as watch:
            module(x)
    finally:
        module.train(training)
    return tuple(watch.found)


class _Watch(TorchFunctionMode):
    """While it is active, outputs of activation functions are measured.

    Modules and plain functions are seen alike: both end in the same calls.
    """

    def __init__(self, current: Callable[[], str]) -> None:
        super().__init__()
        self._current = current
        self.found: list[Activation] = []

    def __torch_function__(  # noqa: PLR0917 - torch's protocol
        self,
        function: Callable[..., Any],
        types: Iterable[type],
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        """Call the function, and measure what it returns."""
        result = function(*args, **(kwargs or {}))
        for name, functions in (("relu", _RELU), ("sigmoid", _SIGMOID), ("tanh", _TANH)):
            if function in functions:
                self.found.append(_measured(self._current(), name, result))
        return result


@contextmanager
def _names(module: nn.Module) -> Iterator[Callable[[], str]]:
    """Follow which submodule is being run; yield a function that names it."""
    stack = [""]

    def enter(name: str) -> Callable[..., None]:
        return lambda *_: stack.append(name)

    def leave(*_: object) -> None:
        stack.pop()

    handles = []
    for name, part in module.named_modules():
        handles.append(part.register_forward_pre_hook(enter(name)))
        handles.append(part.register_forward_hook(leave, always_call=True))
    try:
        yield lambda: stack[-1]
    finally:
        for handle in handles:
            handle.remove()


def _measured(layer: str, function: str, result: Tensor) -> Activation:
    # Images have their units in the second axis, tables and sequences in the last one.
    axis = 1 if result.dim() >= 4 else result.dim() - 1
    units = result.detach().movedim(axis, 0).flatten(1)
    match function:
        case "relu":
            dead = (units <= 0.0).all(dim=1).double().mean().item()
            return Activation(layer, function, len(units), dead=dead)
        case "sigmoid":
            flat = 4.0 * units * (1.0 - units) < _FLAT
        case _:
            flat = 1.0 - units.square() < _FLAT
    saturated = flat.double().mean().item()
    return Activation(layer, function, len(units), saturated=saturated)


def _look(module: nn.Module, seen: dict[str, list[tuple[float, float]]]) -> None:
    """Add the size of every gradient, and its norm over that of its weight."""
    for name, weight in module.named_parameters():
        if weight.dim() < 2 or weight.grad is None:
            continue
        norm, own = weight.grad.norm().item(), weight.norm().item()
        pair = (norm / weight.numel() ** 0.5, norm / max(own, 1e-12))
        seen.setdefault(name, []).append(pair)


def _gradients(seen: dict[str, Sequence[tuple[float, float]]] | dict[str, Any]) -> list[Gradient]:
    found = []
    for name, pairs in seen.items():
        size, relative = np.median(np.array(pairs), axis=0).tolist()
        found.append(Gradient(name, size, relative))
    return found
