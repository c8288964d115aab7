import pytest

from ripieno.errors import StudyError
from ripieno.ledger import SqlLedger
from ripieno.loop import Budget, replay
from ripieno.records import Objective
from ripieno.schedulers import Hyperband
from ripieno.searchers import Random
from ripieno.space import Float, Space
from ripieno.testing import Learner

SPACE = Space(x=Float(-1.0, 1.0), y=Float(-1.0, 1.0))


def replayed(search, scheduler):
    ledger = SqlLedger.open(search.folder / "study.db")
    try:
        replay(scheduler, ledger)
    finally:
        ledger.close()
    return scheduler


# Mother test 3 of the project, through the ledger.
@pytest.mark.parametrize("epochs", [1, 10, 25, 60, 120])
def test_a_replayed_scheduler_gives_the_next_orders_of_the_one_that_ran(search, epochs):
    half = search()
    live = Hyperband(Learner(SPACE), Objective("loss"), epochs=9, trials=24)
    half.scheduler = lambda: live
    half.session(budget=Budget(epochs=epochs))
    rebuilt = replayed(half, Hyperband(Learner(SPACE), Objective("loss"), epochs=9, trials=24))
    assert rebuilt.ask(50) == live.ask(50)
    assert rebuilt.planned == live.planned


def test_a_finished_study_leaves_nothing_to_ask(search):
    whole = search()
    whole.session()
    assert replayed(whole, whole.scheduler()).ask(10) == []


@pytest.mark.parametrize(
    "other",
    [
        Hyperband(Random(SPACE, seed=6), Objective("loss"), epochs=9, trials=24),
        Hyperband(Random(SPACE, seed=5), Objective("loss"), epochs=27, trials=24),
        Hyperband(Random(SPACE, seed=5), Objective("loss"), epochs=9, trials=3),
    ],
    ids=["seed", "epochs", "trials"],
)
def test_another_scheduler_disagrees_with_the_record(search, other):
    whole = search()
    whole.session()
    with pytest.raises(StudyError, match="the record and the scheduler disagree") as caught:
        replayed(whole, other)
    assert "begun with" in caught.value.fix
