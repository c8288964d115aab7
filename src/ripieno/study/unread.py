"""Hyperparameters that look like a knob of training, and that nothing reads."""

import difflib
import inspect
import warnings
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import torch

from ripieno.errors import RipienoWarning
from ripieno.recipes import KNOBS, CheckedFactory, Recipe
from ripieno.space import Config, Space, Value

__all__ = ["find_unread", "warn_of_unread"]

_OTHER_NAMES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "batch_size": ("batch", "bs", "minibatch", "mini_batch_size"),
        "beta1": ("beta_1", "b1", "betas"),
        "beta2": ("beta_2", "b2"),
        "class_weights": ("class_weight",),
        "early_stopping": ("patience", "early_stop"),
        "eps": ("epsilon",),
        "gradient_clip": ("clip", "clip_norm", "grad_clip", "max_grad_norm"),
        "label_smoothing": ("smoothing",),
        "loss": ("criterion", "loss_fn", "loss_function"),
        "lr": ("learning_rate", "learningrate", "rate", "eta", "step_size"),
        "optimizer": ("optim", "opt", "optimiser"),
        "schedule": ("scheduler", "lr_schedule", "lr_scheduler"),
        "schedule_gamma": ("gamma", "lr_decay"),
        "warmup_epochs": ("warmup", "warm_up"),
        "weight_decay": ("wd", "l2", "l2_penalty", "weightdecay"),
    }
)
"""What other libraries call a knob."""

_ALIKE = 0.8
_DRAWS = 4


def find_unread(recipe: Recipe) -> dict[str, str]:
    """Return the hyperparameters that nothing reads, each with the knob that it looks like.

    The model is built of the default config and of four more; it reads what it looks up in
    them. A built-in recipe refuses what it does not know, and is not asked.

    Args:
        recipe: With the space that is searched.
    """
    space = recipe.space
    if space is None or isinstance(recipe.model, CheckedFactory):
        return {}
    taken = set(_read_by_optimizers(recipe, space))
    likely = {n: knob for n in space if n not in taken and (knob := _looks_like(n)) is not None}
    return {n: knob for n, knob in likely.items() if n not in _read_names(recipe, space, likely)}


def warn_of_unread(recipe: Recipe) -> None:
    """Warn of each hyperparameter that is searched in vain; see :func:`find_unread`."""
    for name, knob in find_unread(recipe).items():
        warnings.warn(
            f"the model does not read the hyperparameter {name!r}, so that searching it changes "
            f"nothing. The knob of training is called {knob!r} ({KNOBS[knob].meaning}).",
            RipienoWarning,
            stacklevel=3,
        )


def _looks_like(name: str) -> str | None:
    if name in KNOBS:
        return None
    plain = name.lower()
    for knob, others in _OTHER_NAMES.items():
        if plain in (knob, *others):
            return knob
    found = difflib.get_close_matches(plain, KNOBS, n=1, cutoff=_ALIKE)
    return found[0] if found else None


def _read_names(recipe: Recipe, space: Space, likely: Mapping[str, str]) -> set[str]:
    """Return the names that the model factory looks up in some configs."""
    read: set[str] = set()
    if not likely:
        return read
    for config in (space.default(), *space.sample(np.random.default_rng(0), _DRAWS)):
        watched = _Watched(config)
        with torch.random.fork_rng(devices=[]):
            try:
                recipe.model(watched)
            except Exception:  # noqa: BLE001 - what cannot be built is a failed trial, not ours
                return set(space)
        read |= watched.read
    return read


def _read_by_optimizers(recipe: Recipe, space: Space) -> Iterator[str]:
    """Offer the names that optimizers of the user's and of torch's take."""
    choices = getattr(space["optimizer"], "choices", ()) if "optimizer" in space else ()
    named = [choice.removeprefix("torch.optim.") for choice in choices if isinstance(choice, str)]
    for factory in (*recipe.optimizers.values(), *(getattr(torch.optim, n, None) for n in named)):
        if callable(factory):
            yield from inspect.signature(factory).parameters


class _Watched(Config):
    """A config that notes which of its names are looked up."""

    __slots__ = ("read",)

    read: set[str]

    def __init__(self, values: Mapping[str, Value]) -> None:
        super().__init__(values)
        object.__setattr__(self, "read", set())

    def __getitem__(self, name: str) -> Value:
        self.read.add(name)
        return super().__getitem__(name)

    def __getattr__(self, name: str) -> Any:
        # `read` itself is found without this; every other name is a look-up.
        self.read.add(name)
        return super().__getattr__(name)

    def __iter__(self) -> Iterator[str]:
        names = list(super().__iter__())
        self.read.update(names)
        return iter(names)
