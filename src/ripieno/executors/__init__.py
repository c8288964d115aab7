"""Where runners live."""

from ripieno.executors.executor import Executor
from ripieno.executors.inline import InlineExecutor
from ripieno.executors.objective import ObjectiveRunner
from ripieno.executors.processes import ProcessExecutor
from ripieno.executors.report import Report
from ripieno.executors.shipping import send_by_value

__all__ = [
    "Executor",
    "InlineExecutor",
    "ObjectiveRunner",
    "ProcessExecutor",
    "Report",
    "send_by_value",
]
