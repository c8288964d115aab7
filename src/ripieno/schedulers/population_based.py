"""Train a population side by side; the worst become changed copies of the best.

Source: M. Jaderberg, V. Dalibard, S. Osindero, W. M. Czarnecki, J. Donahue, A. Razavi,
O. Vinyals, T. Green, I. Dunning, K. Simonyan, C. Fernando, K. Kavukcuoglu, "Population Based
Training of Neural Networks", arXiv:1711.09846, 2017, Algorithm 1 with truncation selection.
"""

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass

import numpy as np

from ripieno.errors import SearchError
from ripieno.records import (
    Config,
    Goal,
    Merit,
    Objective,
    Order,
    Outcome,
    OutcomeStatus,
    ranked,
)
from ripieno.schedulers.counts import check_count
from ripieno.schedulers.explore import explore
from ripieno.schedulers.intervals import check_interval
from ripieno.schedulers.nursery import Nursery
from ripieno.searchers import Searcher
from ripieno.space import Float, Space

__all__ = ["PopulationBased"]


@dataclass(frozen=True, slots=True)
class _Next:
    """A member's next order: its trial goes on, or is forked into a new one."""

    trial: int
    config: Config
    fork: bool


class PopulationBased:
    """Population-based training: hyperparameters change while the models are trained.

    All members are trained for ``interval`` epochs. Then they are ranked: each of the worst
    fifth is given up, and its place is taken by a fork, a new trial that starts from the
    state of one of the best fifth (exploit) with changed hyperparameters (explore). So each
    survivor's hyperparameters follow a schedule that was found in one training run; see
    :func:`ripieno.records.config_by_epoch`. A member that diverged or failed ranks last, and
    a fork takes its place, as long as one member is healthy.

    A generation is decided when all of its members have told, so a search does not depend on
    the order in which outcomes arrive, nor on the number of workers. Ties go to the earlier
    trial. Members fit workers best where their number is a multiple of the workers', or
    where they are rows of one stack.

    Args:
        searcher: What proposes the configs of the first generation; it observes every
            generation's trials, forks included, by number.
        objective: What ranks the members, by their last epoch.
        space: Where the configs are from.
        epochs: Epochs that each member is trained for.
        population: How many members there are.
        interval: Epochs of a generation; None takes a ninth of ``epochs``, at least one.
        changed: Hyperparameters that a fork may change: those that a model can change in
            the middle of its training. None takes all real numbers (``Float``).
        quantile: Share of the population that is given up, and that is copied from.
        resample: Probability that a hyperparameter is drawn anew and not perturbed.
        seed: Of the choice of parents and of explore.

    Raises:
        SearchError: A number is out of range, or ``changed`` names no hyperparameter.
    """

    def __init__(
        self,
        searcher: Searcher,
        objective: Objective | Goal,
        *,
        space: Space,
        epochs: int,
        population: int = 20,
        interval: int | None = None,
        changed: Collection[str] | None = None,
        quantile: float = 0.2,
        resample: float = 0.25,
        seed: int = 0,
    ) -> None:
        where = f"PopulationBased({epochs=}, {population=}, {interval=}, {quantile=}, {resample=})"
        self._places = check_count("population", population, least=2, where=where)
        self._interval = check_interval(interval, epochs=epochs, where=where)
        check_count("seed", seed, least=0, where=where)
        _check_share("quantile", quantile, high=0.5, where=where)
        _check_share("resample", resample, high=1.0, where=where)
        self._changed = _names(space, changed, where=where)
        self._quantile, self._resample, self._seed = quantile, resample, seed
        self._space = space
        self._goal = Goal.of(objective)
        self._epochs = epochs
        self._nursery = Nursery(searcher)
        self._generation = 0
        self._members: dict[int, Config] = {}
        self._results: dict[int, Merit | None] = {}
        self._next: deque[_Next] = deque()
        self._standing: dict[int, Merit] = {}  # where this generation began
        self._over = False

    @property
    def planned(self) -> int | None:
        """The number of orders: every member's in every generation."""
        if self._over:
            return self._places * (self._generation + 1)
        return self._places * -(-self._epochs // self._interval)

    def ask(self, slots: int) -> list[Order]:
        """Return up to ``slots`` orders; fewer while the generation waits for outcomes."""
        orders: list[Order] = []
        while len(orders) < slots:
            order = self._member() or self._newcomer()
            if order is None:
                break
            orders.append(order)
        return orders

    def tell(self, outcome: Outcome) -> None:
        """Enter an outcome, and begin the next generation if it was the last of this one.

        Raises:
            SearchError: No such order is out, the outcome is not final, or it does not
                hold the objective's metric.
        """
        trial = self._nursery.settle(outcome)
        merit = self._goal.merit(trial)
        if outcome.status is OutcomeStatus.DONE and not trial.history:
            # Early stopping had ended its parent: the fork stands where that one stands.
            merit = self._standing[trial.id]
        self._results[trial.id] = merit
        self._turn()

    def _newcomer(self) -> Order | None:
        """Order a member of the first generation."""
        if self._generation or self._over or len(self._members) == self._places:
            return None
        order = self._nursery.create(epochs=self._interval)
        if order is None:
            # Its members may have told already, while it seemed that more would come.
            self._places = len(self._members)
            self._over = not self._places
            self._turn()
            return self._member()
        self._members[order.trial] = order.config
        return order

    def _member(self) -> Order | None:
        """Order the next member of a later generation."""
        if not self._next:
            return None
        member = self._next.popleft()
        start = self._generation * self._interval
        stop = min(start + self._interval, self._epochs)
        if member.fork:
            order = self._nursery.fork(member.trial, member.config, start=start, stop=stop)
            self._standing[order.trial] = self._standing[member.trial]
        else:
            order = self._nursery.extend(member.trial, start=start, stop=stop)
        self._members[order.trial] = order.config
        return order

    def _turn(self) -> None:
        """End the generation if all of its members have told."""
        if self._over or len(self._results) < self._places:
            return
        members, self._members = self._members, {}
        self._nursery.observe(members)
        healthy = ranked(self._results)
        self._standing = {trial: merit for trial, merit in self._results.items() if merit}
        self._results = {}
        last = (self._generation + 1) * self._interval >= self._epochs
        if last or not healthy:
            self._over = True
            self._nursery.forget(members)
            return
        self._generation += 1
        stay, parents = self._select(healthy)
        # Forks first: the loop gives a fork the state that its parent has at that moment.
        self._next.extend(self._explored(parents, members))
        self._next.extend(_Next(trial, members[trial], fork=False) for trial in stay)
        self._nursery.forget(set(members).difference(stay))

    def _select(self, healthy: list[int]) -> tuple[list[int], list[int]]:
        """Return who goes on, by number, and a parent for each place that is free.

        Args:
            healthy: Trials that may go on, best first.
        """
        share = max(1, int(self._quantile * self._places))
        # The dead are among the worst; the best is never given up.
        stay = sorted(healthy[: max(1, self._places - share)])
        best = healthy[: min(share, len(stay))]
        rng = np.random.default_rng(self._key(0))
        drawn = rng.integers(len(best), size=self._places - len(stay))
        return stay, [best[index] for index in drawn]

    def _explored(self, parents: list[int], configs: dict[int, Config]) -> list[_Next]:
        rng = np.random.default_rng(self._key(1))
        return [
            _Next(
                parent,
                explore(
                    self._space,
                    configs[parent],
                    changed=self._changed,
                    resample=self._resample,
                    rng=rng,
                ),
                fork=True,
            )
            for parent in parents
        ]

    def _key(self, use: int) -> np.random.SeedSequence:
        return np.random.SeedSequence(self._seed, spawn_key=(self._generation, use))


def _names(space: Space, changed: Collection[str] | None, *, where: str) -> frozenset[str]:
    if changed is None:
        return frozenset(name for name in space.searched if isinstance(space[name], Float))
    for name in changed:
        if name not in space:
            raise SearchError(
                f"changed names {name!r}, which is no hyperparameter of the space.",
                where=where,
                fix=f"name some of {', '.join(space)}.",
            )
    return frozenset(changed)


def _check_share(name: str, value: float, *, high: float, where: str) -> None:
    if not 0.0 <= value <= high:
        raise SearchError(
            f"{name} = {value!r} is not a number from 0 to {high:g}.",
            where=where,
            fix=f"give {name} a number from 0 to {high:g}.",
        )
