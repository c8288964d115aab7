"""An actor as its driver calls it, without a cluster around it."""

import time
from pickle import PickleBuffer

import cloudpickle

from ripieno.executors import ObjectiveRunner
from ripieno.executors.actor import Actor, Shipment
from ripieno.executors.messages import Begun, Close, Gave, Ready, Work
from ripieno.ledger import MemoryArtifacts
from ripieno.records import Config, Order


class Everywhere(MemoryArtifacts):
    """A store that holds whatever is asked for."""

    def __getstate__(self):
        return {}

    def read(self, key):
        return {}, {}


def make(objective, path=()):
    body = cloudpickle.dumps((ObjectiveRunner(objective, "loss"), Everywhere()))
    shipment = Shipment(
        PickleBuffer(body),
        (),
        proof="proof",
        path=path,
        arguments=("program", "--flag"),
        folder="/",
    )
    return Actor(shipment, "here")


def hear(actor, count):
    """Exactly so many messages, all of them unacknowledged."""
    messages, until = (), time.monotonic() + 10.0
    while len(messages) < count and time.monotonic() < until:
        messages = actor.hear(0)
    return messages


def order(trial):
    return Order(trial, Config({"x": float(trial)}), 0, 1)


def test_what_is_told_twice_is_done_once_and_what_is_not_acknowledged_is_said_again(monkeypatch):
    monkeypatch.setattr("sys.argv", ["pytest"])
    monkeypatch.chdir(".")
    actor = make(lambda config: config.x)
    actor.tell(0, Work((order(0),)))
    actor.tell(0, Work((order(0),)))
    actor.tell(1, Work((order(1),)))
    messages = hear(actor, 5)
    kinds = [type(message) for message in messages]
    assert kinds == [Ready, Begun, Gave, Begun, Gave]
    assert [m.outcome.order.trial for m in messages if isinstance(m, Gave)] == [0, 1]
    assert actor.hear(3) == messages[3:]
    assert actor.hear(1) == messages[3:]  # a call that comes late takes nothing back
    actor.tell(2, Close())


def test_an_actor_that_has_nothing_to_say_answers_all_the_same(monkeypatch):
    monkeypatch.setattr("sys.argv", ["pytest"])
    monkeypatch.setattr("ripieno.executors.actor._LISTENS_SECONDS", 0.1)
    monkeypatch.chdir(".")
    actor = make(lambda config: config.x)
    assert [type(message) for message in hear(actor, 1)] == [Ready]
    assert actor.hear(1) == ()
    actor.tell(0, Close())
