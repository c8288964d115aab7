"""A whole search over a problem, on simulated workers: hours in seconds.

The front of the simulator: a problem, a searcher, a scheduler and some workers, by name or as
objects, and back come the best-so-far curve, the use of the workers, and the orders.
"""

from ripieno.errors import SearchError
from ripieno.schedulers import Scheduler, make_scheduler
from ripieno.searchers import Searcher, choose_searcher, make_searcher
from ripieno.testing.cluster import Cluster
from ripieno.testing.problem import Problem
from ripieno.testing.virtual import Simulation, simulate_cluster

__all__ = ["simulate"]


def simulate(
    problem: Problem,
    *,
    searcher: str | Searcher = "random",
    scheduler: str | Scheduler = "full",
    trials: int | None = None,
    most_orders: int | None = None,
    most_epochs: int | None = None,
    most_seconds: float | None = None,
    workers: int = 1,
    failures: float = 0.0,
    lost: float = 0.0,
    stragglers: float = 0.0,
    slowdown: float = 10.0,
    tail: float | None = None,
    seed: int = 0,
    keep_record: bool = True,
) -> Simulation:
    """Search a problem on simulated workers, with the real searcher and scheduler.

    The same arguments give the same search, in any process: what a trial gives, who fails and
    who straggles depends on the seed, the trial and the order alone, and the clock is virtual.

    Args:
        problem: The table or function that stands instead of training.
        searcher: By name, as in ``rp.search``, or a fresh one of your own.
        scheduler: By name, as in ``rp.search``, or a fresh one of your own, which has a
            searcher of its own: ``searcher`` and ``trials`` then mean nothing.
        trials: Configs that are started at most; None for no limit.
        most_orders: No more orders are given than that.
        most_epochs: No more orders are given once those given have as many epochs.
        most_seconds: No more orders are given from then on, by the virtual clock.
        workers: How many orders may be out at once.
        failures: Share of the orders that fail; see :class:`Cluster`, as for the next four.
        lost: Share of the attempts at an order that are lost with their worker.
        stragglers: Share of the orders that meet a slow worker.
        slowdown: How many times as long an order takes there, at least.
        tail: Exponent of the slowdown's Pareto tail; None for no tail.
        seed: Of the searcher, the scheduler, the repeats and the workers' misfortunes.
        keep_record: Keep all orders and outcomes with their times.

    Raises:
        SearchError: There is no searcher or scheduler of that name, a number is out of
            range, or nothing limits a search that would have no end.
    """
    if isinstance(scheduler, str):
        if isinstance(searcher, str):
            if searcher != "grid" and scheduler != "pbt":
                _check_limits(problem, trials, most_orders, most_epochs, most_seconds)
            if searcher == "auto":
                searcher = choose_searcher(problem.space, trials=trials).name
            searcher = make_searcher(
                searcher, problem.space, seed=seed, objective=problem.objective
            )
        scheduler = make_scheduler(
            scheduler,
            searcher,
            problem.objective,
            epochs=problem.epochs,
            trials=trials,
            space=problem.space,
            seed=seed,
        )
    cluster = Cluster(
        workers,
        metrics=lambda order, epoch: problem.row(order, epoch, seed=seed),
        seconds=lambda order: order.epochs * problem.seconds(order.config),
        failures=failures,
        lost=lost,
        stragglers=stragglers,
        slowdown=slowdown,
        tail=tail,
        seed=seed,
    )
    return simulate_cluster(
        scheduler,
        cluster,
        objective=problem.objective,
        most_orders=most_orders,
        most_epochs=most_epochs,
        most_seconds=most_seconds,
        keep_record=keep_record,
    )


def _check_limits(problem: Problem, *limits: float | None) -> None:
    if all(limit is None for limit in limits):
        raise SearchError(
            "nothing limits the search, and its searcher is never exhausted.",
            where=f"simulate({problem.name!r})",
            fix="give trials=, most_orders=, most_epochs= or most_seconds=.",
        )
