"""The arithmetic of successive halving and Hyperband, in whole numbers throughout.

A bracket starts ``n`` trials on few epochs; at each level the best ``1/eta`` of them go on
to ``eta`` times as many epochs. Successive halving is one bracket; Hyperband takes turns
between brackets, from many trials on few epochs to few trials on all epochs.

For ``epochs = 81`` and ``eta = 3`` Algorithm 1 of the source gives, as trials@epochs::

    81@1   27@3   9@9   3@27  1@81
           34@3  11@9   3@27  1@81
                 15@9   5@27  1@81
                        8@27  2@81
                              5@81

The source's own Table 1 differs in three brackets: it starts 27, 9 and 6 trials instead of
34, 15 and 8, which are the numbers of ``floor((s_max + 1) / (s + 1)) * eta^s``. We follow
the algorithm, as most libraries do.

Source: L. Li, K. Jamieson, G. DeSalvo, A. Rostamizadeh, A. Talwalkar, "Hyperband: A Novel
Bandit-Based Approach to Hyperparameter Optimization", JMLR 18(185), 2018, Algorithm 1.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from ripieno.errors import SearchError
from ripieno.schedulers.counts import check_count

__all__ = [
    "Plan",
    "check_rungs",
    "halving_plan",
    "hyperband_plans",
    "hyperband_trials",
    "levels",
    "sizes",
]


@dataclass(frozen=True, slots=True)
class Plan:
    """What one bracket is going to do.

    Args:
        trials: How many trials enter its lowest rung.
        levels: Epochs that a trial has been trained for at each rung, ascending.
        eta: One trial in ``eta`` goes on from a rung to the next.
    """

    trials: int
    levels: tuple[int, ...]
    eta: int

    @property
    def sizes(self) -> tuple[int, ...]:
        """How many trials each rung holds."""
        return sizes(self.trials, rungs=len(self.levels), eta=self.eta)

    @property
    def orders(self) -> int:
        """How many orders the bracket gives."""
        return sum(self.sizes)


def levels(*, epochs: int, eta: int, min_epochs: int) -> tuple[int, ...]:
    """Return the epochs of the rungs: ascending by a factor of ``eta``, ending in ``epochs``.

    A level that is no whole number is rounded down; the lowest one is at least
    ``min_epochs`` and below ``eta * min_epochs``.
    """
    divisors = itertools.takewhile(
        lambda divisor: min_epochs * divisor <= epochs, (eta**k for k in itertools.count())
    )
    return tuple(epochs // divisor for divisor in divisors)[::-1]


def sizes(trials: int, *, rungs: int, eta: int) -> tuple[int, ...]:
    """Return how many trials each rung holds: ``floor(trials / eta^k)``, at least one.

    A bracket without trials has empty rungs.
    """
    return tuple(max(trials // eta**k, min(trials, 1)) for k in range(rungs))


def halving_plan(*, trials: int, epochs: int, eta: int, min_epochs: int) -> Plan:
    """Return successive halving's one bracket.

    Raises:
        SearchError: A number is out of range.
    """
    where = f"SuccessiveHalving({epochs=}, {trials=}, {eta=}, {min_epochs=})"
    check_count("trials", trials, where=where)
    check_rungs(epochs=epochs, eta=eta, min_epochs=min_epochs, where=where)
    return Plan(trials, levels(epochs=epochs, eta=eta, min_epochs=min_epochs), eta)


def hyperband_plans(
    *,
    trials: int | None,
    epochs: int,
    eta: int,
    min_epochs: int,
    head_start: int = 0,
    skip: int = 0,
) -> Iterator[Plan]:
    """Return Hyperband's brackets, the most exploratory first, over and over.

    Args:
        trials: Trials in total: the last bracket is cut to those that are left. None goes
            on for ever.
        epochs: The most epochs that a trial is trained for, R in the source.
        eta: One trial in ``eta`` goes on.
        min_epochs: The fewest epochs that a trial is trained for.
        head_start: Trials that are trained to the end in one go, before all others.
        skip: Leave out so many brackets, those of the head start included; ``trials`` counts
            the trials of the others.

    Raises:
        SearchError: A number is out of range.
    """
    where = f"Hyperband({epochs=}, {trials=}, {eta=}, {min_epochs=})"
    if trials is not None:
        check_count("trials", trials, where=where)
    check_count("head_start", head_start, least=0, where=where)
    check_rungs(epochs=epochs, eta=eta, min_epochs=min_epochs, where=where)
    rungs = levels(epochs=epochs, eta=eta, min_epochs=min_epochs)
    most = len(rungs) - 1  # s_max
    cycle = [
        # Algorithm 1: n = ceil(B / R * eta^s / (s + 1)) with B = (s_max + 1) * R
        Plan(-(-(most + 1) * eta**s // (s + 1)), rungs[most - s :], eta)
        for s in range(most, -1, -1)
    ]
    alone = itertools.repeat(Plan(1, (epochs,), eta), head_start)
    plans = itertools.islice(itertools.chain(alone, itertools.cycle(cycle)), skip, None)
    return plans if trials is None else _cut(plans, trials)


def hyperband_trials(epochs: int, *, eta: int = 3) -> int:
    """Return how many trials each of Hyperband's brackets has once: a whole round of it."""
    rungs = len(levels(epochs=epochs, eta=eta, min_epochs=1))
    endless = hyperband_plans(trials=None, epochs=epochs, eta=eta, min_epochs=1)
    return sum(plan.trials for plan in itertools.islice(endless, rungs))


def _cut(plans: Iterable[Plan], trials: int) -> Iterator[Plan]:
    for plan in plans:
        yield Plan(min(plan.trials, trials), plan.levels, plan.eta)
        trials -= plan.trials
        if trials <= 0:
            return


def check_rungs(*, epochs: int, eta: int, min_epochs: int, where: str) -> None:
    """Raise for numbers that give no rungs.

    Raises:
        SearchError: A number is out of range.
    """
    check_count("epochs", epochs, where=where)
    check_count("eta", eta, least=2, where=where)
    check_count("min_epochs", min_epochs, where=where)
    if min_epochs > epochs:
        raise SearchError(
            f"min_epochs = {min_epochs} is above epochs = {epochs}.",
            where=where,
            fix=f"lower min_epochs to at most {epochs}, or train for more epochs.",
        )
