from types import SimpleNamespace

import pytest

from ripieno.errors import StudyError
from ripieno.executors import Crew
from ripieno.study.places import Place, find_place


def find(executor=None, address=None, workers=None, order_minutes=None):
    return find_place(executor, address, workers, order_minutes=order_minutes)


def test_where_nothing_is_said_the_workers_stand_alone():
    with Crew(0) as crew:
        assert (find(), find(workers=3), find(workers=crew)) == (None, 3, crew)


def test_an_executor_is_found_by_its_name():
    assert find("inline") == Place("inline", None, None)
    assert find("inline", workers=1) == Place("inline", None, 1)
    assert find("processes", workers=1, order_minutes=2.0) == Place("processes", None, 1)


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"executor": "threads"}, "there is no executor 'threads'"),
        ({"address": "auto"}, "says where a Ray cluster is"),
        ({"executor": "processes", "address": "auto"}, "and the executor is processes"),
        ({"executor": "inline", "workers": 2}, "'inline' is this process alone"),
        ({"executor": "processes", "workers": 0}, "workers = 0 can do no work"),
        ({"executor": "inline", "order_minutes": 1.5}, "order_minutes = 1.5 cannot be kept"),
    ],
)
def test_what_does_not_go_together_is_refused(said, problem):
    with pytest.raises(StudyError, match=problem):
        find(**said)


@pytest.mark.parametrize(
    ("device", "devices", "gpus"),
    [("auto", 1, None), ("auto", 2, 0.0), ("cuda", 1, 1.0), ("cuda", 2, 2.0), ("cpu", 1, 0.0)],
)
def test_an_actor_of_a_cluster_has_the_gpus_of_its_trials(monkeypatch, device, devices, gpus):
    asked = {}
    monkeypatch.setattr("ripieno.study.places.RayExecutor", lambda *_, **said: asked.update(said))
    settings = SimpleNamespace(
        kind="tune", device=device, devices=devices, order_minutes=None
    )  # a study's own are many more
    Place("ray", None, None).host(None, None, settings=settings)
    assert (asked["gpus"], asked["cpus"]) == (gpus, devices)
