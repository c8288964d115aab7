"""What the built-in models have in common: activations and the space of their training."""

from collections.abc import Callable, Mapping
from types import MappingProxyType

from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes.knobs import closest
from ripieno.space import Categorical, Domain, Float, Space

__all__ = ["ACTIVATIONS", "activation", "model_space"]

ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = MappingProxyType(
    {
        "relu": nn.ReLU,
        "leaky_relu": nn.LeakyReLU,
        "elu": nn.ELU,
        "gelu": nn.GELU,
        "silu": nn.SiLU,
        "tanh": nn.Tanh,
    }
)
"""Activations by name."""


def activation(name: str) -> nn.Module:
    """Return a new activation module.

    Raises:
        RecipeError: There is none of this name.
    """
    if name not in ACTIVATIONS:
        raise RecipeError(
            f"there is no activation {name!r}.",
            where="the hyperparameter 'activation'",
            fix=f"use one of {', '.join(ACTIVATIONS)}.{closest(name, ACTIVATIONS)}",
        )
    return ACTIVATIONS[name]()


def model_space(architecture: Mapping[str, Domain]) -> Space:
    """Return a default space: an architecture's own domains and those of its training.

    The learning rate has one range for all optimizers and two rules: plain gradient descent
    hardly moves below 1e-3, and the adaptive ones diverge above 3e-2.
    """
    training: dict[str, Domain] = {
        "optimizer": Categorical("adam", "sgd", "rmsprop"),
        "lr": Float(1e-4, 0.3, log=True, default=2e-3),
        "momentum": Float(0.0, 0.99, default=0.9).when(optimizer="sgd"),
        "weight_decay": Float(1e-6, 1e-2, log=True, default=1e-5),
        "batch_size": Categorical(32, 64, 128),
        "schedule": Categorical("cosine", "constant", "exponential", "polynomial"),
        "schedule_gamma": Float(0.7, 0.99, default=0.9).when(schedule="exponential"),
        "schedule_power": Float(0.5, 2.0, default=1.0).when(schedule="polynomial"),
    }
    space = Space(**architecture, **training)
    return space.where(
        "optimizer == 'sgd' or lr <= 0.03", "adam and rmsprop need lr <= 0.03"
    ).where("optimizer != 'sgd' or lr >= 0.001", "sgd needs lr >= 0.001")
