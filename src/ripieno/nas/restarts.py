"""Several searches by gradient, from several beginnings: one search says little.

Those whose steps compute all operations, and take the weights as they are, are the rows of one
stack. The others are made one after another: a stack would compute what they leave out.
"""

from typing import Literal

from ripieno.errors import SearchError
from ripieno.nas.collapse import Guard
from ripieno.nas.enas import Enas
from ripieno.nas.relaxations import Darts, DrNas, PcDarts, Relaxation
from ripieno.nas.rows import Report, Restart, Row
from ripieno.nas.searching import check_data, method_of, watching
from ripieno.nas.stacked import StackedSearch
from ripieno.nas.weights import Settings
from ripieno.recipes import Data
from ripieno.space import Space

__all__ = ["search_supernets"]


def search_supernets(
    space: Space,
    data: Data,
    method: str | Relaxation = "darts",
    *,
    restarts: int = 16,
    width: int = 16,
    epochs: int = 50,
    batch_size: int = 64,
    lr: float = 0.025,
    momentum: float = 0.9,
    weight_decay: float = 3e-4,
    alpha_lr: float = 3e-3,
    clip: float = 5.0,
    guard: Guard | Literal["usual"] | None = "usual",
    seed: int = 0,
    report: Report | None = None,
) -> tuple[Restart, ...]:
    """Search a space of cells several times, and return what was found, the best first.

    Each search is that of :func:`search_supernet` with its own seed, up to rounding. Those by
    ``darts``, ``pc_darts`` and ``drnas`` are rows of one stack, the others are made one after
    another.

    Args:
        space: As for :func:`search_supernet`, like all that is not explained here.
        data: Images and their classes, in memory.
        method: The relaxation.
        restarts: How many searches.
        width: Rows of a stack at most: it takes the memory of so many supernets.
        epochs: Of each search.
        batch_size: Rows of a batch of either half.
        lr: Of the weights, at the beginning.
        momentum: Of the weights.
        weight_decay: Of the weights.
        alpha_lr: Of the alphas.
        clip: The norm of the weights' gradient at most.
        guard: What stops a search that collapses.
        seed: Of the first search; each further one has the next number.
        report: Called with its seed after every epoch of every search.

    Returns:
        The searches by :attr:`Restart.loss`. One whose loss was not finite is left out.

    Raises:
        DataError, SpaceError: As :func:`search_supernet`.
        SearchError: As there, where no search is left; or there are no restarts.
    """
    relaxation = _relaxation(method)
    check_data(data)
    if restarts < 1 or width < 1:
        raise SearchError(
            f"restarts = {restarts} with width = {width} make no search.",
            where="search_supernets(restarts=…, width=…)",
            fix="give whole numbers of at least 1.",
        )
    settings = Settings(epochs, batch_size, lr, momentum, weight_decay, clip)
    watched = watching(guard, relaxation)
    at_once = width if _stackable(relaxation) else 1
    ended: list[Restart | SearchError] = []
    for first in range(0, restarts, at_once):
        rows = [
            Row(
                space, data, relaxation, settings=settings, alpha_lr=alpha_lr,
                seed=seed + number, report=report,
            )
            for number in range(first, min(first + at_once, restarts))
        ]  # fmt: skip
        ended += StackedSearch(rows).run(watched) if len(rows) > 1 else [rows[0].alone(watched)]
    made = [restart for restart in ended if isinstance(restart, Restart)]
    if not made:
        raise next(error for error in ended if isinstance(error, SearchError))
    return tuple(sorted(made, key=lambda restart: restart.loss))


def _relaxation(method: str | Relaxation) -> Relaxation:
    way = method_of(method)
    if isinstance(way, Enas):
        raise SearchError(
            "a controller is searched with once, and has no restarts.",
            where=f"search_supernets(method={method!r})",
            fix="name a method by gradient, or call search_supernet with several seeds.",
        )
    return way


def _stackable(relaxation: Relaxation) -> bool:
    return isinstance(relaxation, Darts | PcDarts | DrNas) and relaxation.order == 1
