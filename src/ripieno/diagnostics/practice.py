"""A model that is trained step by step under observation, apart from the trainer.

The trainer gives one row of numbers an epoch; what is asked here needs every step. Whatever
is said about a whole training is measured on the trainer's own run (`trials.py`).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from ripieno.errors import RecipeError, RipienoError
from ripieno.recipes import (
    Data,
    Knobs,
    Recipe,
    alone,
    as_tensor,
    batches,
    build_model,
    build_optimizer,
    chosen_loss,
    complete,
    draws,
    find_loss,
    loss_options,
    rate_scales,
    read_knobs,
    take_features,
)
from ripieno.space import Config

__all__ = ["Practice", "drawn_alone", "knobs_of"]

_PRACTICE = 0x90C708  # names the draws of the doctor, which no trial shares


class Practice:
    """A model, its optimizer and its loss, to be trained by single steps.

    Args:
        recipe: Whose model and loss.
        data: Whose training part.
        config: Of the model and its optimizer.
        seed: Of everything that is drawn.

    Raises:
        RecipeError: The model cannot be built.
    """

    def __init__(self, recipe: Recipe, data: Data, config: Config, *, seed: int) -> None:
        recipe = complete(recipe, data)
        self.knobs = knobs_of(recipe, config)
        self._seed = seed
        self.x = as_tensor(data.train.x[:]).to(getattr(torch, recipe.dtype))
        self.y = data.coding.encode(data.train.y, self.x.dtype)
        with named(recipe):
            self.module = build_model(recipe, config, seed, example=self.x[:2])
        arrays = (
            [data.train.x] if isinstance(data.train.x, np.ndarray) else []
        )  # nothing of a stream
        features = take_features(self.module, self.knobs, arrays) if arrays else None
        if features is not None:
            self.x = features[0].to(self.x.dtype)
        self.optimizer = build_optimizer(
            self.module,
            self.knobs,
            config=config,
            own=recipe.optimizers,
            scales=rate_scales(self.module, self.knobs),
        )
        self._named = recipe
        self._loss = find_loss(chosen_loss(recipe, config))
        self._options: dict[str, Any] = {
            name: torch.from_numpy(value).to(self.x.dtype)
            if isinstance(value, np.ndarray)
            else value
            for name, value in loss_options(recipe, config, data).items()
        }

    def batches(self, count: int) -> Iterator[Tensor]:
        """Yield the rows of so many batches, epoch after epoch in the trial's own order."""
        given = 0
        epoch = 0
        while given < count:
            order = draws.epoch_order(self._seed, epoch, rows=len(self.y))
            for rows in batches(order, self.module, self.knobs)[: count - given]:
                given += 1
                yield rows
            epoch += 1

    def loss(self, rows: Tensor) -> Tensor:
        """Return the mean loss of rows, shape ``()``."""
        with named(self._named):
            outputs = self.module(self.x[rows])
            losses, weights = self._loss(outputs, self.y[rows], **self._options)
        return losses.sum() / weights.sum()

    def step(
        self,
        rows: Tensor,
        *,
        rate: float | None = None,
        look: Callable[[nn.Module], None] | None = None,
    ) -> float:
        """Take one step and return the loss before it.

        Args:
            rows: Of the training part.
            rate: The learning rate; that of the config where absent.
            look: Called between the backward pass and the step, when gradients are fresh.
        """
        for group in self.optimizer.param_groups:
            chosen = self.knobs.lr if rate is None else rate
            group["lr"] = chosen * group.get("lr_scale", 1.0)
        self.optimizer.zero_grad()
        loss = self.loss(rows)
        loss.backward()  # type: ignore[no-untyped-call]
        if look is not None:
            look(self.module)
        if self.knobs.gradient_clip > 0.0:
            nn.utils.clip_grad_norm_(self.module.parameters(), self.knobs.gradient_clip)
        self.optimizer.step()
        return loss.item()


def knobs_of(recipe: Recipe, config: Config) -> Knobs:
    """Return the knobs of a config, which may name an optimizer of the recipe's own."""
    return read_knobs(config, optimizers=recipe.optimizers)


@contextmanager
def drawn_alone(seed: int) -> Iterator[None]:
    """Draw from torch's generator seeded anew, on one thread, and put both back afterwards."""
    with alone(), torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(draws.fold(seed, _PRACTICE))
        yield


@contextmanager
def named(recipe: Recipe) -> Iterator[None]:
    """Translate what a user's model raises.

    Raises:
        RecipeError: The model raised an error.
    """
    try:
        yield
    except RipienoError:
        raise
    except Exception as error:  # the user's model may raise anything
        raise RecipeError(
            f"the model cannot be trained: {type(error).__name__}: {error}.",
            where=f"the model of {recipe.name!r}",
            fix="run one batch through the model by hand, and mend what it raises.",
        ) from error
