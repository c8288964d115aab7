import itertools
import math

import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective, Order, Outcome, OutcomeStatus
from ripieno.schedulers import Asha, FullBudget
from ripieno.searchers import Random
from ripieno.space import Float, Space
from ripieno.testing import Cluster, simulate_cluster

SPACE = Space(lr=Float(1e-4, 1.0, log=True))
LOSS = Objective("loss")


def full(trials, epochs=2):
    return FullBudget(Random(SPACE, 0), epochs=epochs, trials=trials)


def watched(scheduler, cluster, **settings):
    seen = []
    done = simulate_cluster(
        scheduler, cluster, watch=lambda clock, event: seen.append((clock, event)), **settings
    )
    return done, seen


def test_the_clock_is_that_of_a_hand_worked_schedule():
    # Two workers; trial i takes i + 1 seconds: 0 and 1 begin, 2 follows 0, 3 follows 1.
    cluster = Cluster(2, seconds=lambda order: order.trial + 1.0)
    done, seen = watched(full(4), cluster)
    begins = [clock for clock, event in seen if isinstance(event, Order)]
    ends = [(clock, e.order.trial) for clock, e in seen if isinstance(e, Outcome)]
    assert begins == [0.0, 0.0, 1.0, 2.0]
    assert ends == [(1.0, 0), (2.0, 1), (4.0, 2), (6.0, 3)]
    assert (done.orders, done.epochs, done.seconds) == (4, 8, 6.0)
    assert (done.supplied_seconds, done.busy_seconds, done.utilisation) == (2.0, 4.0, 1.0)


def test_a_worker_that_waits_lowers_the_utilisation():
    from ripieno.schedulers import SuccessiveHalving

    scheduler = SuccessiveHalving(Random(SPACE, 0), LOSS, epochs=3, trials=3)
    slow = Cluster(3, seconds=lambda order: 9.0 if order.trial == 0 else 3.0)
    done = simulate_cluster(scheduler, slow)
    assert (done.supplied_seconds, done.busy_seconds) == (9.0, 15.0)
    assert done.utilisation == pytest.approx(15 / 27)


def test_failures_end_half_way_and_stragglers_take_longer():
    cluster = Cluster(1, failures=0.2, stragglers=0.3, slowdown=5.0, seed=3)
    orders = [Order(trial, SPACE.default(), 0, 4) for trial in range(2_000)]
    outcomes = [cluster.carry_out(order) for order in orders]
    failed = [o for o in outcomes if o.status is OutcomeStatus.FAILED]
    slow = [o for o in outcomes if o.seconds in {20.0, 10.0}]
    assert len(failed) / 2_000 == pytest.approx(0.2, abs=0.03)
    assert len(slow) / 2_000 == pytest.approx(0.3, abs=0.03)
    assert {o.seconds for o in failed} == {2.0, 10.0}
    assert {o.seconds for o in outcomes if o.status is OutcomeStatus.DONE} == {4.0, 20.0}
    assert [cluster.carry_out(order) for order in orders[:9]] == outcomes[:9]


def test_a_table_takes_the_place_of_training():
    cluster = Cluster(1, metrics=lambda order, epoch: {"loss": order.config["lr"] / epoch})
    outcome = cluster.carry_out(Order(0, SPACE.config(lr=0.5), 1, 3))
    assert outcome.metrics == ({"loss": 0.25}, {"loss": 0.5 / 3})


def test_no_more_orders_are_given_than_allowed_and_all_are_carried_out():
    done, seen = watched(full(None), Cluster(7), most_orders=30)
    assert done.orders == sum(isinstance(event, Outcome) for _, event in seen) == 30


def test_asha_keeps_thousands_of_workers_busy_though_some_fail_and_straggle():
    workers, limit = 600, 6_000
    cluster = Cluster(
        workers,
        seconds=lambda order: order.epochs * (0.5 + order.config["lr"]),
        failures=0.02,
        stragglers=0.05,
    )
    scheduler = Asha(Random(SPACE, 1), LOSS, epochs=27)
    done, seen = watched(scheduler, cluster, most_orders=limit)
    out = busiest = 0
    for _, event in seen:
        out += 1 if isinstance(event, Order) else -1
        busiest = max(busiest, out)
    assert (done.orders, out, busiest) == (limit, 0, workers)
    assert done.utilisation == pytest.approx(1.0)
    stops = [event.stop for _, event in seen if isinstance(event, Order)]
    counts = [stops.count(stop) for stop in (1, 3, 9, 27)]
    assert all(1.5 * above < below for below, above in itertools.pairwise(counts))
    assert counts[3] > 50
    assert len(done.looks) > 10


def test_a_tail_makes_some_stragglers_much_slower_than_others():
    cluster = Cluster(1, stragglers=1.0, slowdown=2.0, tail=1.5)
    orders = [Order(trial, SPACE.default(), 0, 1) for trial in range(4_000)]
    slow = sorted(cluster.carry_out(order).seconds for order in orders)
    assert slow[0] >= 2.0
    # P(more than x) = (2 / x) ** 1.5
    for x in (4.0, 10.0):
        share = sum(seconds > x for seconds in slow) / 4_000
        assert share == pytest.approx((2.0 / x) ** 1.5, rel=0.2)


def test_a_lost_attempt_takes_half_of_its_time_and_the_order_goes_out_again():
    cluster = Cluster(1, lost=0.5)
    orders = [Order(trial, SPACE.default(), 0, 4) for trial in range(2_000)]
    losses = [cluster.losses(order) for order in orders]
    outcomes = [cluster.carry_out(order) for order in orders]
    assert all(len(outcome.metrics) == 4 for outcome in outcomes)
    assert [o.seconds for o in outcomes] == [4.0 + 2.0 * lost for lost in losses]
    assert [sum(lost >= k for lost in losses) / 2_000 for k in (1, 2)] == pytest.approx(
        [0.5, 0.25], abs=0.04
    )


def test_a_metric_that_is_not_finite_ends_a_trial_as_diverged():
    cluster = Cluster(1, metrics=lambda _, epoch: {"loss": 1.0 if epoch < 3 else math.inf})
    outcome = cluster.carry_out(Order(0, SPACE.default(), 0, 4))
    assert outcome.status is OutcomeStatus.DIVERGED
    assert outcome.metrics == ({"loss": 1.0},) * 2
    assert outcome.error == "the metrics of epoch 3 are not finite"


@pytest.mark.parametrize(
    "settings",
    [
        {"workers": 0},
        {"workers": 1, "failures": 1.1},
        {"workers": 1, "slowdown": 0.0},
        {"workers": 1, "lost": 1.0},
        {"workers": 1, "tail": 0.0},
    ],
)
def test_a_cluster_that_cannot_be_is_refused(settings):
    with pytest.raises(SearchError, match="make no cluster"):
        Cluster(**settings)
