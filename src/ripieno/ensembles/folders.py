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
_OF_RULES = 3
"""The version of one that is more than a soft vote."""
_PARTS = ("rule", "calibrator", "embed")
_JSON = "ensemble.json"
_TENSORS = "members.safetensors"

# EnsembleError and DataError, which the checks of what is stored raise, are ValueErrors.
_UNREADABLE = (
    OSError, SafetensorError, ValueError, TypeError, KeyError, IndexError, AttributeError,
    RecursionError, OverflowError,
)  # fmt: skip

State = Mapping[str, Tensor]


def write(
    folder: str | os.PathLike[str],
    stored: Stored,
    states: Sequence[State],
    *,
    parts: Mapping[str, State],
) -> None:
    """Write the two files, the tensors first.

    Args:
        folder: The folder; made if need be.
        stored: What is kept beside the tensors.
        states: One a member.
        parts: Tensors of ``rule``, ``calibrator`` and ``embed``.

    Raises:
        EnsembleError: A state holds something that is not a tensor.
        ArtifactError: The folder cannot be written.
    """
    whose = {**{str(index): state for index, state in enumerate(states)}, **parts}
    tensors = {
        f"{owner}/{name}": _standing_alone(value, f"{owner}/{name}")
        for owner, state in whose.items()
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
        more = any(parts.values()) or stored.calibrator is not None
        tree = _tree(stored, _checksum(tensors_half), more=more)
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


def read(
    folder: str | os.PathLike[str],
) -> tuple[Stored, list[dict[str, Tensor]], dict[str, dict[str, Tensor]]]:
    """Read and check the two files.

    Returns:
        What was kept beside the tensors, one state a member, and the tensors of ``rule``,
        ``calibrator`` and ``embed`` by their names.

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
        states, parts = _states(load_file(source / _TENSORS), members=len(stored.weights))
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
    return stored, states, parts


def _tree(stored: Stored, checksum: str, *, more: bool) -> dict[str, Any]:
    """Return what is written as JSON: the first version, wherever it can say everything."""
    if more or (stored.rule is not None and stored.rule["name"] != "soft"):
        return {"version": _OF_RULES, "checksum": checksum, **asdict(stored)}
    plain = all(Coding.from_dict(each) == Coding() for each in stored.codings)
    if len(stored.preprocesses) > 1 or not plain:
        kept = {name: value for name, value in asdict(stored).items() if name not in _PARTS}
        return {"version": _OF_FOLDS, "checksum": checksum, **kept}
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
        case 2 | 3:
            texts, reads = tree["preprocesses"], tree["reads"]
            codings = [Coding.from_dict(each) for each in tree.get("codings", [])] or [Coding()]
        case other:
            raise ValueError(f"version {other!r}; this Ripieno reads {_VERSION} to {_OF_RULES}")
    return Stored(
        weights=tuple(float(weight) for weight in tree["weights"]),
        classes=plain_classes(tree["classes"], fewest=FEWEST[codings[0].task]),
        preprocesses=tuple(str(text) for text in texts),
        reads=tuple(int(number) for number in reads),
        facts=plain_facts(tree["facts"], len(tree["weights"])),
        codings=tuple(each.to_dict() for each in codings),
        rule=_kept(tree.get("rule")),
        calibrator=_kept(tree.get("calibrator")),
    )


def _kept(part: Mapping[str, Any] | None) -> dict[str, Any] | None:
    return None if part is None else {"name": str(part["name"]), "options": dict(part["options"])}


def _states(
    tensors: State, *, members: int
) -> tuple[list[dict[str, Tensor]], dict[str, dict[str, Tensor]]]:
    states: list[dict[str, Tensor]] = [{} for _ in range(members)]
    parts: dict[str, dict[str, Tensor]] = {name: {} for name in _PARTS}
    for key, tensor in tensors.items():
        owner, _, name = key.partition("/")
        (parts[owner] if owner in parts else states[int(owner)])[name] = tensor
    return states, parts


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
