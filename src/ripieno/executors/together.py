"""A runner whose orders are each carried out by several processes together."""

import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from queue import Empty, SimpleQueue
from types import MappingProxyType

from ripieno.errors import WorkerError
from ripieno.executors.divisible import Divisible
from ripieno.executors.messages import (
    Advanced,
    Broke,
    CannotStart,
    Gave,
    Pipe,
    Seat,
    SetUp,
    Stop,
    Work,
)
from ripieno.executors.parcel import Parcel, pack
from ripieno.executors.spawning import COMMAND, check_devices, spawn
from ripieno.records import ArtifactStore, Order, Outcome, OutcomeStatus, say_epochs

__all__ = ["TogetherRunner"]

_LOOK_UP_SECONDS = 0.05
_GRACE_SECONDS = 3.0
_KILL_SECONDS = 5.0
_PATIENCE_SECONDS = 600.0

_QUIET = MappingProxyType({"TORCH_CPP_LOG_LEVEL": "ERROR"})
"""Each process would say that it looked for unused parameters and found none, which is well."""


class TogetherRunner:
    """Carries each order out in several processes together, one after the other.

    The processes start at the first order, serve all orders of this runner's life that are
    stored in one place, and end with it, or with the process that it lives in, however that
    ends. Large arrays are in memory once for all of them.

    What goes wrong in one of them is what goes wrong with the order: it becomes one
    ``failed`` outcome, the others are ended, and the next order finds new ones. A failure
    that all of them met alike, as with a config that no model can be built of, costs
    nothing more.

    Args:
        runner: What carries an order out in each of the processes.
        devices: How many there are.
        patience_seconds: How long one waits for another before it gives up: longer than
            anything that one of them does between two steps.

    Raises:
        WorkerError: ``devices`` is below one.
    """

    def __init__(
        self, runner: Divisible, devices: int, *, patience_seconds: float = _PATIENCE_SECONDS
    ) -> None:
        self._runner = runner
        self._devices = check_devices(devices)
        self._patience = patience_seconds
        self._team: _Team | None = None

    @property
    def width(self) -> int:
        """One order at a time."""
        return 1

    def group(self, order: Order) -> str:
        """Name the orders that gain from being run together, as the runner does."""
        return self._runner.group(order)

    def run(
        self, orders: Sequence[Order], artifacts: ArtifactStore, stop: Callable[[], bool]
    ) -> Iterator[Outcome]:
        """Carry the orders out one after the other; see :class:`~ripieno.records.Runner`.

        Raises:
            WorkerError: A process cannot be started.
            RipienoError: The runner raised it: an ArtifactError when the disk is full.
        """
        for order in orders:
            team = self._gathered(artifacts)
            try:
                outcome = team.carry_out(order, stop)
            except BaseException:
                self._disband()
                raise
            if team.is_broken:
                self._disband()
            notes = [f"{self._devices} processes together", outcome.notes]
            yield replace(outcome, notes="; ".join(filter(None, notes)))

    def _gathered(self, artifacts: ArtifactStore) -> "_Team":
        team = self._team
        # One may have died while there was nothing to do, which is no order's fault; and all
        # of them store where they were told to when they started.
        if team is not None and not (team.is_complete and team.artifacts is artifacts):
            self._disband()
        if self._team is None:
            team = _Team(self._runner, artifacts, devices=self._devices, patience=self._patience)
            weakref.finalize(self, team.end)
            self._team = team
        return self._team

    def _disband(self) -> None:
        team, self._team = self._team, None
        if team is not None:
            team.end()


class _Member:
    """One process of a team."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None  # noqa: S101 - asked for by `spawn`
        assert process.stdout is not None  # noqa: S101 - asked for by `spawn`
        self.process = process
        self.pipe = Pipe(process.stdout, process.stdin)


class _Team:
    """The processes, as long as all of them are there."""

    def __init__(
        self, runner: Divisible, artifacts: ArtifactStore, *, devices: int, patience: float
    ) -> None:
        self.is_broken = False
        self.artifacts = artifacts
        self._said: SimpleQueue[tuple[int, object]] = SimpleQueue()
        self._members: list[_Member] = []
        # Others on this machine cannot look into it, and so cannot join.
        self._folder = Path(tempfile.mkdtemp(prefix="ripieno-"))
        try:
            parcel = _packed(runner, artifacts)
            try:
                self._start(parcel, devices, patience)
            finally:
                parcel.close()
        except BaseException:
            self.end()
            raise

    @property
    def is_complete(self) -> bool:
        """Whether all processes are there."""
        return all(member.process.poll() is None for member in self._members)

    def carry_out(self, order: Order, stop: Callable[[], bool]) -> Outcome:
        """Have an order carried out; a process that dies of it gives a failed outcome."""
        begin = time.perf_counter()
        self._tell(Work((order,)))
        outcomes: dict[int, Outcome] = {}
        dead: list[int] = []
        told, deadline = False, float("inf")
        while len(outcomes) < len(self._members) and not dead and time.monotonic() < deadline:
            if not told and stop():
                self._tell(Stop())
                told = self.is_broken = True  # whoever was asked to stop begins nothing more
            for rank, message in self._heard():
                match message:
                    case Gave(outcome):
                        outcomes[rank] = outcome
                    case Broke(error):
                        raise error
                    case CannotStart(reason, where):
                        raise _cannot_start(reason, where)
                    case None:
                        dead.append(rank)
            if any(each.status is OutcomeStatus.FAILED for each in outcomes.values()):
                # The others wait for it, but where they have met the same.
                deadline = min(deadline, time.monotonic() + _GRACE_SECONDS)
        return self._judged(order, outcomes, dead, seconds=time.perf_counter() - begin)

    def end(self) -> None:
        """End all processes. Safe to call twice."""
        members, self._members = self._members, []
        for member in members:
            member.process.kill()
        for member in members:
            with suppress(subprocess.TimeoutExpired):  # the system has not let go of it yet
                member.process.wait(_KILL_SECONDS)
        shutil.rmtree(self._folder, ignore_errors=True)

    def _start(self, parcel: Parcel, devices: int, patience: float) -> None:
        """Start all processes, then tell each what it is for: they load torch side by side."""
        for _ in range(devices):
            process = spawn(parcel.descriptors, workers=devices, environment=_QUIET)
            self._members.append(_Member(process))
        file = next(iter(parcel.descriptors), None)
        ways = tuple(sys.path), tuple(sys.argv), os.environ.get("PYTHONPATH")
        for rank, member in enumerate(self._members):
            seat = Seat(rank, devices, str(self._folder / "meeting"), patience)
            with suppress(OSError):
                member.pipe.send(SetUp(*ways, spans=parcel.spans, file=file, seat=seat))
                member.pipe.send_bytes(parcel.body)
            # Not a method: a thread that held the team would keep it alive for ever.
            threading.Thread(target=_listen, args=(rank, member, self._said), daemon=True).start()

    def _tell(self, message: object) -> None:
        for member in self._members:
            with suppress(OSError, ValueError):  # one that is gone is heard of by its thread
                member.pipe.send(message)

    def _heard(self) -> Iterator[tuple[int, object]]:
        """Return what the processes have said, after a short wait; pass on how far they are."""
        with suppress(Empty):
            rank, message = self._said.get(timeout=_LOOK_UP_SECONDS)
            while True:
                if not isinstance(message, Advanced):
                    yield rank, message
                elif rank == 0:
                    for trial, epochs in message.epochs.items():
                        say_epochs(trial, epochs)
                rank, message = self._said.get_nowait()

    def _judged(
        self, order: Order, outcomes: Mapping[int, Outcome], dead: Sequence[int], *, seconds: float
    ) -> Outcome:
        """Return the one outcome of an order; find out whether the processes are still as one."""
        count = len(self._members)
        if dead:
            self.is_broken = True
            status = self._members[dead[0]].process.wait()
            how = f"signal {-status}" if status < 0 else f"exit status {status}"
            error = f"process {dead[0] + 1} of the {count} that trained it together died ({how})"
            return Outcome(order, OutcomeStatus.FAILED, seconds=seconds, error=error)
        failed = [rank for rank, each in outcomes.items() if each.status is OutcomeStatus.FAILED]
        if not failed:
            self.is_broken |= len({each.status for each in outcomes.values()}) > 1
            return outcomes[0]
        first = outcomes[failed[0]]
        met = {str(outcomes[rank].error).partition("\n")[0] for rank in failed}
        if len(failed) == count and len(met) == 1:
            return first
        self.is_broken = True
        silent = [str(rank + 1) for rank in range(count) if rank not in outcomes]
        said = f"{first.error}\nIn process {failed[0] + 1} of {count}"
        if silent:
            said += f"; process {', '.join(silent)} gave no answer and was ended"
        return replace(first, error=f"{said}.")


def _listen(rank: int, member: _Member, said: "SimpleQueue[tuple[int, object]]") -> None:
    """Pass on what a process says until it is gone, which is told as None."""
    try:
        while True:
            said.put((rank, member.pipe.receive()))
    except (EOFError, OSError):
        pass
    finally:
        member.pipe.close()
        said.put((rank, None))


def _packed(runner: Divisible, artifacts: ArtifactStore) -> Parcel:
    try:
        return pack((runner, artifacts))
    except WorkerError:
        raise
    except Exception as error:
        # Pickling runs the user's own code, which may raise anything.
        raise WorkerError(
            f"the runner cannot be sent to the processes of a trial: {error}.",
            where=type(runner).__qualname__,
            fix="keep open files, locks and generators out of the model's function "
            "(open them inside it), or use devices=1.",
        ) from error


def _cannot_start(reason: str, where: str) -> WorkerError:
    return WorkerError(
        f"a process of a trial on several devices could not start: {reason}.",
        where=where or " ".join(COMMAND),
        fix="mend the error above, or use devices=1 to see it happen in this process.",
    )
