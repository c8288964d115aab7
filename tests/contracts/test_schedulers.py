"""Every scheduler keeps the protocol: mother tests 3 and 4 among other things."""

from ripieno.records import Goal, Limit, Objective
from ripieno.schedulers import (
    Asha,
    FreezeThaw,
    FullBudget,
    Hyperband,
    MedianStop,
    PopulationBased,
    SuccessiveHalving,
    make_scheduler,
)
from ripieno.space import Float, Space
from ripieno.testing import SchedulerContract


class TestFullBudget(SchedulerContract):
    def make(self, searcher, objective):
        return FullBudget(searcher, epochs=4, trials=40)


class TestSuccessiveHalving(SchedulerContract):
    def make(self, searcher, objective):
        return SuccessiveHalving(searcher, objective, epochs=9, trials=40)


class TestSuccessiveHalvingWithMoreRungsThanItNeeds(SchedulerContract):
    def make(self, searcher, objective):
        return SuccessiveHalving(searcher, objective, epochs=50, trials=21, eta=2, min_epochs=3)


class TestHyperband(SchedulerContract):
    def make(self, searcher, objective):
        return Hyperband(searcher, objective, epochs=9, trials=60)


class TestHyperbandOfManyBrackets(SchedulerContract):
    def make(self, searcher, objective):
        return Hyperband(searcher, objective, epochs=17, trials=75, eta=2, min_epochs=2)


class TestHyperbandByName(SchedulerContract):
    def make(self, searcher, objective):
        return make_scheduler("hyperband", searcher, objective, epochs=27, trials=81)


class TestAsha(SchedulerContract):
    synchronous = False

    def make(self, searcher, objective):
        return Asha(searcher, objective, epochs=9, trials=60)


class TestAshaOfSeveralBrackets(SchedulerContract):
    synchronous = False

    def make(self, searcher, objective):
        return Asha(searcher, objective, epochs=16, trials=50, eta=2, min_epochs=2, brackets=3)


class TestMedianStop(SchedulerContract):
    synchronous = False

    def make(self, searcher, objective):
        return MedianStop(searcher, objective, epochs=9, trials=40)


class TestFreezeThaw(SchedulerContract):
    synchronous = False

    def make(self, searcher, objective):
        return FreezeThaw(searcher, objective, epochs=9, trials=40, interval=2)


class TestPopulationBased(SchedulerContract):
    forks = True

    def make(self, searcher, objective):
        return PopulationBased(
            searcher,
            objective,
            # What the suite's spaces have in common, so that it fits the configs of each.
            space=Space(lr=Float(1e-5, 1.0, log=True)),
            epochs=9,
            population=30,
            interval=2,
        )


class TestHyperbandOfSeveralObjectives(SchedulerContract):
    def make(self, searcher, objective):
        goal = Goal((objective, Objective("level", "maximize")), (Limit("coarse", "<=", 2.0),))
        return Hyperband(searcher, goal, epochs=9, trials=60)


class TestAshaOfSeveralObjectives(SchedulerContract):
    synchronous = False

    def make(self, searcher, objective):
        goal = Goal((objective, Objective("level", "maximize")), (Limit("coarse", "<=", 2.0),))
        return Asha(searcher, goal, epochs=9, trials=60)
