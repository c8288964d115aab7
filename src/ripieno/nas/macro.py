"""Networks whose outline is searched: depth, width, kernels, shortcuts."""

import re
from collections.abc import Iterable, Mapping

from torch import Tensor, nn

from ripieno.errors import SpaceError
from ripieno.nas.heads import Head, halved
from ripieno.recipes import Residual
from ripieno.space import Config, Value

__all__ = ["MacroNetwork"]

_LAYERED = re.compile(r"(kernel|skip)_[1-9]\d*")
_STAGES = 3


class MacroNetwork(nn.Module):
    """The network of one config of :func:`macro_space`.

    Layers are convolution, batch norm and ReLU, perhaps with a shortcut past the first two.
    They are divided into thirds; each but the first doubles the filters and begins with a step
    of two pixels.

    Args:
        config: Of the space; what else it holds (a learning rate) is not read.
        shape: ``(channels, height, width)`` of one image.
        classes: Number of outputs.

    Raises:
        SpaceError: A hyperparameter of the architecture is absent.
    """

    def __init__(
        self, config: Mapping[str, Value], *, shape: tuple[int, ...], classes: int
    ) -> None:
        super().__init__()
        depth, filters = _whole(config, "layers"), _whole(config, "filters")
        layers: list[nn.Module] = []
        channels, stage = shape[0], 0
        for number in range(1, depth + 1):
            here = (number - 1) * _STAGES // max(depth, _STAGES)
            after, stride, stage = filters * 2**here, 2 if here > stage else 1, here
            layers += _layer(
                (channels, after),
                _whole(config, f"kernel_{number}"),
                stride=stride,
                skip=config.get(f"skip_{number}") is True,
            )
            channels = after
        self.layers = nn.Sequential(*layers)
        head = Head.read(config).build(channels, halved(shape, stage), classes)
        self.head = nn.Sequential(*head)

    def forward(self, x: Tensor) -> Tensor:
        """Return outputs ``(batch, classes)`` for images ``(batch, channels, height, width)``."""
        out: Tensor = self.head(self.layers(x))
        return out

    @staticmethod
    def names(config: Iterable[str]) -> set[str]:
        """Return which of some names are hyperparameters of such a network."""
        return {n for n in config if n in {"network", "layers", "filters"} or _LAYERED.fullmatch(n)}


def _layer(channels: tuple[int, int], kernel: int, *, stride: int, skip: bool) -> list[nn.Module]:
    layers: list[nn.Module] = [
        nn.Conv2d(*channels, kernel, stride=stride, padding=kernel // 2, bias=False),
        nn.BatchNorm2d(channels[1]),
    ]
    if not skip:
        return [*layers, nn.ReLU()]
    same = channels[0] == channels[1] and stride == 1
    shortcut = nn.Identity() if same else nn.Conv2d(*channels, 1, stride=stride, bias=False)
    return [Residual(layers, shortcut, nn.ReLU())]


def _whole(config: Mapping[str, Value], name: str) -> int:
    value = config.get(name)
    if isinstance(value, int | float) and value >= 1:
        return int(value)
    raise SpaceError(
        f"{name} = {value!r} builds no network.",
        where=repr(Config(config)),
        fix="give a whole number of at least 1.",
    )
