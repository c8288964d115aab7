"""A room is imported only through its door, and foreign libraries stay in their rooms."""

import ast
from pathlib import Path

import pytest

import ripieno

SOURCE = Path(ripieno.__file__).parent
ROOMS = sorted(path.name for path in SOURCE.iterdir() if (path / "__init__.py").is_file())
FILES = sorted(SOURCE.rglob("*.py"))

FOREIGN = {
    "sqlalchemy": {"ledger"},
    "fsspec": {"ledger"},
    "safetensors": {"ledger", "ensembles", "recipes"},
    "plotly": {"reports"},
    "jinja2": {"reports"},
    "typer": {"cli"},
    "cloudpickle": {"executors"},
    "ray": {"executors"},
    "cmaes": {"searchers"},
    "PIL": {"recipes"},
    "pyarrow": {"recipes"},
    "botorch": {"searchers"},
    "optuna": {"interop"},
    "sklearn": {"recipes", "interop"},
    "torch": {
        "recipes",
        "population",
        "ensembles",
        "study",
        "diagnostics",
        "hypergradient",
        "searchers",
        "nas",
    },
}
GROUND = {"space", "records"}


def imported(path: Path) -> list[str]:
    """Every module that a file imports, wherever in the file."""
    names = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path} imports relatively"
            names.append(node.module)
    return names


def room_of(path: Path) -> str:
    return path.relative_to(SOURCE).parts[0].removesuffix(".py")


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_enters_other_rooms_through_their_doors(path):
    for name in imported(path):
        parts = name.split(".")
        if parts[0] == "ripieno" and len(parts) > 2:
            assert parts[1] == room_of(path), f"{path} reaches into {name}"


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_foreign_library_stays_in_its_room(path):
    room = room_of(path)
    for name in imported(path):
        library = name.split(".")[0]
        allowed = FOREIGN.get(library)
        assert allowed is None or room in allowed, f"{path} imports {library}"
        if room in GROUND or path == SOURCE / "errors.py":
            known = {"ripieno", "numpy"}
            assert library in known or library in __import__("sys").stdlib_module_names


def test_ray_is_imported_in_one_file_alone():
    files = [path for path in FILES if any(n.split(".")[0] == "ray" for n in imported(path))]
    assert files == [SOURCE / "executors" / "ray.py"]


@pytest.mark.parametrize("room", ROOMS)
def test_a_door_lists_its_names_sorted(room):
    tree = ast.parse((SOURCE / room / "__init__.py").read_text())
    lists = [
        ast.literal_eval(node.value)
        for node in tree.body
        if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "__all__"
    ]
    assert len(lists) == 1, f"the door of {room} has no __all__"
    # As ruff sorts: constants, then classes, then functions.
    assert lists[0] == sorted(lists[0], key=lambda n: (not n.isupper(), not n[0].isupper(), n))
    assert len(lists[0]) == len(set(lists[0]))


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(SOURCE)))
def test_a_file_can_be_read_in_one_sitting(path):
    assert len(path.read_text().splitlines()) <= 400
