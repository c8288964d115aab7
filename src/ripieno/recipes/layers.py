"""What the built-in models have in common: their layers, and the space of their training."""

from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from torch import Tensor, nn

from ripieno.errors import RecipeError
from ripieno.recipes.architecture import Architecture
from ripieno.recipes.knobs import closest
from ripieno.space import Categorical, Domain, Float, Space

__all__ = [
    "ACTIVATIONS",
    "Residual",
    "activation",
    "activation_of",
    "global_pooling",
    "model_space",
    "normalization",
    "pooling",
]

ACTIVATIONS: Mapping[str, Callable[[], nn.Module]] = MappingProxyType(
    {
        "relu": nn.ReLU,
        "leaky_relu": nn.LeakyReLU,
        "prelu": nn.PReLU,
        "elu": nn.ELU,
        "gelu": nn.GELU,
        "silu": nn.SiLU,
        "sigmoid": nn.Sigmoid,
        "tanh": nn.Tanh,
    }
)
"""Activations by name."""


def activation(name: str, *, negative_slope: float = 0.01) -> nn.Module:
    """Return a new activation module.

    Args:
        name: One of :data:`ACTIVATIONS`.
        negative_slope: Slope of ``leaky_relu`` below zero; the others have no use for it.

    Raises:
        RecipeError: There is none of this name.
    """
    if name not in ACTIVATIONS:
        raise RecipeError(
            f"there is no activation {name!r}.",
            where="the hyperparameter 'activation'",
            fix=f"use one of {', '.join(ACTIVATIONS)}.{closest(name, ACTIVATIONS)}",
        )
    return nn.LeakyReLU(negative_slope) if name == "leaky_relu" else ACTIVATIONS[name]()


def activation_of(architecture: Architecture) -> nn.Module:
    """Return a new activation module as the config wants it."""
    slope = float(architecture["negative_slope"])
    return activation(architecture["activation"], negative_slope=slope)


def normalization(architecture: Architecture, features: int, *, spatial: bool) -> list[nn.Module]:
    """Return the norm behind a layer, or nothing where the config wants none.

    Args:
        architecture: Holds ``norm`` and ``norm_groups``.
        features: Features or channels that it normalizes.
        spatial: Whether they are channels of maps. The layer norm of maps runs over all
            channels and pixels of an example, with a scale and a shift a channel: a group
            norm of one group.
    """
    match architecture["norm"]:
        case "batch":
            return [nn.BatchNorm2d(features) if spatial else nn.BatchNorm1d(features)]
        case "layer":
            return [nn.GroupNorm(1, features) if spatial else nn.LayerNorm(features)]
        case "group":
            most = min(architecture.count("norm_groups"), features)
            groups = next(g for g in range(most, 0, -1) if features % g == 0)
            return [nn.GroupNorm(groups, features)]
    return []


def pooling(kind: str, size: int) -> list[nn.Module]:
    """Return what shrinks maps behind a convolution: ``max`` or ``average``, else nothing."""
    match kind:
        case "max":
            return [nn.MaxPool2d(size)]
        case "average":
            return [nn.AvgPool2d(size)]
    return []


def global_pooling(kind: str) -> list[nn.Module]:
    """Return what makes one pixel of a map: ``average`` or ``max``, else nothing."""
    match kind:
        case "average":
            return [nn.AdaptiveAvgPool2d(1)]
        case "max":
            return [nn.AdaptiveMaxPool2d(1)]
    return []


class Residual(nn.Module):
    """Layers with a shortcut past them: ``after(layers(x) + shortcut(x))``.

    Args:
        layers: What the shortcut goes past.
        shortcut: The identity where the shape stays as it is, else a linear projection.
        after: What follows the sum.

    Source: He, Zhang, Ren and Sun, "Deep residual learning for image recognition", CVPR 2016.
    """

    def __init__(
        self, layers: Sequence[nn.Module], shortcut: nn.Module, after: nn.Module | None = None
    ) -> None:
        super().__init__()
        self.layers = nn.Sequential(*layers)
        self.shortcut = shortcut
        self.after = nn.Identity() if after is None else after

    def forward(self, x: Tensor) -> Tensor:
        """Return the sum, activated."""
        out: Tensor = self.after(self.layers(x) + self.shortcut(x))
        return out


def model_space(
    architecture: Mapping[str, Domain], *, batch_sizes: tuple[int, ...] = (32, 64, 128)
) -> Space:
    """Return a default space: an architecture's own domains and those of its training.

    Args:
        architecture: The domains of the architecture.
        batch_sizes: The batch sizes to choose from, the default first.

    The learning rate has one range for all optimizers and two rules: plain gradient descent
    hardly moves below 1e-3, and the adaptive ones diverge above 3e-2.
    """
    training: dict[str, Domain] = {
        "optimizer": Categorical("adam", "sgd", "rmsprop"),
        "lr": Float(1e-4, 0.3, log=True, default=2e-3),
        "momentum": Float(0.0, 0.99, default=0.9).when(optimizer="sgd"),
        "weight_decay": Float(1e-6, 1e-2, log=True, default=1e-5),
        "batch_size": Categorical(*batch_sizes),
        "schedule": Categorical("cosine", "constant", "exponential", "polynomial"),
        "schedule_gamma": Float(0.7, 0.99, default=0.9).when(schedule="exponential"),
        "schedule_power": Float(0.5, 2.0, default=1.0).when(schedule="polynomial"),
    }
    space = Space(**architecture, **training)
    return space.where(
        "optimizer == 'sgd' or lr <= 0.03", "adam and rmsprop need lr <= 0.03"
    ).where("optimizer != 'sgd' or lr >= 0.001", "sgd needs lr >= 0.001")
