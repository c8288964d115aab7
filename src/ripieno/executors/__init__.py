"""Where runners live."""

from ripieno.executors.crew import Crew, gather, gathers
from ripieno.executors.divisible import Divisible
from ripieno.executors.executor import Executor
from ripieno.executors.gpus import has_driver
from ripieno.executors.inline import InlineExecutor
from ripieno.executors.objective import ObjectiveRunner
from ripieno.executors.processes import ProcessExecutor
from ripieno.executors.ray import RayExecutor, check_cluster
from ripieno.executors.report import Report
from ripieno.executors.shipping import send_by_value
from ripieno.executors.spawning import check_devices, free_workers, usable_cores
from ripieno.executors.together import TogetherRunner

__all__ = [
    "Crew",
    "Divisible",
    "Executor",
    "InlineExecutor",
    "ObjectiveRunner",
    "ProcessExecutor",
    "RayExecutor",
    "Report",
    "TogetherRunner",
    "check_cluster",
    "check_devices",
    "free_workers",
    "gather",
    "gathers",
    "has_driver",
    "send_by_value",
    "usable_cores",
]
