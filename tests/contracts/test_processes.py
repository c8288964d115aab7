"""Mother test 4 across processes: hashes of strings differ there, orders must not."""

import os
import subprocess
import sys

import pytest

SCRIPT = """
import hashlib
from ripieno.records import Objective
from ripieno.schedulers import make_scheduler
from ripieno.searchers import make_searcher
from ripieno.testing import example_spaces, fate, finite_spaces, orders_by_trial, rehearse

for searcher, space in [
    ("random", example_spaces()["nested"]),
    ("sobol", example_spaces()["mixed"]),
    ("grid", finite_spaces()["finite_nested"]),
]:
    for scheduler in ("full", "halving", "hyperband"):
        search = make_scheduler(
            scheduler,
            make_searcher(searcher, space, seed=5),
            Objective("loss"),
            epochs=9,
            trials=40,
        )
        orders = orders_by_trial(rehearse(search, workers=4, seed=1, ending=fate))
        text = repr(sorted(orders.items()))
        print(searcher, scheduler, len(orders), hashlib.sha256(text.encode()).hexdigest())
"""


def run(hash_seed):
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT],
        env={**os.environ, "PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.fixture(scope="module")
def reference():
    return run("1")


def test_every_search_gives_orders(reference):
    counts = [int(line.split()[2]) for line in reference.splitlines()]
    assert counts == [40] * 6 + [18] * 3


def test_same_seed_gives_the_same_orders_in_any_process(reference):
    assert run("2") == reference
