"""Where runners live."""

from ripieno.executors.crew import Crew, gather, gathers
from ripieno.executors.executor import Executor
from ripieno.executors.inline import InlineExecutor
from ripieno.executors.objective import ObjectiveRunner
from ripieno.executors.processes import ProcessExecutor
from ripieno.executors.ray import RayExecutor, check_cluster
from ripieno.executors.report import Report
from ripieno.executors.shipping import send_by_value
from ripieno.executors.spawning import usable_cores

__all__ = [
    "Crew",
    "Executor",
    "InlineExecutor",
    "ObjectiveRunner",
    "ProcessExecutor",
    "RayExecutor",
    "Report",
    "check_cluster",
    "gather",
    "gathers",
    "send_by_value",
    "usable_cores",
]
