"""Models whose weights are averaged into one, where a straight path between them is good.

Source: Wortsman et al., "Model soups: averaging weights of multiple fine-tuned models improves
accuracy without increasing inference time", ICML 2022; Frankle et al., "Linear mode
connectivity and the lottery ticket hypothesis", ICML 2020 (the barrier).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from ripieno.ensembles.ensemble import Ensemble
from ripieno.ensembles.makers.assembling import Member, assemble, module_of
from ripieno.ensembles.makers.averaging import average
from ripieno.ensembles.makers.deep_ensemble import answering
from ripieno.ensembles.makers.maker import Configs, check, configs_of, ready
from ripieno.ensembles.makers.running import Members
from ripieno.ensembles.makers.swa import refreshed
from ripieno.errors import EnsembleError
from ripieno.population import TierName
from ripieno.recipes import Data, Recipe, measure, predict, read_knobs
from ripieno.records import Order
from ripieno.space import Config

__all__ = ["Kitchen", "Soup", "SoupName"]

SoupName = Literal["greedy", "uniform"]
_LOSS = {"classification": "log_loss", "multilabel": "log_loss", "regression": "rmse"}


@dataclass(frozen=True, slots=True)
class Soup:
    """Trains models out of one common beginning, and averages their weights into one.

    The common beginning is trained by the first config; every member goes on from its state
    with a config of its own. Models that did not begin alike have a barrier between them: the
    loss of their mean is above the mean of their losses, and averaging destroys both.

    Args:
        members: How many models are trained.
        common: Share of the recipe's epochs that they have in common, in (0, 1).
        kind: ``greedy`` starts with the model that is best on the validation part, and takes
            one more wherever the mean is not worse for it; ``uniform`` takes all.
        barrier: By how much the loss half-way between the best model and another may be above
            the mean of theirs, before a uniform soup is refused.
        tier: How stacks are computed.
    """

    members: int = 5
    common: float = 0.5
    kind: SoupName = "greedy"
    barrier: float = 0.1
    tier: TierName = "auto"

    def __post_init__(self) -> None:
        check(
            self,
            members=self.members >= 1,
            common=0 < self.common < 1,
            kind=self.kind in ("greedy", "uniform"),
            barrier=self.barrier >= 0,
        )

    def make(self, recipe: Recipe, data: Data, configs: Configs, *, seed: int = 0) -> Ensemble:
        """Return an ensemble of one model: the soup; see :class:`Maker`.

        Raises:
            EnsembleError: The data are folds, no member could be trained, the configs build
                different models, or a uniform soup is not connected.
        """
        recipe = ready(recipe, data)
        own = [_plain(config) for config in configs_of(configs, self.members)]
        members = Members(recipe, data, seed, tier=self.tier)
        begin = min(max(1, round(self.common * recipe.epochs)), max(1, recipe.epochs - 1))
        trunk = members.train_from_start(own[:1], begin)[0]
        end = max(recipe.epochs, begin + 1)
        trained = members.train(
            [
                Order(n + 1, config, begin, end, parent=0, state=trunk.key)
                for n, config in enumerate(own)
            ]
        )
        return self.mix(recipe, data, [answering(each) for each in trained])

    def mix(self, recipe: Recipe, data: Data, members: Sequence[Member]) -> Ensemble:
        """Return the soup of models that are trained already.

        Args:
            recipe: What they were trained by.
            data: The validation part chooses; the training part refreshes batch norms.
            members: Models of one architecture.

        Raises:
            EnsembleError: They differ in architecture, or a uniform soup is not connected.
        """
        kitchen = Kitchen(recipe, data)
        kitchen.check(members)
        losses = [kitchen.loss(member.model, member.config) for member in members]
        order = sorted(range(len(members)), key=losses.__getitem__)
        ranked = [members[number] for number in order]
        chosen = ranked if self.kind == "uniform" else kitchen.greedy(ranked, min(losses))
        if self.kind == "uniform":
            self._check_connected(kitchen, ranked)
        model = kitchen.mean([member.model for member in chosen], ranked[0].config)
        name = "+".join(member.id for member in chosen)
        facts = {"soup": [member.id for member in chosen]}
        return assemble(recipe, data, [Member(name, ranked[0].config, model)], facts=facts)

    def _check_connected(self, kitchen: "Kitchen", ranked: Sequence[Member]) -> None:
        for other in ranked[1:]:
            found = kitchen.barrier(ranked[0], other)
            if found > self.barrier:
                raise EnsembleError(
                    f"between members {ranked[0].id!r} and {other.id!r} the loss rises by "
                    f"{found:.3g}, above barrier = {self.barrier:g}: their mean is no model.",
                    where=f"{self!r}",
                    fix="let members have more in common (a larger `common`, a pretrained "
                    "backbone, lower learning rates), or use kind='greedy'.",
                )


@dataclass(frozen=True, slots=True)
class Kitchen:
    """Judges averages of weights on the validation part.

    Args:
        recipe: What the models were trained by.
        data: The data.
    """

    recipe: Recipe
    data: Data

    def check(self, members: Sequence[Member]) -> None:
        """Refuse models of different architectures.

        Raises:
            EnsembleError: Two states have different names or shapes.
        """
        shapes = [{n: t.shape for n, t in member.model.items()} for member in members]
        for member, own in zip(members, shapes, strict=True):
            if own != shapes[0]:
                raise EnsembleError(
                    f"members {members[0].id!r} and {member.id!r} have different architectures.",
                    where="a soup of models",
                    fix="average models whose configs differ in training alone.",
                )

    def mean(self, models: Sequence[Mapping[str, Tensor]], config: Config) -> dict[str, Tensor]:
        """Return the mean of states, with statistics of batch norms measured anew."""
        mixed = average(models)
        if len(models) == 1:
            return mixed
        knobs = read_knobs(config, optimizers=self.recipe.optimizers)
        module = module_of(self.recipe, self.data, Member("", config, mixed))
        refreshed(module, self.recipe, self.data, batch_size=knobs.batch_size)
        return {name: tensor.detach() for name, tensor in module.state_dict().items()}

    def loss(self, model: Mapping[str, Tensor], config: Config) -> float:
        """Return a state's log loss, or root mean squared error, on the validation part."""
        module = module_of(self.recipe, self.data, Member("", config, model))
        part, task = self.data.validation, self.data.task
        said = predict(module, part.x, self.data.coding)
        return measure(said, part.y, metrics=[_LOSS[task]], task=task)[_LOSS[task]]

    def barrier(self, one: Member, other: Member) -> float:
        """Return by how much the loss half-way is above the mean of the ends' losses."""
        ends = [self.loss(member.model, member.config) for member in (one, other)]
        middle = self.mean([one.model, other.model], one.config)
        return self.loss(middle, one.config) - sum(ends) / 2

    def greedy(self, ranked: Sequence[Member], loss: float) -> list[Member]:
        """Return the members of a greedy soup.

        Args:
            ranked: Members, the best first.
            loss: Its loss.
        """
        chosen, best = [ranked[0]], loss
        for member in ranked[1:]:
            mixed = self.mean([each.model for each in (*chosen, member)], ranked[0].config)
            found = self.loss(mixed, ranked[0].config)
            if found <= best:
                chosen, best = [*chosen, member], found
        return chosen


def _plain(config: Config) -> Config:
    """Return the config without an early end: members are compared at one length."""
    return Config({**config, "early_stopping": 0, "restore": "last"})
