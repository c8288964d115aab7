"""Points that fill the unit cube evenly.

Source: A. B. Owen, "Scrambling Sobol' and Niederreiter-Xing Points", Journal of Complexity
14, 1998.
"""

import torch
from torch import Tensor
from torch.quasirandom import SobolEngine

__all__ = ["evenly_spread"]


def evenly_spread(count: int, dims: int, *, seed: int) -> Tensor:
    """Return the first points of a scrambled Sobol' sequence, float64, shape ``(count, dims)``.

    The seed alone decides which; torch's own generator is left as it is.
    """
    # torch has written no types for it.
    engine = SobolEngine(dims, scramble=True, seed=seed)  # type: ignore[no-untyped-call]
    return engine.draw(count, dtype=torch.float64)
