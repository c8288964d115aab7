"""Every executor keeps the protocol."""

import pytest

from ripieno.executors import InlineExecutor, ProcessExecutor
from ripieno.testing import ExecutorContract


class TestInlineExecutor(ExecutorContract):
    def make(self, runner, artifacts):
        return InlineExecutor(runner, artifacts)


@pytest.mark.parametrize("workers", [1, 2])
class TestProcessExecutor(ExecutorContract):
    @pytest.fixture(autouse=True)
    def _choose(self, workers):
        self.workers = workers

    def make(self, runner, artifacts):
        return ProcessExecutor(runner, artifacts, workers=self.workers)
