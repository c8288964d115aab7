"""Findings about the inside of a network."""

from collections.abc import Sequence

from ripieno.diagnostics.finding import Finding, number
from ripieno.diagnostics.layers import Activation, Gradient, Layers

__all__ = ["dead_relus", "gradient_sizes", "saturation"]

_MOSTLY = 0.5
_FEW_UNITS = 4
_EXPLODING = 100.0
_VANISHING = 1e-4


def dead_relus(layers: Layers) -> list[Finding]:
    """Find layers with a relu after which over half of the units are zero for every row."""
    bad = [a for a in layers.after if a.dead > _MOSTLY and a.units >= _FEW_UNITS]
    if not bad:
        return []
    worst = max(bad, key=lambda activation: activation.dead)
    first = _same(layers.before, layers.after, worst)
    born = first is not None and first.dead > _MOSTLY
    when = "already before training" if born else f"after {layers.steps} steps"
    fix = (
        "Initialise weights for relu (Kaiming) and biases at zero, scale the inputs, or use a "
        "leaky relu or a batch norm."
        if born
        else "Lower the learning rate, clip the gradient, or use a leaky relu or a batch norm."
    )
    before = 0.0 if first is None else first.dead
    return [
        Finding(
            "dead_relus",
            "warning",
            f"{worst.dead:.0%} of the {worst.units:,} units of relu {worst.layer!r} are dead "
            f"{when}: they give zero for every row{_more(bad)}.",
            {"layer": worst.layer, "dead": worst.dead, "dead_before": before, "layers": len(bad)},
            fix,
        )
    ]


def saturation(layers: Layers) -> list[Finding]:
    """Find layers whose sigmoids or tanhs are flat for over half of their values."""
    bad = [a for a in layers.after if a.saturated > _MOSTLY]
    if not bad:
        return []
    worst = max(bad, key=lambda activation: activation.saturated)
    first = _same(layers.before, layers.after, worst)
    before = 0.0 if first is None else first.saturated
    return [
        Finding(
            "saturated_activations",
            "warning",
            f"{worst.saturated:.0%} of the values of {worst.function} {worst.layer!r} lie where "
            f"it is flat, so that hardly any gradient passes (before training {before:.0%})"
            f"{_more(bad)}.",
            {
                "layer": worst.layer,
                "saturated": worst.saturated,
                "saturated_before": before,
                "layers": len(bad),
            },
            "Draw smaller first weights (Xavier), scale the inputs, add a batch or layer norm, or "
            "use relu.",
        )
    ]


def gradient_sizes(layers: Layers) -> list[Finding]:
    """Find gradients far above their weights, or far below those of other layers."""
    gradients = layers.gradients
    if not gradients:
        return []
    found = []
    largest = max(gradients, key=lambda gradient: gradient.relative)
    if not largest.relative <= _EXPLODING:
        found.append(
            Finding(
                "exploding_gradients",
                "warning",
                f"The gradient of {largest.layer!r} is {number(largest.relative)} times as long as "
                f"the weight itself (median of {layers.steps} steps).",
                {"layer": largest.layer, "relative": largest.relative, "steps": layers.steps},
                "Scale the inputs, clip the gradient (gradient_clip = 1), draw smaller first "
                "weights, or add a norm.",
            )
        )
    found += _vanishing(gradients, layers.steps)
    return found


def _vanishing(gradients: Sequence[Gradient], steps: int) -> list[Finding]:
    smallest = min(gradients, key=lambda gradient: gradient.size)
    largest = max(gradients, key=lambda gradient: gradient.size)
    if not smallest.size < _VANISHING * largest.size:
        return []
    times = "no share" if smallest.size == 0.0 else number(smallest.size / largest.size)
    return [
        Finding(
            "vanishing_gradients",
            "warning",
            f"The gradient of {smallest.layer!r} is {times} of that of {largest.layer!r} (median "
            f"of {steps} steps): that layer does not learn.",
            {"layer": smallest.layer, "size": smallest.size, "largest": largest.size},
            "Use relu instead of sigmoid or tanh, add residual connections or a norm, or use fewer "
            "layers.",
        )
    ]


def _same(
    before: Sequence[Activation], after: Sequence[Activation], one: Activation
) -> Activation | None:
    """Return the same call before training; None where the network took another way."""
    place = list(after).index(one)
    if place < len(before) and before[place].layer == one.layer:
        return before[place]
    return None


def _more(bad: Sequence[Activation]) -> str:
    others = len(bad) - 1
    return "" if others == 0 else f", and {others} more {'layer' if others == 1 else 'layers'} too"
