"""An executor of actors on a Ray cluster, or on one of this machine's own."""

import math
import os
import secrets
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from pickle import PickleBuffer
from typing import Any

import numpy as np

from ripieno.errors import WorkerError
from ripieno.executors.actor import Actor, Shipment
from ripieno.executors.cluster import (
    how_it_ended,
    knock,
    last_line,
    own_path,
    require_room,
    rooms,
    unreachable,
)
from ripieno.executors.messages import Close, Ready
from ripieno.executors.parcel import pickled, sending
from ripieno.executors.remote import Remote
from ripieno.executors.spawning import ONE_THREAD, usable_cores
from ripieno.executors.team import HEAVY, LIGHT, Team, Worker
from ripieno.records import ArtifactStore, Runner

__all__ = ["RayExecutor", "check_cluster"]

_CLOSE_SECONDS = 5.0
_LOOK_SECONDS = 2.0
_WAIT_SECONDS = 0.5
_UNHEARD_SECONDS = 60.0
"""After how long an actor is lost that Ray says to be alive, but cannot reach."""
_SHRINKING_SECONDS = 30.0
"""How long after a machine has left actors may be found dead that were about to start there."""


class _RayActor(Actor):
    """The worker, where Ray starts it."""

    def __init__(self, shipment: Shipment) -> None:
        super().__init__(shipment, f"the machine {_ray().util.get_node_ip_address()}")

    def node(self) -> str:
        """Return the id of the node that it runs on."""
        return str(_ray().get_runtime_context().get_node_id())


class RayExecutor(Team):
    """Spreads orders over the actors of a Ray cluster, one intra-op thread each.

    The runner is pickled once, at the first order, and lies in the object store once for
    each machine: actors map its large arrays copy-on-write. Outcomes come back one by one.

    An actor that dies gives its orders back, and they go out again; an order that was being
    trained by two actors that died has failed. Where the whole machine is gone it counts a
    fifth. Machines that join the cluster get actors as soon as there are orders for them.

    Args:
        runner: What carries the orders out; each actor has a copy, but for large arrays.
        artifacts: Where it stores states and predictions; every machine must reach it.
        address: Of the cluster: ``host:port``, ``ray://host:port``, ``auto`` for the one
            that runs here or that ``RAY_ADDRESS`` names, ``local`` for a new one on this
            machine; where absent as ``auto``, and else as ``local``. A program that has
            called ``ray.init`` stays where it is.
        workers: Actors at most; what the cluster has room for where absent. Those that it has
            no room for are waited for, so that a cluster that scales by itself grows.
        cpus: Cores of an actor.
        gpus: GPUs of an actor; 1 where absent and the cluster has some.
        resources: What else Ray reserves for an actor, by name.
        silence_seconds: An actor that has work and says nothing for longer hangs; it is ended
            and dealt with as one that died. None waits for ever.

    Raises:
        WorkerError: Ray is not installed, the cluster cannot be reached, or has no room for
            an actor.
    """

    def __init__(
        self,
        runner: Runner,
        artifacts: ArtifactStore,
        *,
        address: str | None = None,
        workers: int | None = None,
        cpus: float = 1.0,
        gpus: float | None = None,
        resources: Mapping[str, float] | None = None,
        silence_seconds: float | None = None,
    ) -> None:
        if workers is not None and workers < 1:
            raise WorkerError(
                f"workers = {workers} can train nothing.",
                where="RayExecutor",
                fix="use at least one worker.",
            )
        super().__init__(runner, silence_seconds=silence_seconds)
        self._artifacts = artifacts
        self._count = workers
        self._workers: list[Remote] = []
        self._shipment: Any = None
        self._proof: str | None = None
        self._thread: threading.Thread | None = None
        self._over = threading.Event()
        self._shrinks_until = -math.inf
        self._leave = _connect(address)
        try:
            self._needs, self._alive, self._room = _survey(cpus, gpus, resources or {})
            if workers is None:
                require_room(self._room, self._needs)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """End all actors: ask, after five seconds kill. Safe to call twice.

        Ray itself is shut down where this executor has started it.
        """
        with self._changed:
            self._stopping = self._closed = True
            self._waiting.clear()
            for worker in self._workers:
                worker.orders.clear()
                if worker.ready:
                    worker.send(Close())
            self._changed.notify_all()
            self._changed.wait_for(lambda: not any(w.begun for w in self._workers), _CLOSE_SECONDS)
            workers, self._workers = self._workers, []
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        for worker in workers:
            worker.kill()
        self._shipment = None
        if self._proof is not None:
            self._artifacts.delete(self._proof)
            self._proof = None
        leave, self._leave = self._leave, None
        if leave is not None:
            leave()

    def _crowd(self) -> Sequence[Worker]:
        return self._workers

    def _places(self) -> int:
        return self._room if self._count is None else max(1, min(self._count, self._room))

    def _fill_up(self) -> None:
        wanted = self._room if self._count is None else self._count
        missing = wanted - len(self._workers)
        if wanted <= self._room:
            # An actor keeps its cores from others: no more of them than there are orders. Where
            # there is no room, those that wait for some are what lets a cluster grow.
            idle = sum(not worker.orders for worker in self._workers)
            missing = min(missing, len(self._waiting) - idle)
        if missing <= 0:
            return
        if self._shipment is None:
            self._shipment = self._put()
        make = self._kind(wanted)
        self._workers += [
            Remote(make.remote(self._shipment), end=_ray().kill) for _ in range(missing)
        ]
        if self._thread is None:
            self._thread = threading.Thread(target=self._serve, daemon=True)
            self._thread.start()

    def _put(self) -> Any:
        """Put the runner and the store into the object store."""
        token = {"token": np.frombuffer(secrets.token_bytes(16), np.uint8)}
        self._proof = self._artifacts.write("reachable", token)
        with sending(self._runner):
            body, buffers = pickled((self._runner, self._artifacts))
            shipment = Shipment(
                PickleBuffer(body),
                tuple(map(PickleBuffer, buffers)),
                proof=self._proof,
                path=tuple(sys.path),
                arguments=tuple(sys.argv),
                folder=str(Path.cwd()),
            )
            return _ray().put(shipment)

    def _kind(self, count: int) -> Any:
        """Return what makes an actor."""
        needs = dict(self._needs)
        variables = dict.fromkeys(ONE_THREAD, "1")
        # Memory and caches are shared among the workers of a machine.
        variables["RIPIENO_WORKERS"] = str(min(count, max(rooms(_nodes(), needs), default=1)))
        variables["PYTHONPATH"] = os.pathsep.join([*own_path(), "${PYTHONPATH}"])
        return (
            _ray()
            .remote(_RayActor)
            .options(
                num_cpus=needs.pop("CPU", 0),
                num_gpus=needs.pop("GPU", 0),
                resources=needs,
                runtime_env={"env_vars": variables},
                scheduling_strategy="SPREAD",
                max_restarts=0,
                max_task_retries=0,
                max_concurrency=4,
            )
        )

    def _serve(self) -> None:
        """Keep the books of all actors until the end; a thread of its own."""
        looked_at = time.monotonic()
        while not self._over.is_set():
            try:
                self._listen()
                if time.monotonic() - looked_at > _LOOK_SECONDS:
                    self._look()
                    looked_at = time.monotonic()
            except Exception as error:  # noqa: BLE001 - a thread that dies leaves a study waiting
                with self._changed:
                    self._fail(f"cannot be reached: {error!r}")
                    self._changed.notify_all()
                return

    def _listen(self) -> None:
        """Wait a little for what the actors say, and note it."""
        with self._changed:
            calls = {worker.call: worker for worker in self._workers}
        if not calls:
            self._over.wait(_WAIT_SECONDS)
            return
        ray, refs = _ray(), list(calls)
        said, _ = ray.wait(refs, num_returns=1, timeout=_WAIT_SECONDS)
        if said:
            said, _ = ray.wait(refs, num_returns=len(refs), timeout=0)
        for ref in said:
            self._hear(calls[ref])

    def _hear(self, worker: Remote) -> None:
        ray = _ray()
        try:
            messages = ray.get(worker.call)
            if any(isinstance(message, Ready) for message in messages):
                worker.node = ray.get(worker.actor.node.remote())
        except ray.exceptions.ActorUnavailableError as error:
            if worker.unheard_for() < _UNHEARD_SECONDS:
                self._over.wait(_WAIT_SECONDS)
                worker.repeat()
            else:
                self._lose(worker, error)
            return
        except ray.exceptions.RayActorError as error:
            self._lose(worker, error)
            return
        except Exception as error:  # noqa: BLE001 - what an actor says may raise anything
            with self._changed:
                self._fail(f"said what cannot be read: {error!r}")
            self._lose(worker, error)
            return
        with self._changed:
            worker.known, worker.unheard_since = worker.known + len(messages), None
            worker.listen()
            for message in messages:
                self._note(worker, message)
            self._changed.notify_all()

    def _lose(self, worker: Remote, error: Exception) -> None:
        """Deal with an actor that is gone, and see whether its machine is."""
        self._look()
        gone = worker.node is not None and worker.node not in self._alive
        if worker.node is None:
            gone = time.monotonic() < self._shrinks_until
        with self._changed:
            if worker not in self._workers:
                return
            self._workers.remove(worker)
            worker.kill()
            if not worker.ready and not gone and "creation task" in str(error):
                self._fail(f"could not start: {last_line(error)}")
                return
            # That it had begun may have died with it: it is taken to have begun all it had.
            worker.begun.update(worker.orders)
            how = "its machine left the cluster" if gone else how_it_ended(error)
            self._bury(worker, how, blame=LIGHT if gone else HEAVY)
            self._changed.notify_all()

    def _look(self) -> None:
        """See which machines there are, and start actors where orders wait for them."""
        nodes = _nodes()
        with self._changed:
            alive = {node["NodeID"] for node in nodes}
            if self._alive - alive:
                self._shrinks_until = time.monotonic() + _SHRINKING_SECONDS
            self._alive = alive
            self._room = sum(rooms(nodes, self._needs))
            if self._waiting and not self._stopping:
                self._replace()

    def _fail(self, what: str, *, where: str | None = None) -> None:
        self._error = self._error or WorkerError(
            f"a Ray actor {what}.",
            where=where or "executor='ray'",
            fix="mend the error above (what the actor printed is in Ray's logs, on its machine "
            "under /tmp/ray/session_latest/logs), or use executor='inline' to see it happen in "
            "this process.",
        )


def check_cluster(address: str | None) -> None:
    """Look whether Ray is installed and somebody listens at an address.

    Raises:
        WorkerError: Neither, or the address cannot be read.
    """
    if not _ray().is_initialized():
        knock(address)


def _connect(address: str | None) -> Callable[[], None] | None:
    """Connect to a cluster; return what undoes it, or None where it had been done before.

    Raises:
        WorkerError: The cluster cannot be reached.
    """
    ray = _ray()
    if ray.is_initialized():
        return None
    knock(address)
    quietly: dict[str, Any] = {"log_to_driver": False, "logging_level": "ERROR"}
    try:
        if address == "local" or not _joins(address, quietly):
            ray.init(address="local", num_cpus=usable_cores(), include_dashboard=False, **quietly)
    except Exception as error:
        raise unreachable(address or "local", str(error)) from error
    return ray.shutdown  # type: ignore[no-any-return]


def _joins(address: str | None, quietly: Mapping[str, Any]) -> bool:
    """Connect to a cluster that runs; say whether one was found."""
    try:
        _ray().init(address=address or "auto", **quietly)
    except ConnectionError as error:
        # Where there is one that lets us not in, a new one would be a surprise.
        if address is not None or os.environ.get("RAY_ADDRESS") or "Failed" in str(error):
            raise
        return False
    return True


def _ray() -> Any:
    """Return the library; it is not needed for anything else.

    Raises:
        WorkerError: It is not installed.
    """
    try:
        import ray
    except ImportError as error:
        raise WorkerError(
            "Ray is not installed.",
            where="executor='ray'",
            fix="pip install 'ripieno[ray]'",
        ) from error
    return ray


def _survey(
    cpus: float, gpus: float | None, resources: Mapping[str, float]
) -> tuple[dict[str, float], set[str], int]:
    """Return what an actor needs, which machines there are, and for how many they have room."""
    nodes = _nodes()
    if gpus is None:
        gpus = float(any(node["Resources"].get("GPU", 0) >= 1 for node in nodes))
    wanted = {"CPU": cpus, "GPU": gpus, **resources}
    needs = {name: amount for name, amount in wanted.items() if amount > 0}
    if not needs:
        raise WorkerError(
            "an actor that needs nothing could be started for ever.",
            where=f"RayExecutor(cpus={cpus:g}, gpus={gpus:g})",
            fix="give it a core or a part of one: cpus=0.5.",
        )
    return needs, {node["NodeID"] for node in nodes}, sum(rooms(nodes, needs))


def _nodes() -> list[dict[str, Any]]:
    return [node for node in _ray().nodes() if node["Alive"]]
