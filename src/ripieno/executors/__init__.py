"""Where runners live."""

from ripieno.executors.executor import Executor

__all__ = ["Executor"]
