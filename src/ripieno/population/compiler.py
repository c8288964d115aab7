"""Whether, when and where steps are compiled, and what that was found to cost here.

Compiling takes ten to twenty seconds of a core, and then each step takes half as long. Where
a core is free, another process compiles while the traced graph trains, and the compiled one
takes over at the end of an epoch. Where every core trains, that would be slower: the sooner a
graph is compiled, the more steps gain by it, and compiling at half the speed of a core that
also trains gives half of that away (docs/design/0006). So there the training waits; but of
several processes that want the same graph one compiles it, and the others train on meanwhile.
"""

import hashlib
import importlib
import os
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

from ripieno.population.beside import Beside, is_possible
from ripieno.population.machine import cores, workers
from ripieno.population.remembered import Remembered

__all__ = ["Compiler", "digest"]

_SECONDS_A_NODE = 0.05
"""What compiling is taken to cost for each operation of a graph, before it is known."""
_GAIN = 0.4
"""The share of a traced step's time that compiling is taken to save, before it is known."""
_WARM_SECONDS = 3.0
"""What it is taken to cost to take up what lies in the cache on disk."""
_LOCKS = 16
_COMPILED, _RATE, _ALL = "compiled", "compiling", "all graphs"


@dataclass(slots=True)
class _Pending:
    """A graph that is not compiled yet; by nobody's child where another study's process is."""

    key: str
    child: Beside | None


class Compiler:
    """Plans the compilations of one engine.

    Args:
        remembered: What was measured on this machine before.
        beside: Whether to compile in another process; None where a core is free for it.
    """

    def __init__(self, remembered: Remembered, *, beside: bool | None = None) -> None:
        self._remembered = remembered
        self._beside = cores() > workers() if beside is None else beside
        self._pending: _Pending | None = None
        self._nodes = 1
        self._lock = _Lock(remembered.path.parent)

    def obstacle(self, key: str, *, nodes: int, work: float) -> str | None:
        """Say why a graph is not worth being compiled, or None if it is.

        Args:
            key: Of the graph; see :func:`digest`.
            nodes: How many operations it has.
            work: Seconds that its steps would take as they are.
        """
        known = self._remembered.get(_COMPILED, key)
        gain = _number(known.get("gain"), _GAIN)
        cost = self._number_of(_RATE, "seconds_a_node", _SECONDS_A_NODE) * nodes
        if known and _cache_is_there():
            cost = _number(known.get("warm_seconds"), _WARM_SECONDS)
            saved = gain * work
        elif self._beside and is_possible():
            saved, cost = gain * (work - cost), _WARM_SECONDS
        else:
            saved = gain * work
        if saved > cost:
            return None
        return f"compiling would save {max(saved, 0.0):.0f} s of the work that is left"

    def begin(self, key: str, body: Callable[[], bytes], *, nodes: int) -> bool:
        """Return True where the caller is to compile now, and to say then how it went.

        Args:
            key: Of the graph.
            body: Makes what another process compiles.
            nodes: How many operations the graph has.
        """
        self._nodes = nodes
        warm = bool(self._remembered.get(_COMPILED, key)) and _cache_is_there()
        if not self._lock.take(key):
            self._pending = _Pending(key, None)
            return False
        if warm or not self._beside or not is_possible():
            return True
        try:
            self._pending = _Pending(key, Beside(body(), lock=self._lock.descriptor))
        except OSError:  # no process can be started: then here
            return True
        self._lock.leave()  # the other process has it now
        return False

    @property
    def waits(self) -> bool:
        """Whether something was begun elsewhere and not taken up yet."""
        return self._pending is not None

    def ready(self, key: str) -> bool:
        """Say whether what was begun elsewhere is there, for the caller to take up now.

        Raises:
            RuntimeError: It failed, with the reason.
        """
        pending = self._pending
        if pending is None or pending.key != key:
            return False
        if pending.child is not None:
            answer = pending.child.answer()
            if answer is None:
                return False
            self._pending = None
            if "error" in answer:
                raise RuntimeError(str(answer["error"]))
            if answer["cold"]:
                self._learn_rate(float(answer["seconds"]))
            return True
        if not self._lock.take(key):
            return False
        self._pending = None
        return True

    def convolutions(self, key: str) -> dict[str, str]:
        """Return the kernels that a graph was compiled with before, by signature."""
        found = self._remembered.get(_COMPILED, key).get("convolutions")
        return found if isinstance(found, dict) else {}

    def learn(
        self,
        key: str,
        *,
        seconds: float,
        cold: bool,
        gain: float,
        convolutions: Mapping[str, str],
    ) -> None:
        """Keep what compiling a graph in this process took and gave.

        Args:
            key: Of the graph.
            seconds: What compiling took.
            cold: Whether anything had to be compiled, and was not in the cache on disk.
            gain: The share of a step's time that it saves.
            convolutions: The kernels that it was compiled with.
        """
        self._lock.leave()
        if cold:
            self._learn_rate(seconds)
        facts = {"gain": gain, "convolutions": dict(convolutions)}
        if not cold:
            facts["warm_seconds"] = seconds
        self._remembered.put(_COMPILED, key, {**self._remembered.get(_COMPILED, key), **facts})

    def give_up(self) -> None:
        """Let others try what failed here."""
        self._lock.leave()

    def _learn_rate(self, seconds: float) -> None:
        """Average what a node costs with what is known: graphs are not all alike."""
        now = seconds / max(self._nodes, 1)
        rate = (self._number_of(_RATE, "seconds_a_node", now) + now) / 2
        self._remembered.put(_RATE, _ALL, {"seconds_a_node": rate})

    def _number_of(self, kind: str, name: str, default: float) -> float:
        return _number(self._remembered.get(kind, _ALL).get(name), default)


def digest(*parts: object) -> str:
    """Return a short text that is equal for equal parts, in any process."""
    return hashlib.sha256("\n".join(map(str, parts)).encode()).hexdigest()[:16]


def _number(value: object, default: float) -> float:
    return float(value) if isinstance(value, int | float) and value >= 0 else default


def _cache_is_there() -> bool:
    """Say whether the compiler's cache on disk was not cleared away."""
    named = os.environ.get("TORCHINDUCTOR_CACHE_DIR")
    if named is not None:
        return Path(named, "fxgraph").is_dir()
    return any(Path(tempfile.gettempdir()).glob("torchinductor_*/fxgraph"))


class _Lock:
    """Lets one process at a time compile a graph; it is free when its holder is gone.

    Args:
        folder: Where its files lie. Where there can be none, everyone has the lock.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.descriptor: int | None = None
        """What another process inherits to hold the lock too."""

    def take(self, key: str) -> bool:
        """Take the lock of a graph, if nobody else has it."""
        self.leave()
        try:
            fcntl = importlib.import_module("fcntl")
            self._folder.mkdir(parents=True, exist_ok=True)
            path = self._folder / f"compiling-{int(key, 16) % _LOCKS}.lock"
            opened = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
        except (ImportError, OSError):  # not POSIX, or not writable
            return True
        try:
            fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(opened)
            return False
        self.descriptor = opened
        return True

    def leave(self) -> None:
        """Give the lock back; a process that inherited it keeps it."""
        if self.descriptor is not None:
            os.close(self.descriptor)
            self.descriptor = None

    def __del__(self) -> None:
        self.leave()
