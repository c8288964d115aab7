"""The rows of a population: every array that has a member axis, registered by name.

========================  ==========================================================
``model/<name>``          a parameter or buffer of the module, ``(members, ...)``
``optimizer/<name>/<s>``  what the optimizer keeps for a parameter, ``(members, ...)``
``row/<slot>``            what is kept for a row, ``(members,)``; of knobs that tune themselves
                          and are several numbers ``(members, numbers)``
``steps``                 steps that the optimizer has taken, int64, ``(members,)``
``number/<path>``         dropout rates, momenta of batch norms and slopes of leaky ReLUs,
                          float64, ``(members,)``
``hyper/<name>``          hyperparameters of training, float64, ``(members, ...)``
``flat/…``                only in a flat stack: see :meth:`Stack.flat`
========================  ==========================================================

A slot operation is one indexing of each of them, whatever it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Self

import torch
from torch import Tensor, nn

from ripieno.errors import RecipeError
from ripieno.population.optimizers import Optimizer
from ripieno.population.signature import difference, row_numbers
from ripieno.recipes import DecayGroups, State, depths, tuned_groups, unit_axes

__all__ = ["Layout", "Stack", "arrays_apart"]

_MODEL, _OPTIMIZER, _ROW, _NUMBER, _HYPER = "model/", "optimizer/", "row/", "number/", "hyper/"
_FLAT = "flat/"
_LARGEST_FLAT = 4_000_000
"""Trained numbers of all rows beyond which a stack is not laid out flat."""


@dataclass(frozen=True, slots=True)
class Layout:
    """What the rows of a stack have in common.

    Args:
        trained: Names of the parameters that are trained, in the module's order.
        buffers: Names of the buffers.
        saved: For every name in the module's ``state_dict``, the name of the array that
            holds it; tied parameters are held once.
        optimizer: The optimizer of all rows.
        units: The axis that counts the units of each weight that leads into units.
        depths: Distance from the head of each parameter of a backbone.
        decays: What tunes weight decays of several groups of parameters, by its name, and the
            groups; None where there is one for all.
    """

    trained: tuple[str, ...]
    buffers: tuple[str, ...]
    saved: Mapping[str, str]
    optimizer: Optimizer
    units: Mapping[str, int] = field(default_factory=dict)
    depths: Mapping[str, int] = field(default_factory=dict)
    decays: tuple[str, DecayGroups] | None = None

    @classmethod
    def of(cls, model: nn.Module, optimizer: Optimizer) -> Self:
        """Read the layout off any row's model."""
        first: dict[int, str] = {}
        for name, tensor in [
            *model.named_parameters(remove_duplicate=False),
            *model.named_buffers(remove_duplicate=False),
        ]:
            first.setdefault(id(tensor), name)
        state = model.state_dict(keep_vars=True)
        trained = tuple(name for name, p in model.named_parameters() if p.requires_grad)
        return cls(
            trained=trained,
            buffers=tuple(name for name, _ in model.named_buffers()),
            saved={name: first[id(tensor)] for name, tensor in state.items()},
            optimizer=optimizer,
            units=unit_axes(model),
            depths=depths(model),
            decays=tuned_groups(optimizer.tuned, trained),
        )


@dataclass(frozen=True, slots=True)
class Stack:
    """A population.

    Args:
        layout: What the rows have in common.
        arrays: Every array by name, the member axis first, contiguous.
    """

    layout: Layout
    arrays: Mapping[str, Tensor]

    @classmethod
    def of(
        cls, models: Sequence[nn.Module], optimizer: Optimizer, hyper: Mapping[str, Tensor]
    ) -> Self:
        """Stack models that differ in nothing but numbers; they are copied.

        Args:
            models: One a row, all of one signature.
            optimizer: The optimizer of all rows; it starts fresh.
            hyper: Hyperparameters by name, ``(members, ...)``: the optimizer's own, and
                those that the step reads.

        Raises:
            RecipeError: The models cannot be rows of one stack.
        """
        layout = Layout.of(models[0], optimizer)
        for row, model in enumerate(models[1:], 1):
            found = difference(models[0], model)
            if found is not None:
                raise RecipeError(
                    f"models 0 and {row} cannot be stacked: {found}.",
                    where="Stack.of",
                    fix="group the models by signature() first.",
                )
        rows = [{**dict(m.named_parameters()), **dict(m.named_buffers())} for m in models]
        arrays = {_MODEL + n: torch.stack([r[n].detach() for r in rows]) for n in rows[0]}
        numbers = [row_numbers(model) for model in models]
        for name in numbers[0]:
            arrays[_NUMBER + name] = torch.tensor([n[name] for n in numbers], dtype=torch.float64)
        arrays |= {_HYPER + name: values.double() for name, values in hyper.items()}
        stack = cls(layout=layout, arrays=arrays)
        return replace(stack, arrays={**arrays, **stack._fresh()})

    @property
    def members(self) -> int:
        """Number of rows."""
        return len(self.arrays["steps"])

    @property
    def hyper(self) -> dict[str, Tensor]:
        """Hyperparameters of training by name, ``(members, ...)``."""
        return self.named(_HYPER)

    def named(self, prefix: str) -> dict[str, Tensor]:
        """Return the arrays of one kind, by what follows the prefix."""
        found = self.arrays.items()
        return {n.removeprefix(prefix): a for n, a in found if n.startswith(prefix)}

    def select(self, rows: Tensor) -> Self:
        """Return a stack of some rows, in the order given; a row may be taken twice.

        Args:
            rows: int64, shape ``(new members,)``.
        """
        return replace(self, arrays={n: a.index_select(0, rows) for n, a in self._owned()})

    def flat(self) -> Self:
        """Return the same stack with all trained parameters side by side in one array.

        ``flat/model`` and ``flat/<slot>`` are ``(members, numbers)``: each row's trained
        parameters, and what the optimizer keeps for them, in the layout's order; the
        single arrays are views of these. An update is then a handful of operations on one
        array instead of a handful for each parameter. A large stack stays as it is: there
        the operations themselves take the time, and would take more memory.
        """
        layout, arrays = self.layout, dict(self._owned())
        numbers = sum(arrays[_MODEL + name].numel() for name in layout.trained)
        if not 0 < numbers <= _LARGEST_FLAT:
            return replace(self, arrays=arrays)
        slots = [layout.optimizer.kept_for(n) for n in layout.trained]
        if any(own != slots[0] for own in slots):
            return replace(self, arrays=arrays)
        held = {"model": [_MODEL + n for n in layout.trained]}
        for slot in slots[0]:
            held[slot] = [f"{_OPTIMIZER}{n}/{slot}" for n in layout.trained]
        for kind, names in held.items():
            parts = [arrays[name].flatten(1) for name in names]
            # Unlike types would be changed by being joined.
            if len({part.dtype for part in parts}) != 1:
                return replace(self, arrays=arrays)
            whole = arrays[_FLAT + kind] = torch.cat(parts, 1)
            views = torch.split(whole, [part.shape[1] for part in parts], 1)
            for name, view in zip(names, views, strict=True):
                arrays[name] = view.view(arrays[name].shape)
        return replace(self, arrays=arrays)

    def to(self, device: torch.device) -> Self:
        """Return the same stack on a device; itself if it is there."""
        if self.arrays["steps"].device == device:
            return self
        return replace(self, arrays={name: array.to(device) for name, array in self._owned()})

    def copy(self) -> Self:
        """Return a copy, every array in memory of its own."""
        return replace(self, arrays=arrays_apart(self.arrays))

    def apart(self) -> Self:
        """Return the same stack with every array in memory of its own."""
        return self.copy() if any(name.startswith(_FLAT) for name in self.arrays) else self

    def fork(self, *, losers: Tensor, parents: Tensor) -> None:
        """Overwrite rows with copies of others, optimizer state and numbers included.

        Parents are read as they were before the fork, also where one is a loser itself.

        Args:
            losers: Rows to overwrite, int64, shape ``(forks,)``, no row twice.
            parents: Rows to read, int64, shape ``(forks,)``, repeats allowed.
        """
        for _, array in self._owned():
            # index_select copies before anything is written.
            array.index_copy_(0, losers, array.index_select(0, parents))

    def extract(self, row: int, *, epoch: int) -> State:
        """Copy a row out: an ordinary ``state_dict`` and ``torch.optim`` state.

        Args:
            row: Which one.
            epoch: Epochs that the row has been trained for.
        """
        layout = self.layout
        model = {n: self.arrays[_MODEL + held][row].clone() for n, held in layout.saved.items()}
        optimizer = {}
        if self.arrays["steps"][row] > 0:
            kept = {name: self._kept_by(row, name) for name in layout.trained}
            optimizer = {
                name: self._slots(row, name, slots) for name, slots in kept.items() if slots
            }
        return State(model=model, optimizer=optimizer, epoch=epoch)

    def insert(self, row: int, state: State) -> None:
        """Overwrite a row's model and optimizer state; its numbers and hyperparameters stay.

        A parameter whose state lacks something that the optimizer keeps for this row starts
        without any, as a fork does that changes its optimizer.

        Args:
            row: Which one.
            state: What :meth:`extract` returned, or the one-model trainer stored.

        Raises:
            RecipeError: The state is that of another module.
        """
        layout = self.layout
        wrong = sorted(set(layout.saved) ^ set(state.model))
        wrong += [n for n, held in layout.saved.items() if n not in wrong
                  and state.model[n].shape != self.arrays[_MODEL + held].shape[1:]]  # fmt: skip
        if wrong:
            raise RecipeError(
                f"the stored state does not fit the model at {wrong[0]!r}.",
                where="Stack.insert",
                fix="continue a trial with the model that it was started with.",
            )
        for name, held in layout.saved.items():
            self.arrays[_MODEL + held][row].copy_(state.model[name])
        self.restart(row)
        for name in layout.trained:
            kept, wanted = state.optimizer.get(name, {}), self._kept_by(row, name)
            if wanted and wanted <= set(kept):
                self._load(row, name, kept)

    def restart(self, row: int) -> None:
        """Make a row's optimizer forget everything."""
        for name, fresh in self._fresh().items():
            self.arrays[name][row].copy_(fresh[row])

    def _owned(self) -> list[tuple[str, Tensor]]:
        """Return the arrays without those that only hold others."""
        return [(n, a) for n, a in self.arrays.items() if not n.startswith(_FLAT)]

    def _load(self, row: int, name: str, kept: Mapping[str, Tensor]) -> None:
        for slot, value in kept.items():
            for target in (f"{_OPTIMIZER}{name}/{slot}", _ROW + slot):
                if target in self.arrays:
                    self.arrays[target][row].copy_(value)
        # torch's SGD keeps no count; that it has a buffer says that it took a step.
        steps = int(kept["step"]) if "step" in kept else 1
        self.arrays["steps"][row].clamp_(min=steps)

    def _kept_by(self, row: int, name: str) -> frozenset[str]:
        """Name what ``torch.optim`` would keep for a parameter of this row."""
        optimizer, momentum = self.layout.optimizer, self.arrays.get(f"{_HYPER}momentum")
        names = {*optimizer.kept_for(name), *optimizer.row_names}
        # Not muon's, which torch keeps without a momentum too.
        if "momentum_buffer" in optimizer.slots and (momentum is None or momentum[row] == 0):
            names.discard("momentum_buffer")
        return frozenset(names | {"step"} if optimizer.counts_for(name) else names)

    def _slots(self, row: int, name: str, slots: frozenset[str]) -> dict[str, Tensor]:
        found = {}
        optimizer = self.layout.optimizer
        for slot in sorted(slots):
            if slot == "step":
                found[slot] = self.arrays["steps"][row].to(torch.get_default_dtype())
            elif slot in optimizer.row_names:
                found[slot] = self.arrays[_ROW + slot][row].clone()
            else:
                found[slot] = self.arrays[f"{_OPTIMIZER}{name}/{slot}"][row].clone()
        return found

    def _fresh(self) -> dict[str, Tensor]:
        """Return the optimizer's arrays as they are before the first step."""
        optimizer, hyper = self.layout.optimizer, self.hyper
        members, device = len(hyper["lr"]), hyper["lr"].device
        fresh = {"steps": torch.zeros(members, dtype=torch.int64, device=device)}
        for slot, value in optimizer.row_slots.items():
            fresh[_ROW + slot] = torch.full((members,), value, device=device)
        for slot, value in optimizer.row_numbers.items():
            fresh[_ROW + slot] = torch.full((members,), value, dtype=torch.float64, device=device)
        for slot, knob in optimizer.tuned_slots.items():
            fresh[_ROW + slot] = torch.zeros_like(hyper[f"first_{knob}"])
        first = optimizer.first(hyper)
        for name in self.layout.trained:
            parameter = self.arrays[_MODEL + name]
            for slot in optimizer.kept_for(name):
                array = torch.zeros_like(parameter)
                if isinstance(first, Tensor):
                    array += first.to(array.dtype).view(-1, *[1] * (array.ndim - 1))
                fresh[f"{_OPTIMIZER}{name}/{slot}"] = array
        return fresh


def arrays_apart(arrays: Mapping[str, Tensor], *, device: str | None = None) -> dict[str, Tensor]:
    """Copy the arrays so that none is a view of another, as a compiler is to see them.

    Args:
        arrays: The arrays of a stack.
        device: ``"meta"`` for shapes without numbers; None for where they are.
    """
    return {
        name: torch.empty(array.shape, dtype=array.dtype, device=device)
        if device is not None
        else array.clone(memory_format=torch.contiguous_format)
        for name, array in arrays.items()
        if not name.startswith(_FLAT)
    }
