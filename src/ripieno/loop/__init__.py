"""Ask, record, run, record, tell: a study from its beginning or from where it stopped."""

from ripieno.loop.budget import Budget, StopReason
from ripieno.loop.helping import Help, HelpEnd
from ripieno.loop.presence import (
    BEATS_PER_SILENCE,
    SILENCE_SECONDS,
    Presence,
    Vigil,
    on_one_machine,
    this_driver,
)
from ripieno.loop.progress import Progress
from ripieno.loop.replay import replay
from ripieno.loop.run import run
from ripieno.loop.sharing import SharedExecutor

__all__ = [
    "BEATS_PER_SILENCE",
    "SILENCE_SECONDS",
    "Budget",
    "Help",
    "HelpEnd",
    "Presence",
    "Progress",
    "SharedExecutor",
    "StopReason",
    "Vigil",
    "on_one_machine",
    "replay",
    "run",
    "this_driver",
]
