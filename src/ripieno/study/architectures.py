"""From data to a study of networks whose architecture was searched."""

import json
import math
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

from ripieno.errors import StudyError
from ripieno.nas import (
    METHODS,
    Found,
    SearchEpoch,
    cell_space,
    darts_space,
    macro_space,
    nas,
    search_supernet,
)
from ripieno.recipes import Data, Reading
from ripieno.space import Space
from ripieno.study.inputs import DataInput, read_data, refuse_said_twice
from ripieno.study.places import find_place
from ripieno.study.starting import tune
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
    trials: int | None = None,
    image_size: int | tuple[int, int] | None = None,
    seed: int = 0,
    report: Callable[[SearchEpoch], None] | None = None,
    **training: Any,
) -> Study:
    """Search an architecture for images, train what was found from scratch, and keep it.

    A method with a supernet searches it on the training part, and its architecture is then
    tuned: trial 0 trains it with the usual hyperparameters, further trials with others. By any
    other method, architecture and training are searched together, as ``tune("nas", …)`` does.

    Args:
        data: As for :func:`tune`.
        space: ``cell`` (NAS-Bench-201), ``darts`` or ``macro``, or a space of architectures.
        method: ``darts``, ``darts2``, ``gdas``, ``pc_darts``, ``drnas`` or ``enas``, with a
            supernet; or a searcher by name, such as ``evolution`` or ``localsearch``.
        search_epochs: Of the supernet.
        trials: Configs to train; with a supernet 1 where absent.
        image_size: As for :func:`tune`.
        seed: Of the split, the search and every trial.
        report: Called after every epoch of the supernet.
        training: What else :func:`tune` takes: ``epochs``, ``minutes``, ``metric``, ``out``, …

    Returns:
        The study. Its folder also holds ``architecture.json``: how a search of a supernet went.

    Raises:
        DataError, SpaceError, RecipeError, SearchError, StudyError: As :func:`tune`, and for
            a space or a method that does not exist or do not go together.
    """
    architectures = _space(space)
    # The search comes first and takes long; what cannot be trained after it is said before.
    find_place(
        training.get("executor"),
        training.get("address"),
        training.get("workers"),
        order_minutes=training.get("order_minutes"),
    )
    reading = Reading(image_size=image_size)
    refuse_said_twice(data, reading)
    read, _ = read_data(data, reading, seed=seed)
    together = nas(read, architectures).space
    told: dict[str, Any] = {**training, "image_size": image_size, "seed": seed}
    if method not in METHODS:
        return tune("nas", data, together, searcher=method, trials=trials, **told)
    found = search_supernet(
        architectures, read, method, epochs=search_epochs, seed=seed, report=report
    )
    study = tune("nas", data, together, fixed=found.config, trials=trials or 1, **told)
    if study.folder is not None:
        _write(study.folder.architecture, found, method=method, data=read)
    return study


def _space(space: str | Space) -> Space:
    if isinstance(space, Space):
        return space
    if space not in _SPACES:
        raise StudyError(
            f"there is no space of architectures {space!r}.",
            where=f"spaces: {', '.join(_SPACES)}",
            fix="name one of these, or pass cell_space(…), darts_space(…) or macro_space(…).",
        )
    return _SPACES[space]()


def _write(path: Path, found: Found, *, method: str, data: Data) -> None:
    epochs = [
        {
            "train_loss": _finite(epoch.train_loss),
            "loss": _finite(epoch.loss),
            "skips": epoch.skips,
            "eigenvalue": _finite(epoch.eigenvalue),
            "config": dict(epoch.config),
        }
        for epoch in found.epochs
    ]
    facts = {
        "method": method,
        "data": data.name,
        "config": dict(found.config),
        "stopped": found.stopped,
        "epochs": epochs,
    }
    path.write_text(json.dumps(facts, indent=2) + "\n")


def _finite(value: float | None) -> float | None:
    return value if value is not None and math.isfinite(value) else None
