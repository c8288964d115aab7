"""The mean of the weights that the end of a training goes through.

Source: Izmailov et al., "Averaging weights leads to wider optima and better generalization",
UAI 2018.
"""

from dataclasses import dataclass

import torch
from torch import nn

from ripieno.ensembles.ensemble import Ensemble
from ripieno.ensembles.makers.assembling import Member, assemble
from ripieno.ensembles.makers.averaging import average, refresh_statistics
from ripieno.ensembles.makers.maker import Configs, check, configs_of, ready
from ripieno.ensembles.makers.running import Members, Trained
from ripieno.population import TierName
from ripieno.recipes import KNOBS, Data, Recipe, as_features, read_knobs
from ripieno.space import Config, Value

__all__ = ["Swa", "refreshed"]


@dataclass(frozen=True, slots=True)
class Swa:
    """Trains, goes on at a constant learning rate, and averages the weights of those epochs.

    The statistics of batch norms are measured anew. A member costs as much as any model when
    it answers: its ensemble is not of what it went through, but of its seeds.

    Args:
        members: How many trainings, each with a seed of its own.
        start: Share of the recipe's epochs after which averaging begins, in [0, 1).
        rate: Learning rate of the averaged epochs, as a factor of the config's own.
        every_epochs: Epochs from one averaged state to the next.
        tier: How stacks are computed.
    """

    members: int = 1
    start: float = 0.75
    rate: float = 0.5
    every_epochs: int = 1
    tier: TierName = "auto"

    def __post_init__(self) -> None:
        check(
            self,
            members=self.members >= 1,
            start=0 <= self.start < 1,
            rate=self.rate > 0,
            every_epochs=self.every_epochs >= 1,
        )

    def make(self, recipe: Recipe, data: Data, configs: Configs, *, seed: int = 0) -> Ensemble:
        """Return a trained ensemble; see :class:`Maker`.

        Raises:
            EnsembleError: The data are folds, or no training came to its end.
        """
        recipe = ready(recipe, data)
        members = Members(recipe, data, seed, tier=self.tier)
        own = [_whole(config) for config in configs_of(configs, self.members)]
        begin = min(max(1, round(self.start * recipe.epochs)), recipe.epochs - 1)
        if begin == 0:
            return _of_means(recipe, data, [members.train_from_start(own, 1)])
        trained = members.train_from_start(own, begin)
        flat = [self._flat(each.order.config) for each in trained]
        visits = [members.go_on(trained, self.every_epochs, flat)]
        while visits[-1][0].order.stop + self.every_epochs <= recipe.epochs:
            visits.append(members.go_on(visits[-1], self.every_epochs))
        return _of_means(recipe, data, visits)

    def _flat(self, config: Config) -> Config:
        """Return the config with a constant learning rate."""
        lr = float(config.get("lr", KNOBS["lr"].default))  # type: ignore[arg-type]  # a number
        flat: dict[str, Value] = {
            "lr": self.rate * lr, "schedule": "constant", "warmup_epochs": 0.0,
        }  # fmt: skip
        return Config({**config, **flat})


def _whole(config: Config) -> Config:
    """Return the config without an early end, which would leave nothing to be averaged."""
    return Config({**config, "early_stopping": 0, "restore": "last"})


def _of_means(recipe: Recipe, data: Data, visits: list[list[Trained]]) -> Ensemble:
    """Return the ensemble of each member's mean over the states that it went through."""
    means = []
    for last in visits[-1]:
        own = [v for visit in visits for v in visit if v.order.trial == last.order.trial]
        model = average([visited.state.model for visited in own])
        means.append(Member(f"{last.order.trial}", last.order.config, model))
    made = assemble(recipe, data, means)
    sizes = [read_knobs(m.config, optimizers=recipe.optimizers).batch_size for m in means]
    for module, size in zip(made.members, sizes, strict=True):
        refreshed(module, recipe, data, batch_size=size)
    return made


def refreshed(module: nn.Module, recipe: Recipe, data: Data, *, batch_size: int) -> nn.Module:
    """Return the module with statistics of batch norms measured on the training part."""
    refresh_statistics(
        module, as_features(data.train.x, getattr(torch, recipe.dtype)), batch_size=batch_size
    )
    return module
