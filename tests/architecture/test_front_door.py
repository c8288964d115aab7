"""What `import ripieno` offers, and what it loads."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import ripieno

HEAVY = {
    "torch",
    "plotly",
    "sqlalchemy",
    "sklearn",
    "scipy",
    "pandas",
    "rich",
    "typer",
    "jinja2",
    "ray",
}


def run(code: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=120
    )
    return done.stdout


def test_the_public_names_are_sorted_and_each_can_be_had():
    assert ripieno.__all__ == sorted(ripieno.__all__)
    for name in ripieno.__all__:
        assert getattr(ripieno, name) is not None
    assert dir(ripieno) == ripieno.__all__


def test_a_type_checker_sees_the_names_that_a_program_gets():
    tree = ast.parse(Path(ripieno.__file__).read_text())
    block = next(node for node in tree.body if isinstance(node, ast.If))
    seen = {
        alias.asname or alias.name
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
    }
    assert seen == set(ripieno.__all__) - {"__version__"}


def test_an_unknown_name_is_an_attribute_error():
    assert not hasattr(ripieno, "tuna")


def test_importing_ripieno_loads_no_heavy_library():
    loaded = set(json.loads(run("import ripieno, sys, json; print(json.dumps(list(sys.modules)))")))
    assert not HEAVY & loaded
    assert "numpy" not in loaded


def test_a_space_can_be_written_without_torch():
    code = (
        "import sys, json, ripieno as rp; rp.Space(lr=rp.Float(1e-4, 1.0, log=True)).default();"
        "print(json.dumps(list(sys.modules)))"
    )
    assert not HEAVY & set(json.loads(run(code)))


def test_the_help_of_the_command_loads_no_torch():
    code = (
        "import sys, json\nfrom ripieno.cli import main\nsys.argv = ['ripieno', 'tune', '--help']\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print('torch' in sys.modules, 'sqlalchemy' in sys.modules)"
    )
    assert run(code).strip().splitlines()[-1] == "False False"
