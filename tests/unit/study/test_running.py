from dataclasses import replace

import pytest

from ripieno.errors import StudyError
from ripieno.executors import InlineExecutor, ProcessExecutor
from ripieno.ledger import MemoryArtifacts
from ripieno.study.jobs import SearchJob
from ripieno.study.running import make_executor
from ripieno.study.settings import Settings

SETTINGS = Settings(
    kind="search", metric="loss", direction="minimize", searcher="random", scheduler="full",
    epochs=1, epoch_rows=None, trials=1, minutes=None, target=None, tier=None, seed=0, space="{}",
)  # fmt: skip


def make(workers, *, for_many=False, **settings):
    executor = make_executor(
        SearchJob(lambda config: config.x).runner(SETTINGS),
        MemoryArtifacts(),
        workers=workers,
        settings=replace(SETTINGS, **settings),
        for_many=for_many,
    )
    executor.close()
    return executor


def test_one_worker_is_this_process_and_two_are_others():
    assert isinstance(make(1), InlineExecutor)
    assert isinstance(make(None), InlineExecutor)
    assert isinstance(make(2), ProcessExecutor)


def test_what_may_hang_is_run_where_it_can_be_ended():
    assert isinstance(make(1, order_minutes=2.0), ProcessExecutor)


def test_where_others_are_expected_the_leader_is_never_busy_training():
    assert isinstance(make(1, for_many=True), ProcessExecutor)


def test_no_worker_is_refused():
    with pytest.raises(StudyError, match="can do no work"):
        make(0)
