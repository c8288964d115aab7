"""From data to a study of networks whose architecture was searched."""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ripieno.errors import StudyError
from ripieno.nas import (
    METHODS,
    Found,
    Restart,
    SearchEpoch,
    cell_space,
    darts_space,
    macro_space,
    nas,
    search_supernet,
    search_supernets,
    suited,
)
from ripieno.recipes import Data, Reading, check_device
from ripieno.space import Space
from ripieno.study.driving import is_run
from ripieno.study.folder import Folder
from ripieno.study.inputs import DataInput, read_data, refuse_said_twice
from ripieno.study.places import find_place
from ripieno.study.starting import IN_MEMORY, tune
from ripieno.study.study import Study

__all__ = ["find_architecture"]

_SPACES: Mapping[str, Callable[..., Space]] = MappingProxyType(
    {"cell": cell_space, "darts": darts_space, "macro": macro_space}
)


def find_architecture(
    data: DataInput,
    space: str | Space = "cell",
    method: str = "darts",
    *,
    search_epochs: int = 50,
    restarts: int = 1,
    trials: int | None = None,
    image_size: int | tuple[int, int] | None = None,
    seed: int = 0,
    report: Callable[[SearchEpoch], None] | None = None,
    **training: Any,
) -> Study:
    """Search an architecture for images, train what was found from scratch, and keep it.

    A method with a supernet searches it on the training part, and its architecture is then
    tuned: trial 0 trains it with the usual hyperparameters, further trials with others. With
    several restarts every architecture that was found is trained with the usual ones first, and
    further trials search both together. By any other method, architecture and training are
    searched together from the start, as ``tune("nas", …)`` does.

    Args:
        data: As for :func:`tune`.
        space: ``cell`` (NAS-Bench-201), ``darts`` or ``macro``, or a space of architectures.
        method: ``darts``, ``darts2``, ``gdas``, ``pc_darts``, ``drnas`` or ``enas``, with a
            supernet; or a searcher by name, such as ``evolution`` or ``localsearch``.
        search_epochs: Of the supernet.
        restarts: Supernets, each from another beginning: see :func:`search_supernets`.
        trials: Configs to train; with a supernet as many as were found where absent.
        image_size: As for :func:`tune`.
        seed: Of the split, the search and every trial.
        report: Called after every epoch of the (first) supernet.
        training: What else :func:`tune` takes: ``epochs``, ``minutes``, ``metric``, ``out``, …

    Returns:
        The study. Its folder also holds ``architecture.json``: how a search of a supernet went.

    Raises:
        DataError, SpaceError, RecipeError, SearchError, StudyError: As :func:`tune`, and for
            a space or a method that does not exist or do not go together.
    """
    make = _maker(space, method)
    # The search comes first and takes long; what cannot be trained after it is said before.
    find_place(
        training.get("executor"),
        training.get("address"),
        training.get("workers"),
        order_minutes=training.get("order_minutes"),
    )
    if method in METHODS:
        _refuse_folder(**training)
    check_device(
        training.get("device", "auto"),
        devices=training.get("devices", 1),
        executor=training.get("executor"),
    )
    reading = Reading(image_size=image_size)
    refuse_said_twice(data, reading)
    read, _ = read_data(data, reading, seed=seed)
    architectures = make(read.shape)
    together = nas(read, architectures).space
    told: dict[str, Any] = {**training, "image_size": image_size, "seed": seed}
    if method not in METHODS:
        return tune("nas", data, together, searcher=method, trials=trials, **told)
    options: dict[str, Any] = {"epochs": search_epochs, "seed": seed}
    if restarts == 1:
        found = search_supernet(architectures, read, method, report=report, **options)
        several: Sequence[Restart] = ()
    else:
        several = search_supernets(
            architectures, read, method, restarts=restarts, report=_of_first(seed, report),
            **options,
        )  # fmt: skip
        found = several[0].found
    configs = list(dict.fromkeys([found.config, *(restart.found.config for restart in several)]))
    if len(configs) == 1:
        study = tune("nas", data, together, fixed=found.config, trials=trials or 1, **told)
    else:
        most = trials or len(configs)
        study = tune("nas", data, together, enqueue=configs[:most], trials=most, **told)
    if study.folder is not None:
        _write(study.folder.architecture, found, several, method=method, data=read)
    return study


def _of_first(
    seed: int, report: Callable[[SearchEpoch], None] | None
) -> Callable[[int, SearchEpoch], None] | None:
    """Return what is told of all searches, and passes on the epochs of the first one."""
    if report is None:
        return None

    def told(own: int, epoch: SearchEpoch) -> None:
        if own == seed:
            report(epoch)

    return told


def _maker(space: str | Space, method: str) -> Callable[[tuple[int, ...]], Space]:
    """Return what makes the space that suits images of a shape."""
    if isinstance(space, Space):
        return lambda _shape: space
    if space not in _SPACES:
        raise StudyError(
            f"there is no space of architectures {space!r}.",
            where=f"spaces: {', '.join(_SPACES)}",
            fix="name one of these, or pass cell_space(…), darts_space(…) or macro_space(…).",
        )
    if space == "macro" and method in METHODS:
        raise StudyError(
            f"the space 'macro' has no supernet, in which {method!r} could search.",
            where=f"space = {space!r}, method = {method!r}",
            fix="search it with evolution or localsearch, or name the space cell or darts.",
        )
    return lambda shape: _SPACES[space](**suited(space, shape))


def _refuse_folder(
    *,
    out: str | Path | None = None,
    storage: str | None = None,
    artifacts: str | None = None,
    overwrite: bool = False,
    **_: object,
) -> None:
    """Refuse a folder that the study could not begin in, unless it is the one that runs there."""
    if out is None or out == IN_MEMORY:
        return
    folder = Folder(Path(out), storage, artifacts)
    if not (folder.holds_study and is_run(folder.url)):
        folder.refuse_if_taken(overwrite=overwrite)


def _write(
    path: Path, found: Found, several: Sequence[Restart], *, method: str, data: Data
) -> None:
    """Write down the best search epoch by epoch, and of several what each has found."""
    epochs = [
        {
            "train_loss": _finite(epoch.train_loss),
            "loss": _finite(epoch.loss),
            "skips": epoch.skips,
            "idle": epoch.idle,
            "eigenvalue": _finite(epoch.eigenvalue),
            "config": dict(epoch.config),
        }
        for epoch in found.epochs
    ]
    restarts = [
        {
            "seed": restart.seed,
            "loss": _finite(restart.loss),
            "stopped": restart.found.stopped,
            "config": dict(restart.found.config),
        }
        for restart in several
    ]
    facts = {
        "method": method,
        "data": data.name,
        "config": dict(found.config),
        "stopped": found.stopped,
        "epochs": epochs,
        "restarts": restarts,
    }
    path.write_text(json.dumps(facts, indent=2) + "\n")


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
