"""Members built again from their configs and given their tensors."""

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, nullcontext
from functools import partial
from types import MappingProxyType
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_parameter_registration_hook

from ripieno.ensembles.calibrators import CALIBRATORS
from ripieno.ensembles.combiners import RULES
from ripieno.ensembles.grouped_rule import GroupedRule
from ripieno.ensembles.rules import Rule
from ripieno.ensembles.stored import Stored
from ripieno.errors import EnsembleError, RipienoError
from ripieno.nas import ArchitectureFactory
from ripieno.recipes import CnnFactory, MlpFactory, ResnetFactory
from ripieno.space import Config

__all__ = ["rebuild", "rebuild_parts"]

_Factory = Callable[[Config], nn.Module]
_BUILT_IN: Mapping[str, Callable[[tuple[int, ...], int], _Factory]] = MappingProxyType(
    {
        "cnn": CnnFactory,
        "mlp": MlpFactory,
        "nas": ArchitectureFactory,
        "resnet": ResnetFactory,
    }
)
_FIX = "load with the model factory, and the version of it, that was searched."


def rebuild(
    stored: Stored,
    states: Sequence[Mapping[str, Tensor]],
    model: Callable[[Config], nn.Module] | None,
) -> list[nn.Module]:
    """Build each member from its config and give it its tensors.

    Args:
        stored: What was kept beside the tensors.
        states: One state a member.
        model: The user's factory; None builds with the built-in recipes.

    Raises:
        EnsembleError: A member cannot be built, or does not fit its tensors.
    """
    members = []
    for part, state in zip(stored.facts["members"], states, strict=True):
        room = sum(tensor.numel() for tensor in state.values())
        module = _build(stored, part, model, room=room)
        kinds = {tensor.dtype for tensor in state.values() if tensor.is_floating_point()}
        if len(kinds) == 1:
            # Else a member trained in float64 would be rounded to float32 without a word.
            module.to(kinds.pop())
        try:
            module.load_state_dict(state)
        except RuntimeError as error:
            raise EnsembleError(
                f"member {part['id']!r} does not fit its stored tensors: {_first_line(error)}",
                where=f"a member of recipe {part['recipe']!r}, {Config(part['config'])}",
                fix=_FIX,
            ) from error
        members.append(module)
    return members


def rebuild_parts(
    stored: Stored,
    tensors: Mapping[str, Mapping[str, Tensor]],
    *,
    rule: Callable[..., Rule] | None,
    embed: nn.Module | None,
) -> dict[str, Any]:
    """Build rule, calibrator and embedding again: arguments of an ensemble.

    Args:
        stored: What was kept beside the tensors.
        tensors: Those of ``rule``, ``calibrator`` and ``embed``, by their names.
        rule: The class of a user's own rule.
        embed: A module that is given the stored tensors.

    Raises:
        EnsembleError: The rule or the embedding is not here, or does not fit.
    """
    parts: dict[str, Any] = {"rule": None, "calibrator": None, "embed": embed}
    if stored.rule is not None:
        known: dict[str, Callable[..., Rule]] = dict(RULES)
        known[GroupedRule.name] = partial(GroupedRule.rebuilt, RULES)
        make = rule or known.get(stored.rule["name"])
        parts["rule"] = _part(make, stored.rule, tensors["rule"])
    if stored.calibrator is not None:
        made = dict(CALIBRATORS).get(stored.calibrator["name"])
        parts["calibrator"] = _part(made, stored.calibrator, tensors["calibrator"])
    if tensors["embed"] or embed is not None:
        _load_embedding(embed, tensors["embed"])
    return parts


def _part(
    make: Callable[..., nn.Module] | None, kept: Mapping[str, Any], own: Mapping[str, Tensor]
) -> nn.Module:
    try:
        if make is not None:
            return make(**kept["options"], **own)
    except TypeError as error:
        reason = f": {_first_line(error)}"
    else:
        reason = " of this Ripieno"
    raise EnsembleError(
        f"{kept['name']!r} is no rule or calibrator{reason}.",
        where="Ensemble.load(folder)",
        fix="pass the class of your own rule: Ensemble.load(folder, rule=MyRule).",
    )


def _load_embedding(embed: nn.Module | None, state: Mapping[str, Tensor]) -> None:
    try:
        if embed is not None:
            embed.load_state_dict(state)
            return
    except RuntimeError as error:
        problem = f"the embedding does not fit its stored tensors: {_first_line(error)}"
    else:
        problem = "the ensemble reads an embedding, whose module is not stored with it."
    raise EnsembleError(
        problem,
        where="Ensemble.load(folder, embed=…)",
        fix="pass a module like the one that the ensemble was made with.",
    )


def _build(
    stored: Stored,
    part: Mapping[str, Any],
    model: Callable[[Config], nn.Module] | None,
    *,
    room: int,
) -> nn.Module:
    config = Config(part["config"])
    factory = model or _built_in(stored, part)
    bounded = _no_larger(room) if model is None else nullcontext()
    try:
        # Constructors draw initial weights; they are overwritten, and the caller's draws kept.
        with torch.random.fork_rng(devices=[]), bounded:
            module = factory(config)
    except RipienoError:
        raise
    except Exception as error:  # the user's own code may raise anything
        raise EnsembleError(
            f"member {part['id']!r} cannot be built: {type(error).__name__}: {_first_line(error)}",
            where=f"{part['recipe']!r}, {config}",
            fix=_FIX,
        ) from error
    if not isinstance(module, nn.Module):
        raise EnsembleError(
            f"the model factory returned a {type(module).__name__}, not an nn.Module.",
            where=f"member {part['id']!r}, {config}",
            fix=_FIX,
        )
    return module


@contextmanager
def _no_larger(numbers: int) -> Iterator[None]:
    """Stop a network that grows beyond its stored tensors before its memory is touched.

    A config of somebody else's may ask for a width that no machine has room for.

    Args:
        numbers: How many numbers the stored tensors hold.
    """
    left, mine = numbers, threading.get_ident()

    def count(module: nn.Module, name: str, value: nn.Parameter | None) -> None:
        nonlocal left
        if value is None or threading.get_ident() != mine:  # the hook is every thread's
            return
        left -= value.numel()
        if left < 0:
            raise EnsembleError(
                f"a member does not fit its stored tensors: its config asks for a larger network "
                f"than their {numbers:,} numbers.",
                where=f"{type(module).__name__}.{name}, of shape {tuple(value.shape)}",
                fix=_FIX,
            )

    handle = register_module_parameter_registration_hook(count)
    try:
        yield
    finally:
        handle.remove()


def _built_in(stored: Stored, part: Mapping[str, Any]) -> Callable[[Config], nn.Module]:
    try:
        factory = _BUILT_IN[part["recipe"]]
    except KeyError:
        raise EnsembleError(
            f"member {part['id']!r} was built by {part['recipe']!r}, which is not stored "
            "with the ensemble.",
            where="Ensemble.load(folder)",
            fix="pass the factory that the search was given: Ensemble.load(folder, model).",
        ) from None
    shape, classes = tuple(stored.facts["input_shape"]), len(stored.classes)
    if factory is MlpFactory:
        return MlpFactory(shape, classes, **_of_columns(stored.facts))
    return factory(shape, classes)


def _of_columns(facts: Mapping[str, Any]) -> dict[str, Any]:
    """Return what a network of a table knows of its columns.

    Raises:
        EnsembleError: The facts hold something else.
    """
    numbers, cardinalities = facts.get("numbers", 0), facts.get("cardinalities", [])
    counts = [numbers, *cardinalities] if isinstance(cardinalities, list | tuple) else [None]
    if not all(type(count) is int and count >= 0 for count in counts):
        raise EnsembleError(
            f"the columns of the members are said to be {str(numbers)[:40]} numbers and "
            f"{str(cardinalities)[:40]} categories.",
            where="Ensemble.load(folder)",
            fix="save the ensemble again, for example from its study.",
        )
    return {"numbers": numbers, "cardinalities": tuple(cardinalities)}


def _first_line(error: BaseException) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    # torch heads its list of misfits with a line that names only the class.
    return (lines[1] if len(lines) > 1 and lines[0].endswith(":") else lines[0]) if lines else ""
