from dataclasses import replace

import pytest

from ripieno.errors import StudyError
from ripieno.executors import InlineExecutor, ProcessExecutor
from ripieno.ledger import MemoryArtifacts, SqlLedger
from ripieno.study.jobs import SearchJob
from ripieno.study.running import make_executor
from ripieno.study.settings import Settings

SETTINGS = Settings(
    kind="search", metric="loss", direction="minimize", searcher="random", scheduler="full",
    epochs=1, epoch_rows=None, trials=1, minutes=None, target=None, tier=None, seed=0, space="{}",
)  # fmt: skip


def make(workers, **settings):
    ledger = SqlLedger.create("sqlite://", {})
    executor = make_executor(
        SearchJob(lambda config: config.x),
        replace(SETTINGS, **settings),
        ledger=ledger,
        artifacts=MemoryArtifacts(),
        workers=workers,
    )
    ledger.close()
    executor.close()
    return executor


def test_one_worker_is_this_process_and_two_are_others():
    assert isinstance(make(1), InlineExecutor)
    assert isinstance(make(None), InlineExecutor)
    assert isinstance(make(2), ProcessExecutor)


def test_what_may_hang_is_run_where_it_can_be_ended():
    assert isinstance(make(1, order_minutes=2.0), ProcessExecutor)


def test_no_worker_is_refused():
    with pytest.raises(StudyError, match="can do no work"):
        make(0)
