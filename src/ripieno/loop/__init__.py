"""Ask, record, run, record, tell: a study from its beginning or from where it stopped."""

from ripieno.loop.budget import Budget, StopReason
from ripieno.loop.progress import Progress
from ripieno.loop.replay import replay
from ripieno.loop.run import run

__all__ = ["Budget", "Progress", "StopReason", "replay", "run"]
