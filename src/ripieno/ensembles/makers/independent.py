"""What makers have in common whose members do not wait for each other."""

from abc import ABC, abstractmethod
from collections.abc import Sequence

from ripieno.ensembles.ensemble import Ensemble
from ripieno.ensembles.makers.assembling import Member, members_of
from ripieno.ensembles.makers.maker import Configs, configs_of
from ripieno.recipes import Data, Recipe
from ripieno.space import Config

__all__ = ["Independent"]


class Independent(ABC):
    """Makes ensembles to which members can be added later; members are known by numbers."""

    __slots__ = ()

    members: int

    def make(self, recipe: Recipe, data: Data, configs: Configs, *, seed: int = 0) -> Ensemble:
        """Return a trained ensemble; see :class:`Maker`.

        Raises:
            EnsembleError: The maker cannot train on such data, or no member could be trained.
        """
        own = configs_of(configs, self.members)
        return self._grown([], own, first=0, recipe=recipe, data=data, seed=seed)

    def fit_more(
        self,
        ensemble: Ensemble,
        count: int,
        *,
        recipe: Recipe,
        data: Data,
        configs: Configs,
        seed: int = 0,
    ) -> Ensemble:
        """Return an ensemble with so many members more, as if all had been made at once.

        Args:
            ensemble: What :meth:`make` returned, or this method; it is left as it is.
            count: How many members more.
            recipe: That of the others.
            data: Those of the others.
            configs: Those of the others, which the new members take in turn too.
            seed: That of the others.

        Raises:
            EnsembleError: The ensemble is of another maker, or no member could be trained.
        """
        members = members_of(ensemble)
        # The number of one that was left out is not given again.
        first = max(self.members, *(int(member.id) + 1 for member in members))
        own = configs_of(configs, first + count)[first:]
        return self._grown(members, own, first=first, recipe=recipe, data=data, seed=seed)

    @abstractmethod
    def _grown(
        self,
        members: Sequence[Member],
        configs: Sequence[Config],
        *,
        first: int,
        recipe: Recipe,
        data: Data,
        seed: int,
    ) -> Ensemble:
        """Train a member a config, numbered from ``first`` on, and join all."""
