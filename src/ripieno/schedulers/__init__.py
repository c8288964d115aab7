"""Who trains how long."""

from ripieno.schedulers.scheduler import Scheduler

__all__ = ["Scheduler"]
