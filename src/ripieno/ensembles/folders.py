"""An ensemble as a folder: versioned JSON beside a safetensors file. Nothing is pickled."""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any
from uuid import uuid4

from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor

from ripieno.ensembles.checks import FEWEST
from ripieno.ensembles.stored import Stored, plain_classes, plain_facts
from ripieno.errors import ArtifactError, EnsembleError
from ripieno.recipes import Coding

__all__ = ["read", "write"]

_VERSION = 1
_OF_FOLDS = 2
"""The version of an ensemble whose members read several preprocessings."""
_JSON = "ensemble.json"
_TENSORS = "members.safetensors"

# EnsembleError and DataError, which the checks of what is stored raise, are ValueErrors.
_UNREADABLE = (
    OSError, SafetensorError, ValueError, TypeError, KeyError, IndexError, AttributeError,
    RecursionError,
)  # fmt: skip

State = Mapping[str, Tensor]


def write(folder: str | os.PathLike[str], stored: Stored, states: Sequence[State]) -> None:
    """Write the two files, the tensors first.

    Raises:
        EnsembleError: A state holds something that is not a tensor.
        ArtifactError: The folder cannot be written.
    """
    tensors = {
        f"{index}/{name}": _standing_alone(value, f"{index}/{name}")
        for index, state in enumerate(states)
        for name, value in state.items()
    }
    target = Path(folder)
    # A name of its own for each writer: two that save at once do not mix their halves.
    mark = f".{uuid4().hex}.tmp"
    halves = {target / f"{name}{mark}": target / name for name in (_TENSORS, _JSON)}
    tensors_half, json_half = halves
    try:
        target.mkdir(parents=True, exist_ok=True)
        save_file(tensors, tensors_half)
        tree = _tree(stored, _checksum(tensors_half))
        json_half.write_text(json.dumps(tree, indent=1), encoding="utf-8")
        for half, name in halves.items():
            _to_disk(half)
            half.replace(name)
    except (OSError, SafetensorError) as error:
        raise ArtifactError(
            f"the ensemble cannot be written: {error}.",
            where=str(target),
            fix="choose a folder that can be written, on a disk with room.",
        ) from error
    finally:
        for half in halves:
            if half.is_file():
                half.unlink()


def read(folder: str | os.PathLike[str]) -> tuple[Stored, list[dict[str, Tensor]]]:
    """Read and check the two files; the second value is one state a member.

    Raises:
        ArtifactError: A file is missing, damaged or of an unknown version.
    """
    source = Path(folder)
    try:
        tree = json.loads((source / _JSON).read_text(encoding="utf-8"))
        found = _checksum(source / _TENSORS)
        stored = _stored(tree)
        if found != tree["checksum"]:
            raise ValueError(f"{_TENSORS} is not the file that {_JSON} was written with")
        states = _states(load_file(source / _TENSORS), members=len(stored.weights))
    except FileNotFoundError as error:
        raise ArtifactError(
            f"there is no ensemble: {Path(error.filename or source).name} is missing.",
            where=str(source),
            fix="pass the folder that `ensemble.save(folder)` wrote.",
        ) from error
    except _UNREADABLE as error:
        lines = str(error).splitlines() or [""]
        raise ArtifactError(
            f"the ensemble cannot be read: {type(error).__name__}: {lines[0].rstrip('.')}.",
            where=str(source),
            fix="save the ensemble again, for example from its study.",
        ) from error
    return stored, states


def _tree(stored: Stored, checksum: str) -> dict[str, Any]:
    """Return what is written as JSON: the first version, wherever it can say everything."""
    plain = all(Coding.from_dict(each) == Coding() for each in stored.codings)
    if len(stored.preprocesses) > 1 or not plain:
        return {"version": _OF_FOLDS, "checksum": checksum, **asdict(stored)}
    return {
        "version": _VERSION,
        "checksum": checksum,
        "weights": stored.weights,
        "classes": stored.classes,
        "preprocess": next(iter(stored.preprocesses), None),
        "facts": stored.facts,
    }


def _stored(tree: Mapping[str, Any]) -> Stored:
    match tree["version"]:
        case 1:
            texts = [] if tree["preprocess"] is None else [tree["preprocess"]]
            reads, codings = [0] * len(tree["weights"]), [Coding()]
        case 2:
            texts, reads = tree["preprocesses"], tree["reads"]
            codings = [Coding.from_dict(each) for each in tree.get("codings", [])] or [Coding()]
        case other:
            raise ValueError(f"version {other!r}; this Ripieno reads {_VERSION} and {_OF_FOLDS}")
    stored = Stored(
        weights=tuple(float(weight) for weight in tree["weights"]),
        classes=plain_classes(tree["classes"], fewest=FEWEST[codings[0].task]),
        preprocesses=tuple(str(text) for text in texts),
        reads=tuple(int(number) for number in reads),
        facts=tree["facts"],
        codings=tuple(each.to_dict() for each in codings),
    )
    plain_facts(stored.facts, len(stored.weights))
    return stored


def _states(tensors: State, *, members: int) -> list[dict[str, Tensor]]:
    states: list[dict[str, Tensor]] = [{} for _ in range(members)]
    for key, tensor in tensors.items():
        index, _, name = key.partition("/")
        states[int(index)][name] = tensor
    return states


def _standing_alone(value: object, name: str) -> Tensor:
    """Return a copy on the CPU that shares no memory: safetensors stores no aliases."""
    if not isinstance(value, Tensor):
        raise EnsembleError(
            f"the state of a member holds {name!r}, which is a {type(value).__name__}.",
            where="Ensemble.save",
            fix="use members whose state_dict holds tensors only, without get_extra_state.",
        )
    return value.detach().to("cpu", copy=True).contiguous()


def _checksum(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _to_disk(path: Path) -> None:
    with path.open("rb+") as file:
        os.fsync(file.fileno())
