"""Randomness that belongs to the trial, not to a generator.

Every draw is a pure function of (seed of the trial, purpose, epoch, step, layer, position),
so a trial's numbers do not depend on its neighbours, on the number of models trained
together or on where it was stopped and continued. Keys are made of Python integers on the
host (:func:`fold`, :func:`step_keys`); the numbers themselves are a hash of key and position
in integer tensor operations, without a generator, so that they can be traced, compiled and
stacked: a key tensor of shape ``(members,)`` gives exactly the numbers that each row would
get alone.

Source: Steele, Lea and Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014
(``fold``); the constants of the 32-bit mixer come from C. Wellons' hash prospector,
https://github.com/skeeto/hash-prospector.
"""

import math
from collections.abc import Sequence
from enum import IntEnum
from typing import cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ripieno.recipes.hashing import hashed, is_readable, on_host

__all__ = [
    "Purpose",
    "bits",
    "epoch_order",
    "fold",
    "keep_mask",
    "key_tensor",
    "permutation",
    "permutations",
    "step_keys",
    "trial_seed",
    "uniform",
    "whole_orders",
]

_MASK64 = (1 << 64) - 1
_MASK32 = (1 << 32) - 1
_GOLDEN64 = 0x9E3779B97F4A7C15
_GOLDEN32 = 0x9E3779B9
_FRACTION_BITS = 24  # what a float32 in [0, 1) holds exactly


class Purpose(IntEnum):
    """What a draw is for; draws of different purposes are independent of each other."""

    INITIALIZATION = 1
    ORDER = 2
    DROPOUT = 3
    GENERATOR = 4
    SPLIT = 5
    REPLICA = 6
    STREAM = 7
    MIXING = 16
    AUGMENTATION = 8
    TUNING = 9


def fold(key: int, *numbers: int) -> int:
    """Mix numbers into a 64-bit key, one after the other; their order matters.

    Args:
        key: Any integer; its lowest 64 bits are used.
        numbers: Any integers, such as an epoch and a step.

    Returns:
        An integer in ``[0, 2**64)``, a seed that torch and NumPy accept.
    """
    state = key & _MASK64
    for number in numbers:
        # The key is mixed before the number is added, so that (key + 1, number) and
        # (key, number + 1) do not meet.
        state = _mix64(_mix64(state) + (number & _MASK64) * _GOLDEN64)
    return state


def _mix64(value: int) -> int:
    """One step of splitmix64: a bijection of the 64-bit integers."""
    value = (value + _GOLDEN64) & _MASK64
    value = ((value ^ (value >> 30)) * 0xBF58476D1CE4E5B9) & _MASK64
    value = ((value ^ (value >> 27)) * 0x94D049BB133111EB) & _MASK64
    return value ^ (value >> 31)


def _mix64_array(value: NDArray[np.uint64]) -> NDArray[np.uint64]:
    value = value + np.uint64(_GOLDEN64)
    value = (value ^ (value >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    value = (value ^ (value >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return cast("NDArray[np.uint64]", value ^ (value >> np.uint64(31)))


def trial_seed(study_seed: int, trial: int) -> int:
    """Return the seed of a trial, from which all its draws come."""
    return fold(study_seed, trial)


def step_keys(seed: int, epoch: int, steps: int, *, purpose: Purpose = Purpose.DROPOUT) -> Tensor:
    """Return the keys of all steps of one epoch, int64, shape ``(steps,)``.

    Key ``i`` equals ``key_tensor(fold(seed, purpose, epoch, i))``.
    """
    start = np.uint64(_mix64(fold(seed, purpose, epoch)))
    mixed = _mix64_array(start + np.arange(steps, dtype=np.uint64) * np.uint64(_GOLDEN64))
    return torch.from_numpy(mixed.view(np.int64))


def key_tensor(*keys: int) -> Tensor:
    """Return keys as an int64 tensor: shape ``()`` for one, ``(members,)`` for several."""
    signed = np.array([key & _MASK64 for key in keys], dtype=np.uint64).view(np.int64)
    return torch.from_numpy(signed).squeeze(0) if len(keys) == 1 else torch.from_numpy(signed)


def bits(key: Tensor, shape: tuple[int, ...], *, layer: int | Tensor = 0) -> Tensor:
    """Return 32 random bits for every position of ``shape``.

    Within one key and layer no number comes twice: position to bits is a bijection.

    Args:
        key: int64, shape ``()`` or ``(members,)``.
        shape: Shape of what one row draws; fewer than 2**32 positions.
        layer: Number of the draw within the step, or one a row, int64, ``(members,)``.

    Returns:
        int64 in ``[0, 2**32)``, shape ``(*key.shape, *shape)``.
    """
    if is_readable(key, layer):
        return on_host(_host_bits, key, shape, layer)
    low = (key ^ (layer * _GOLDEN32)) & _MASK32
    high = (key >> 32) & _MASK32
    positions = torch.arange(math.prod(shape), device=key.device)
    mixed = _mix32(_mix32(positions ^ low.unsqueeze(-1)) ^ high.unsqueeze(-1))
    return mixed.view(*key.shape, *shape)


def _mix32(value: Tensor) -> Tensor:
    """A bijection of the 32-bit integers with low bias, held in int64.

    Both constants lie below 2**31, so that no product leaves int64: signed overflow is
    nowhere relied on, and every backend gives the same numbers.
    """
    value = value ^ (value >> 16)
    value = (value * 0x21F0AAAD) & _MASK32
    value = value ^ (value >> 15)
    value = (value * 0x735A2D97) & _MASK32
    return value ^ (value >> 15)


def uniform(key: Tensor, shape: tuple[int, ...], *, layer: int | Tensor = 0) -> Tensor:
    """Return numbers uniform on ``[0, 1)``: float32, multiples of 2**-24.

    Args and shapes are those of :func:`bits`.
    """
    drawn = bits(key, shape, layer=layer) >> (32 - _FRACTION_BITS)
    return drawn.float() * 2.0**-_FRACTION_BITS


def keep_mask(
    key: Tensor, shape: tuple[int, ...], *, p: float | Tensor, layer: int | Tensor = 0
) -> Tensor:
    """Return what dropout keeps: True with probability ``1 - p``, position by position.

    Args:
        key: int64, shape ``()`` or ``(members,)``.
        shape: Shape of what one row draws.
        p: Probability of dropping; a number, or one a row, shape ``(members,)``.
        layer: Number of the dropout call within the step, or one a row, ``(members,)``.

    Returns:
        bool, shape ``(*key.shape, *shape)``.
    """
    # Compared as integers: the same mask whatever the dtype of the model and of p.
    if is_readable(key, p, layer):
        return on_host(_host_mask, key, shape, (layer, p))
    drawn = bits(key, shape, layer=layer) >> (32 - _FRACTION_BITS)
    if isinstance(p, Tensor):
        threshold = torch.ceil(p.double() * 2**_FRACTION_BITS).long()
        return drawn >= threshold.view(*threshold.shape, *[1] * len(shape))
    return drawn.ge(math.ceil(p * 2**_FRACTION_BITS))


def _host_bits(key: Tensor, shape: tuple[int, ...], layer: int | Tensor) -> Tensor:
    return torch.from_numpy(hashed(key, shape, layer).astype(np.int64))


def _host_mask(
    key: Tensor, shape: tuple[int, ...], layer_and_p: tuple[int | Tensor, float | Tensor]
) -> Tensor:
    layer, p = layer_and_p
    least = np.ceil(np.asarray(p, dtype=np.float64) * 2**_FRACTION_BITS)
    least = least.astype(np.uint32).reshape(*least.shape, *[1] * len(shape))
    found = hashed(key, shape, layer) >> np.uint32(32 - _FRACTION_BITS)
    return torch.from_numpy(np.greater_equal(found, least))


def permutations(keys: Tensor, rows: int) -> Tensor:
    """Return one permutation of ``rows`` a key, int64, shape ``(*keys.shape, rows)``."""
    # `bits` gives no number twice, so there are no ties for argsort to break.
    return bits(keys, (rows,)).argsort(dim=-1)


def permutation(seed: int, epoch: int, rows: int) -> Tensor:
    """Return the order in which a trial sees its training rows in an epoch, int64, ``(rows,)``."""
    return permutations(key_tensor(fold(seed, Purpose.ORDER, epoch)), rows)


def whole_orders(seeds: Sequence[int], epochs: Sequence[int], *, rows: int) -> Tensor:
    """Return the orders of trials that see the whole part, int64, ``(trials, rows)``.

    Args:
        seeds: The trials' seeds.
        epochs: Epochs that each was trained before this one.
        rows: Rows of the training part.
    """
    keys = [fold(s, Purpose.ORDER, e) for s, e in zip(seeds, epochs, strict=True)]
    return permutations(key_tensor(*keys).reshape(len(keys)), rows)


def epoch_order(
    seed: int, epoch: int, *, rows: int, size: int | None = None, sample: Tensor | None = None
) -> Tensor:
    """Return the training rows of one epoch in the trial's own order, int64.

    Args:
        seed: The trial's seed.
        epoch: Epochs trained before this one.
        rows: Rows of the training part.
        size: Rows of an epoch. Where fewer than ``rows``, an epoch goes on in the pass
            through the data where the last one stopped, so that every row is seen equally
            often; None takes the whole part.
        sample: The only rows that the trial sees, int64, repeats allowed; None for all.

    Returns:
        Shape ``(rows,)``, or ``(size,)`` where that is fewer.
    """
    if sample is not None:
        return sample[epoch_order(seed, epoch, rows=len(sample), size=size)]
    if size is None or size >= rows:
        return permutation(seed, epoch, rows)
    number, begin = divmod(epoch * size, rows)
    order = permutation(seed, number, rows)[begin : begin + size]
    if len(order) < size:
        rest = permutation(seed, number + 1, rows)[: size - len(order)]
        return torch.cat([order, rest])
    return order
