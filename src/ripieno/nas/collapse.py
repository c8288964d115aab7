"""When a search by gradient has gone wrong: little that learns, and a sharp minimum.

A supernet trains fastest through its shortcuts, so that their weights grow until a cell holds
little else, and does not learn once it is trained alone; poolings may take their place. Before
that the validation loss becomes sharp in the alphas.

Source: Zela et al., "Understanding and robustifying differentiable architecture search", ICLR
2020 (eigenvalues); Liang et al., "DARTS+", 2019 (counting shortcuts).
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

__all__ = ["Guard", "Verdict", "dominant_eigenvalue", "dominant_eigenvalues"]

Alphas = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Verdict:
    """A search is to stop.

    Args:
        reason: Why, as a sentence without its full stop.
        epoch: The place in the history whose architecture is taken instead.
    """

    reason: str
    epoch: int


@dataclass(frozen=True, slots=True)
class Guard:
    """Stops a search that collapses, and goes back to where it had not.

    Args:
        skips: At most so many edges of the normal cell may be shortcuts or absent; None for a
            third of its edges.
        ratio: The eigenvalue, as a mean of five epochs, may grow at most by this factor within
            four epochs.
        warmup: The share of the epochs, beyond the relaxation's own, that are not judged, and
            whose eigenvalues are not looked at: they grow as long as the weights learn their
            first steps.
        idle: At most so many edges of the normal cell may learn nothing, be they shortcuts,
            absent or poolings; None for two thirds of its edges.
    """

    skips: int | None = None
    ratio: float = 1.3
    warmup: float = 0.2
    idle: int | None = None

    def judge(
        self,
        skips: Sequence[int],
        eigenvalues: Sequence[float],
        *,
        idle: Sequence[int] = (),
        edges: int,
        epochs: int,
    ) -> Verdict | None:
        """Return a verdict on the history of a search, or None if it may go on.

        Args:
            skips: Shortcuts after each epoch.
            eigenvalues: The dominant one after each epoch.
            idle: Edges that learn nothing after each epoch; not judged where absent.
            edges: Of a normal cell.
            epochs: Of the whole search.
        """
        if len(skips) <= self.warmup * epochs:
            return None
        few = edges // 3 if self.skips is None else self.skips
        many = 2 * edges // 3 if self.idle is None else self.idle
        return (
            _crowded(skips, most=few, said=f"of {edges} edges are shortcuts or absent")
            or _crowded(idle, most=many, said=f"of {edges} edges learn nothing")
            or self._sharp(eigenvalues, first=math.ceil(self.warmup * epochs))
        )

    def _sharp(self, eigenvalues: Sequence[float], *, first: int) -> Verdict | None:
        if len(eigenvalues) - first < _WINDOW + _BACK:
            return None
        now, before = eigenvalues[-_WINDOW:], eigenvalues[-_WINDOW - _BACK : -_BACK]
        grown = sum(now) / sum(before) if sum(before) > 0.0 else 0.0
        if grown <= self.ratio:
            return None
        reason = f"the dominant eigenvalue grew by a factor of {grown:.2f} within {_BACK} epochs"
        return Verdict(reason, len(eigenvalues) - 1 - _BACK)


_WINDOW, _BACK = 5, 4


def _crowded(counts: Sequence[int], *, most: int, said: str) -> Verdict | None:
    """Return a verdict where the last count is too high: go back to the last that was not."""
    if not counts or counts[-1] <= most:
        return None
    good = [place for place, count in enumerate(counts) if count <= most]
    fewest = max(range(len(counts)), key=lambda place: (-counts[place], place))
    return Verdict(f"{counts[-1]} {said}, more than {most}", good[-1] if good else fewest)


def dominant_eigenvalue(
    loss: Callable[[Alphas], Tensor],
    at: Alphas,
    *,
    iterations: int = 8,
) -> float:
    """Return the eigenvalue of largest magnitude of a loss's second derivative.

    Args:
        loss: A function of tensors by name.
        at: Where it is differentiated.
        iterations: Of power iteration.
    """
    starts = [[torch.randn_like(tensor) for tensor in at.values()]]
    (value,) = dominant_eigenvalues(
        lambda rows: loss(rows[0]), [at], starts=starts, iterations=iterations
    )
    return value


def dominant_eigenvalues(
    loss: Callable[[Sequence[Alphas]], Tensor],
    at: Sequence[Alphas],
    *,
    starts: Sequence[Sequence[Tensor]],
    iterations: int = 8,
) -> list[float]:
    """Return the :func:`dominant_eigenvalue` of each of several losses.

    Args:
        loss: Their sum. Each reads the tensors of its own row alone.
        at: Where they are differentiated, a row each.
        starts: The vectors that the iterations begin with, in the order of the row's tensors.
        iterations: Of power iteration.
    """
    rows = [{n: t.detach().clone().requires_grad_() for n, t in row.items()} for row in at]
    tensors = [tensor for row in rows for tensor in row.values()]
    slopes = torch.autograd.grad(loss(rows), tensors, create_graph=True)
    vectors = [list(start) for start in starts]
    values = [0.0] * len(rows)
    for _ in range(iterations):
        norms = [_dot(vector, vector) ** 0.5 or 1.0 for vector in vectors]  # zeros stay zeros
        vectors = [[p / norm for p in v] for v, norm in zip(vectors, norms, strict=True)]
        given = [part for vector in vectors for part in vector]
        product = iter(
            torch.autograd.grad(slopes, tensors, given, retain_graph=True, materialize_grads=True)
        )
        products = [[next(product) for _ in vector] for vector in vectors]
        values = [_dot(v, p) for v, p in zip(vectors, products, strict=True)]
        vectors = products
    return values


def _dot(left: Sequence[Tensor], right: Sequence[Tensor]) -> float:
    return sum(float((a * b).sum()) for a, b in zip(left, right, strict=True))
