"""Where a session's orders are carried out, as the user names it."""

from dataclasses import dataclass
from typing import Literal, get_args

from ripieno.errors import StudyError
from ripieno.executors import (
    Crew,
    Executor,
    InlineExecutor,
    ProcessExecutor,
    RayExecutor,
    check_cluster,
    free_workers,
)
from ripieno.recipes import gpus_for
from ripieno.records import ArtifactStore, Runner
from ripieno.study.settings import Settings

__all__ = ["ExecutorName", "Place", "find_place"]

ExecutorName = Literal["inline", "processes", "ray"]
"""The executors that are known by name."""


@dataclass(frozen=True, slots=True)
class Place:
    """An executor that was asked for by name; made by :func:`find_place`.

    Args:
        executor: Its name.
        address: Of the Ray cluster.
        workers: How many; None as many as there are cores.
    """

    executor: ExecutorName
    address: str | None
    workers: int | Crew | None

    def host(self, runner: Runner, artifacts: ArtifactStore, *, settings: Settings) -> Executor:
        """Return the executor.

        Raises:
            WorkerError: The cluster cannot be reached, or has no room.
        """
        minutes = settings.order_minutes
        patience = None if minutes is None else 60 * minutes
        crew = self.workers if isinstance(self.workers, Crew) else None
        count = self.workers.count if isinstance(self.workers, Crew) else self.workers
        match self.executor:
            case "inline":
                return InlineExecutor(runner, artifacts)
            case "processes":
                return ProcessExecutor(
                    runner,
                    artifacts,
                    workers=count or free_workers(settings.devices, gpus=gpus_for(settings.device)),
                    crew=crew,
                    silence_seconds=patience,
                    device=settings.device,
                )
            case "ray":
                return RayExecutor(
                    runner,
                    artifacts,
                    address=self.address,
                    workers=count,
                    cpus=float(settings.devices),
                    gpus=_gpus(settings),
                    silence_seconds=patience,
                )


def _gpus(settings: Settings) -> float | None:
    """Return the GPUs of an actor; None for one where the cluster has some."""
    if settings.kind == "search":
        return None
    if settings.device == "auto":
        return None if settings.devices == 1 else 0.0
    return float(settings.devices) if settings.device == "cuda" else 0.0


def find_place(
    executor: str | None,
    address: str | None,
    workers: int | Crew | None,
    *,
    order_minutes: float | None,
) -> Place | int | Crew | None:
    """Return where orders are to be carried out; the workers alone where nothing else is said.

    Args:
        executor: ``inline``, ``processes`` or ``ray``; None for one of the first two, by the
            number of workers.
        address: Of a Ray cluster.
        workers: How many workers.
        order_minutes: After how long of silence an order hangs; None never.

    Raises:
        StudyError: There is no such executor, or these do not go together.
        WorkerError: Ray is not installed, or nobody listens at the address.
    """
    if executor is not None and executor not in get_args(ExecutorName):
        raise StudyError(
            f"there is no executor {executor!r}.",
            where="--executor / executor=",
            fix=f"name one of {', '.join(get_args(ExecutorName))}.",
        )
    if address is not None and executor != "ray":
        raise _clash(
            f"address = {address!r} says where a Ray cluster is, and the executor is "
            f"{executor or 'not ray'}.",
            fix="add executor='ray' (--executor ray), or leave the address out.",
        )
    if executor is None:
        return workers
    if isinstance(workers, int) and workers < 1:
        raise StudyError(
            f"workers = {workers} can do no work.", where="workers", fix="give 1 or more."
        )
    if executor == "inline" and (workers.count if isinstance(workers, Crew) else workers or 1) > 1:
        raise _clash(
            "the executor 'inline' is this process alone, and several workers are asked for.",
            fix="leave workers out, or use executor='processes'.",
        )
    if executor == "inline" and order_minutes is not None:
        raise _clash(
            f"order_minutes = {order_minutes:g} cannot be kept by the executor 'inline': an order "
            "that hangs can be ended in another process alone.",
            fix="use executor='processes', or leave order_minutes out.",
        )
    if executor == "ray":
        check_cluster(address)
    return Place(executor, address, workers)  # type: ignore[arg-type]  # checked above


def _clash(problem: str, *, fix: str) -> StudyError:
    return StudyError(problem, where="--executor / executor=", fix=fix)
