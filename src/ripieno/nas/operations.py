"""The operations of cells, by the names of the benchmarks.

Every operation keeps the channels, and the pixels but for its stride.

Source: Dong and Yang, "NAS-Bench-201", ICLR 2020 (``nor_conv`` and the five that go with it);
Liu, Simonyan and Yang, "DARTS: Differentiable architecture search", ICLR 2019 (the rest).
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from types import MappingProxyType

import torch
from torch import Tensor, nn

__all__ = [
    "FREE",
    "IDLE",
    "OPERATIONS",
    "FactorizedReduce",
    "Place",
    "Zero",
    "convolution",
    "operation",
]

FREE = frozenset({"none", "skip_connect"})
"""What costs nothing and learns nothing: a cell that holds little else has collapsed."""

IDLE = FREE | {"avg_pool_3x3", "max_pool_3x3"}
"""What learns nothing, whatever it costs."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where an operation is put.

    Args:
        channels: Of its input and of its output.
        stride: By how much it shrinks height and width, rounded up.
        affine: Whether its norms learn a scale and a shift.
        statistics: Whether its norms keep running statistics; those of a supernet do not, as
            its maps are others in every step.
    """

    channels: int
    stride: int = 1
    affine: bool = True
    statistics: bool = True

    def norm(self) -> nn.Module:
        """Return a new batch norm."""
        return nn.BatchNorm2d(
            self.channels, affine=self.affine, track_running_stats=self.statistics
        )


class Zero(nn.Module):
    """No connection: zeros of the shape that the other operations give.

    Args:
        stride: By how much height and width shrink, rounded up.
    """

    def __init__(self, stride: int) -> None:
        super().__init__()
        self.stride = stride

    def forward(self, x: Tensor) -> Tensor:
        """Return zeros, which still hang on ``x``: its gradient is zero, not absent."""
        return x[:, :, :: self.stride, :: self.stride] * 0.0


class FactorizedReduce(nn.Module):
    """Halves height and width, rounded up, and sees every pixel.

    Two convolutions of 1 x 1 take every other pixel, the second one a pixel further on, and
    each gives half of the channels (of a single channel, there is one of them).

    Args:
        channels: Of the input.
        place: Channels of the output, and what its norm is like.
    """

    def __init__(self, channels: int, place: Place) -> None:
        super().__init__()
        rest = place.channels // 2
        self.even = nn.Conv2d(channels, place.channels - rest, 1, stride=2, bias=False)
        self.odd = nn.Conv2d(channels, rest, 1, stride=2, bias=False) if rest else None
        self.activation = nn.ReLU()
        self.shift = nn.ZeroPad2d((0, 1, 0, 1))
        self.norm = place.norm()

    def forward(self, x: Tensor) -> Tensor:
        """Return maps of half the size."""
        x = self.activation(x)
        out: Tensor = self.even(x)
        if self.odd is not None:
            # A side of odd length has one pixel fewer a step further on: zeros stand in.
            out = torch.cat([out, self.odd(self.shift(x)[:, :, 1:, 1:])], dim=1)
        normed: Tensor = self.norm(out)
        return normed


def convolution(channels: int, kernel: int, place: Place) -> nn.Sequential:
    """Return ReLU, a convolution of ``channels`` input maps, and a batch norm."""
    return nn.Sequential(
        nn.ReLU(),
        nn.Conv2d(
            channels, place.channels, kernel, stride=place.stride, padding=kernel // 2, bias=False
        ),
        place.norm(),
    )


def _skip(place: Place) -> nn.Module:
    return nn.Identity() if place.stride == 1 else FactorizedReduce(place.channels, place)


def _depthwise(place: Place, *, kernel: int, dilation: int, times: int) -> nn.Module:
    """Return depthwise convolutions, each with one of 1 x 1 behind it."""
    layers: list[nn.Module] = []
    for number in range(times):
        layers += [
            nn.ReLU(),
            nn.Conv2d(
                place.channels,
                place.channels,
                kernel,
                stride=place.stride if number == 0 else 1,
                padding=dilation * (kernel // 2),
                dilation=dilation,
                groups=place.channels,
                bias=False,
            ),
            nn.Conv2d(place.channels, place.channels, 1, bias=False),
            place.norm(),
        ]
    return nn.Sequential(*layers)


OPERATIONS: Mapping[str, Callable[[Place], nn.Module]] = MappingProxyType(
    {
        "none": lambda place: Zero(place.stride),
        "skip_connect": _skip,
        "nor_conv_1x1": lambda place: convolution(place.channels, 1, place),
        "nor_conv_3x3": lambda place: convolution(place.channels, 3, place),
        "avg_pool_3x3": lambda place: nn.AvgPool2d(
            3, stride=place.stride, padding=1, count_include_pad=False
        ),
        "max_pool_3x3": lambda place: nn.MaxPool2d(3, stride=place.stride, padding=1),
        "sep_conv_3x3": partial(_depthwise, kernel=3, dilation=1, times=2),
        "sep_conv_5x5": partial(_depthwise, kernel=5, dilation=1, times=2),
        "dil_conv_3x3": partial(_depthwise, kernel=3, dilation=2, times=1),
        "dil_conv_5x5": partial(_depthwise, kernel=5, dilation=2, times=1),
    }
)
"""Makers of operations by name; each keeps the channels, and the pixels but for its stride."""


def operation(name: str, place: Place) -> nn.Module:
    """Return a new operation: one of :data:`OPERATIONS`."""
    return OPERATIONS[name](place)
