import functools
import math
import sys

import numpy as np
import pytest

from ripieno.errors import ArtifactError, StudyError
from ripieno.executors import ObjectiveRunner
from ripieno.ledger import MemoryArtifacts
from ripieno.records import Config, Order, OutcomeStatus

CONFIG = Config({"x": 2.0})


def order(start=0, stop=1, **more):
    return Order(7, CONFIG, start, stop, **more)


def run(objective, given=None, *, artifacts=None, stop=lambda: False):
    runner = ObjectiveRunner(objective, "loss")
    (outcome,) = runner.run([given or order()], artifacts or MemoryArtifacts(), stop)
    return outcome


class Callable:
    def __call__(self, config, report):
        report(loss=config.x)


def keyword_only(config, *, report):
    report(loss=config.x)


@pytest.mark.parametrize(
    "objective",
    [
        lambda config: config.x,
        lambda config, scale=1.0: config.x * scale,
        lambda config, **options: config.x,
        lambda *arguments: arguments[0].x,
        lambda config, report: report(loss=config.x),
        lambda config, reporter: reporter(loss=config.x),
        lambda config, report=None: report(loss=config.x),
        lambda config, scale=1.0, report=None: report(loss=config.x * scale),
        functools.partial(lambda data, config, report: report(loss=config.x + data), 0.0),
        keyword_only,
        Callable(),
        Callable().__call__,
        dict,
    ],
)
def test_a_function_is_called_with_what_it_asks_for(objective):
    outcome = run((lambda config: {"loss": config.x}) if objective is dict else objective)
    assert outcome.status is OutcomeStatus.DONE
    assert outcome.metrics == ({"loss": 2.0},)


def test_a_function_without_a_signature_gets_the_config_alone():
    # The greatest of the names in the config, "x", which is no number.
    assert "'x', which is not a number" in run(max).error


@pytest.mark.parametrize(
    "objective",
    [
        lambda: 0.0,
        lambda config, report, data: 0.0,
        lambda config, *, data: 0.0,
    ],
)
def test_a_function_that_asks_for_something_else_is_refused_at_once(objective):
    with pytest.raises(StudyError, match="cannot be called with a config") as caught:
        ObjectiveRunner(objective, "loss")
    assert "functools.partial" in caught.value.fix


def test_what_is_no_function_is_refused_at_once():
    with pytest.raises(StudyError, match="cannot be called"):
        ObjectiveRunner(3.0, "loss")


def test_an_outcome_holds_the_order_and_its_time():
    given = order(2, 5)
    outcome = run(lambda config: config.x, given)
    assert outcome.order == given
    assert outcome.reached == 5
    assert 0.0 <= outcome.seconds < 5.0
    assert outcome.error is None


def test_a_plain_loop_over_too_many_epochs_works_under_any_order():
    trained = []

    def objective(config, report):
        for epoch in range(1_000):
            trained.append(epoch)
            report(epoch=epoch + 1, loss=1.0 / (epoch + 1))

    outcome = run(objective, order(2, 4))
    assert outcome.metrics == ({"loss": 1 / 3}, {"loss": 1 / 4})
    assert trained == [0, 1, 2, 3]


def test_finally_runs_when_a_function_is_ended():
    ended = []

    def objective(config, report):
        try:
            report(loss=1.0)
        finally:
            ended.append(True)

    assert run(objective).status is OutcomeStatus.DONE
    assert ended == [True]


def test_a_function_that_swallows_its_end_is_done_all_the_same():
    def objective(config, report):
        try:
            report(loss=1.0)
        except BaseException:  # noqa: BLE001 - as users do
            return "nonsense"

    outcome = run(objective)
    assert (outcome.status, outcome.metrics) == (OutcomeStatus.DONE, ({"loss": 1.0},))


def test_an_exception_is_told_with_its_place_and_without_our_own_frames():
    def objective(config):
        raise ValueError("no such thing")

    outcome = run(objective)
    assert outcome.status is OutcomeStatus.FAILED
    first, *rest = outcome.error.splitlines()
    assert first == "ValueError: no such thing"
    assert f'File "{__file__}"' in rest[0]
    assert "in objective" in rest[0]
    assert "executors/objective.py" not in outcome.error


def test_a_deep_traceback_is_cut_to_its_end():
    def dive(depth):
        return 1 / 0 if depth == 0 else dive(depth - 1)

    error = run(lambda config: dive(50)).error
    assert error.startswith("ZeroDivisionError")
    assert len(error.splitlines()) < 20


@pytest.mark.parametrize("end", [sys.exit, lambda: sys.exit("enough")])
def test_a_function_that_exits_has_failed(end):
    outcome = run(lambda config: end())
    assert outcome.status is OutcomeStatus.FAILED
    assert "SystemExit" in outcome.error


def test_an_interrupt_is_not_caught():
    def objective(config):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(objective)


def test_epochs_before_an_error_are_kept():
    def objective(config, report):
        report(epoch=1, loss=0.5)
        raise RuntimeError("out of luck")

    outcome = run(objective, order(0, 3))
    assert outcome.status is OutcomeStatus.FAILED
    assert outcome.metrics == ({"loss": 0.5},)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_value_that_is_not_finite_diverges(value):
    outcome = run(lambda config: value)
    assert outcome.status is OutcomeStatus.DIVERGED
    assert outcome.error == f"loss was {value} at epoch 1"


@pytest.mark.parametrize(
    ("returned", "said"),
    [
        (None, "returned None and reported nothing"),
        ("0.5", "'0.5', which is not a number"),
        ({"accuracy": 0.5}, "'loss' was not reported"),
        ({"loss": [1.0]}, "not a number"),
    ],
)
def test_a_useless_answer_fails_and_says_what_to_do(returned, said):
    outcome = run(lambda config: returned)
    assert outcome.status is OutcomeStatus.FAILED
    assert said in outcome.error
    assert "Fix:" in outcome.error


def train(config, report):
    """Goes on from what it saved; its numbers depend on every epoch before."""
    saved = report.load()
    total = float(saved["total"]) if saved else config.x
    for epoch in range(report.start, report.epochs):
        total = math.sin(total) + epoch
        report.save(epoch=epoch + 1, total=np.float64(total))
        report(epoch=epoch + 1, loss=total)


# Mother test 2 of the project, for functions.
@pytest.mark.parametrize("cuts", [(3, 9), (1, 2, 9), (1, 2, 3, 4, 5, 6, 7, 8, 9)])
def test_one_order_equals_many(cuts):
    artifacts = MemoryArtifacts()
    whole = run(train, order(0, 9), artifacts=artifacts)
    start, state, rows = 0, None, ()
    for stop in cuts:
        outcome = run(train, order(start, stop, state=state), artifacts=artifacts)
        start, state, rows = stop, outcome.state, rows + outcome.metrics
    assert rows == whole.metrics
    assert state == whole.state


def test_a_state_is_stored_once_with_its_trial_and_epoch():
    artifacts = MemoryArtifacts()
    outcome = run(train, order(0, 4), artifacts=artifacts)
    arrays, facts = artifacts.read(outcome.state)
    assert outcome.state.startswith("trial-7-epoch-4-state-")
    assert facts == {"trial": 7, "epoch": 4}
    assert float(arrays["total"]) == outcome.metrics[-1]["loss"]


def test_a_function_that_saves_now_and_then_goes_on_from_the_last_time():
    def objective(config, report):
        saved = report.load()
        total = float(saved["total"]) if saved else 0.0
        for epoch in range(report.start + 1, report.epochs + 1):
            total += epoch
            if epoch % 4 == 0:
                report.save(epoch=epoch, total=total)
            report(epoch=epoch, loss=total)

    artifacts = MemoryArtifacts()
    whole = run(objective, order(0, 11), artifacts=artifacts)
    first = run(objective, order(0, 6), artifacts=artifacts)
    second = run(objective, order(6, 7, state=first.state), artifacts=artifacts)
    assert second.state == first.state
    third = run(objective, order(7, 11, state=second.state), artifacts=artifacts)
    assert first.metrics + second.metrics + third.metrics == whole.metrics


def test_a_stopped_function_goes_on_to_the_same_numbers():
    artifacts, left = MemoryArtifacts(), iter([False, False, True])
    whole = run(train, order(0, 9), artifacts=artifacts)
    first = run(train, order(0, 9), artifacts=artifacts, stop=lambda: next(left))
    assert first.status is OutcomeStatus.STOPPED
    assert first.reached == 3
    rest = run(train, order(3, 9, state=first.state), artifacts=artifacts)
    assert first.metrics + rest.metrics == whole.metrics
    assert rest.state == whole.state


def test_a_failed_function_leaves_no_state():
    def objective(config, report):
        report.save(epoch=1, w=np.zeros(2))
        raise ValueError

    assert run(objective).state is None


def test_a_damaged_state_ends_the_study_and_not_the_trial():
    with pytest.raises(ArtifactError):
        run(train, order(1, 2, state="trial-7-epoch-1-state-0123456789abcdef"))
