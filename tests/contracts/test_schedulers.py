"""Every scheduler keeps the protocol: mother tests 3 and 4 among other things."""

from ripieno.schedulers import FullBudget, Hyperband, SuccessiveHalving, make_scheduler
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
