"""Parameter grids as scikit-learn writes them, as spaces."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ripieno.errors import SpaceError
from ripieno.space import Categorical, Config, Constant, Space, Value

__all__ = ["GridInput", "space_of"]

Grid = Mapping[str, Sequence[Any]]

GridInput = Space | Grid | Sequence[Grid]
"""A space, a dictionary of lists, or a list of such dictionaries."""

_PREFIXES = ("module__", "optimizer__", "criterion__", "iterator_train__")


def space_of(given: GridInput) -> Space:
    """Return a space, or the one that a grid spans.

    The names of a grid are sorted, as scikit-learn sorts them, so that a walk through the
    space meets the configs in the sequence of ``ParameterGrid``. With several grids, a
    hyperparameter that only some of them name is active where one of those is meant, which
    the values of another hyperparameter must tell.

    Raises:
        SpaceError: It is neither, a name has no values, a value cannot be stored in a config,
            or several grids cannot be told apart.
    """
    if isinstance(given, Space):
        return given
    grids = _listed(given)
    if not grids or not all(map(_is_grid, grids)):
        raise SpaceError(
            f"{given!r} is no grid.",
            where="param_grid=…",
            fix='give {"lr": [0.01, 0.1]}, a list of such dictionaries, or a rp.Space.',
        )
    rows = [_plain(grid) for grid in grids]
    names = sorted({name for row in rows for name in row})
    space = Space(**{name: _domain(name, rows) for name in names})
    return space if len(rows) == 1 else space.where(_among(rows), "one of the grids")


@dataclass(frozen=True, slots=True)
class Among:
    """Says whether a config is of one of several grids: pairs of a name and its values."""

    grids: tuple[tuple[tuple[str, tuple[Value, ...]], ...], ...]

    def __call__(self, config: Config) -> bool:
        """Compare names and values, types included: 1 is not True."""
        for grid in map(dict, self.grids):
            if config.keys() == grid.keys() and all(_is_in(config[n], grid[n]) for n in grid):
                return True
        return False


def _among(grids: Sequence[Mapping[str, list[Value]]]) -> Among:
    return Among(tuple(tuple((name, tuple(v)) for name, v in grid.items()) for grid in grids))


def _listed(given: Grid | Sequence[Grid]) -> list[Grid]:
    return [given] if isinstance(given, Mapping) else list(given)


def _is_grid(grid: object) -> bool:
    return isinstance(grid, Mapping) and not isinstance(grid, Space) and bool(grid)


def _plain(grid: Grid) -> dict[str, list[Value]]:
    """Return a grid whose values are Python's own."""
    plain = {}
    for name, values in grid.items():
        _check(name, values)
        plain[name] = [value.item() if hasattr(value, "item") else value for value in values]
    return plain


def _check(name: str, values: object) -> None:
    for prefix in _PREFIXES:
        if name.startswith(prefix):
            raise SpaceError(
                f"{name!r} is a name of skorch.",
                where="param_grid=…",
                fix=f"write {name.removeprefix(prefix)!r}: names of training and of the model "
                "stand side by side.",
            )
    if isinstance(values, str) or not hasattr(values, "__iter__") or not list(values):
        raise SpaceError(
            f"{name!r} has the values {values!r}, which is no list of them.",
            where="param_grid=…",
            fix=f"give a list: {{{name!r}: [{values!r}]}}.",
        )


def _domain(name: str, grids: Sequence[Mapping[str, list[Value]]]) -> Categorical | Constant:
    """Return the domain of a name: its values in all grids, and when it is active."""
    values: list[Value] = []
    for grid in grids:
        values += [value for value in grid.get(name, ()) if not _is_in(value, values)]
    domain = Constant(values[0]) if len(values) == 1 else Categorical(*values)
    if all(name in grid for grid in grids):
        return domain
    parent, where = _telling(name, grids)
    return domain.when(**{parent: where})


def _telling(
    name: str, grids: Sequence[Mapping[str, list[Value]]]
) -> tuple[str, tuple[Value, ...]]:
    """Return another name and the values of it that only grids with this name have."""
    for other in sorted(grids[0]):
        if not all(other in grid for grid in grids):
            continue
        inside = [value for grid in grids if name in grid for value in grid[other]]
        outside = [value for grid in grids if name not in grid for value in grid[other]]
        if not any(_is_in(value, outside) for value in inside):
            return other, tuple(dict.fromkeys(inside))
    raise SpaceError(
        f"no hyperparameter tells the grids with {name!r} from those without.",
        where="param_grid=[…]",
        fix=f"give {name!r} to every grid, with its usual value where it was left out.",
    )


def _is_in(value: Value, values: Sequence[Value]) -> bool:
    return any(type(value) is type(other) and value == other for other in values)
