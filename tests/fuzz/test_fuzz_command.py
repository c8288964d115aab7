"""Whatever stands at the command line: an answer, or a message with a fix, and no traceback."""

import json
import os
import re
import shutil
import subprocess
import sys

import pytest
from hypothesis import strategies as st
from typer.testing import CliRunner

from fuzz.fuzzing import fuzz
from fuzz.hostile import as_text, damaged, lies, names, tree_with_lies
from ripieno.cli.app import app

_CODES = {0, 1, 2, 3, 130}
_WORDS = st.one_of(
    names.filter(lambda name: "\0" not in name and name.isprintable()),
    st.text(max_size=6).map(lambda text: "".join(c for c in text if c.isprintable())),
    st.sampled_from(
        [
            "0", "-1", "1", "2", "1e400", "nan", "inf", "1_0", "0x1", "9" * 30, "0.01", "None", "",
            "lr=0.1", "lr=", "=1", "lr=nan", "lr=x", "optimizer=adamw", "loss<=1", "<=", "a>=b",
            "20GB", "-5MB", "1e3TB", "GB", "32", "0x0", "32x32", "999999x999999", "a,b", "y",
            "sqlite:///x/y.db", "sqlite://", "postgresql://nobody@127.0.0.1:1/x", "mysql://x/y",
            "://", "postgresql://h/d?study=../x", "file.py:x", "nothing.py:recipe", ":",
            "/dev/null", "/", ".", "..", "study", "rows.csv", "bad.json", "good.json", "study.zip",
        ]
    ),
)  # fmt: skip
_NUMBERS = st.sampled_from(
    ["0", "1", "2", "3", "-1", "1e9", "nan", "inf", "", "x", "99999999999999"]
)
_FEW = st.sampled_from(["1", "1", "2", "0", "-1", "x", "nan"])
_FILES = st.sampled_from(
    ["study", "broken", "rows.csv", "bad.csv", "bad.json", "good.json", "configs.json", "study.zip",
     "bad.zip", "nothing", ".", "new", "/dev/null", "digits", "model.py:recipe", "model.py:nothing",
     "model.py:broken", "ensemble", "new/a/b", "a file", "-"]
)  # fmt: skip
_READ = {
    "--target": _WORDS, "--groups": _WORDS, "--time": _WORDS, "--drop": _WORDS,
    "--categorical": _WORDS, "--numeric": st.sampled_from(["quantile", "standardize", "x"]),
    "--image-size": _WORDS, "--task": st.sampled_from(["regression", "classification", "x"]),
    "--raw-targets": None, "--set": _WORDS, "--class-weights": st.sampled_from(["balanced", "x"]),
    "--recipe": st.sampled_from(["mlp", "cnn", "resnt", "model.py:recipe", "model.py:broken"])
    | _WORDS,
    "--seed": _NUMBERS,
}  # fmt: skip
# Those of training are told once more at the end, so that none trains for long.
_PLACES = _WORDS | st.sampled_from(
    [
        "file:///proc/x",
        "file://",
        "file://\0",
        "s3://b/x",
        "x://y",
        "ftp://[x",
        "memory://x",
        "a::b://c",
    ]
)
_TUNE = {
    **_READ,
    "--scheduler": st.sampled_from(["full", "halving", "hyperband", "asha", "pbt", "median", "x"]),
    "--searcher": st.sampled_from(["random", "grid", "sobol", "auto", "cmaes", "evolution", "x"]),
    "--metric": st.sampled_from(["accuracy", "log_loss", "rmse", "parameters", "acuracy"]) | _WORDS,
    "--require": _WORDS, "--enqueue": _FILES, "--warm-start": _FILES, "--warm-best": _NUMBERS,
    "--folds": _FEW, "--seeds": _FEW, "--tier": st.sampled_from(["loop", "leaves", "x"]),
    "--ensemble": st.sampled_from(["greedy", "none", "stacking", "x"]),
    "--objective": st.sampled_from(["metric", "ensemble", "x"]), "--storage": _WORDS,
    "--artifacts": _PLACES | st.just("ftp://127.0.0.1:1/x"),
    "--disk": _WORDS, "--order-minutes": _NUMBERS, "--overwrite": None, "--json": None,
    "--epoch-rows": _NUMBERS,
    "--out": st.sampled_from(["new", "study", "broken", "mine", "/proc/x"]),
}  # fmt: skip
_COMMANDS = {
    "show": (1, {"--trials": _NUMBERS, "--trial": _NUMBERS, "--storage": _WORDS, "--json": None}),
    "report": (1, {"--out": _FILES}),
    "ls": (1, {"--json": None}),
    "rm": (1, {"--yes": None, "-y": None, "--json": None}),
    "gc": (1, {"--dry-run": None, "--older-minutes": _NUMBERS, "--json": None}),
    "export": (2, {"--json": None}),
    "import": (2, {"--json": None}),
    "predict": (2, {"--out": _FILES}),
    "ensemble": (
        1,
        {"--method": st.sampled_from(["soft", "greedy", "x"]), "--size": _NUMBERS, "--json": None,
         "--calibration": st.sampled_from(["temperature", "x"]), "--out": _FILES,
         "--export": _FILES, "--test": None},
    ),
    "resume": (
        1,
        {"--trials": _NUMBERS, "--space": _FILES, "--enqueue": _FILES, "--storage": _WORDS,
         "--artifacts": _PLACES, "--refine": _NUMBERS, "--disk": _WORDS, "--json": None},
    ),
    "tune": (1, _TUNE),
    "doctor": (1, {**_READ, "--out": _FILES, "--json": None}),
    "nas": (1, {"--space": st.sampled_from(["cell", "x"]), "--metric": _WORDS}),
}  # fmt: skip
_AT_THE_END = {
    "tune": ["--trials", "2", "--epochs", "1", "--workers", "1", "--minutes", "0.2"],
    "resume": ["--workers", "1", "--minutes", "0.01"],
}
_PARTS = re.compile(r"^\w*Error: .+\n(?:.*\n)*  In:  .*\n(?:.*\n)*  Fix: .+", re.MULTILINE)
_ROWS = "a,b,y\n" + "".join(
    f"{i * 7 % 31},{'pq'[i % 2]},{['no', 'yes'][i % 3 % 2]}\n" for i in range(60)
)
_MODEL = """
import ripieno as rp
from torch import nn

recipe = rp.Recipe(
    lambda config: nn.Sequential(nn.Flatten(), nn.LazyLinear(2)),
    space=rp.Space(lr=rp.Float(1e-3, 0.1, log=True)),
)

def broken(data):
    raise RuntimeError("broken on purpose")
"""


@st.composite
def _lines(draw, slow):
    """Arguments of a command, and what is wrong in the files that it may read."""
    names_of = [name for name in _COMMANDS if slow or name not in {"tune", "doctor", "nas"}]
    name = draw(st.sampled_from(names_of))
    positional, options = _COMMANDS[name]
    arguments = [draw(_FILES | _FILES | _WORDS) for _ in range(positional)]
    if name in {"show", "report", "resume", "export", "gc", "rm", "ensemble"} and draw(
        st.booleans()
    ):
        arguments[0] = draw(st.sampled_from(["study", "broken"]))
    if name == "import" and draw(st.booleans()):
        arguments = [draw(st.sampled_from(["study.zip", "bad.zip"])), "new"]
    if name in {"tune", "doctor"} and draw(st.integers(0, 3)):
        arguments = ["rows.csv", "--target", "y"]
    if name == "nas":
        arguments = [draw(_WORDS.filter(lambda word: word != "digits")), "--search-epochs", "1"]
    fewest = 2 if name == "tune" else 0  # what is right trains, and takes its time
    for option in draw(st.lists(st.sampled_from(sorted(options)), min_size=fewest, max_size=4)):
        arguments += [option] if options[option] is None else [option, draw(options[option])]
    if not draw(st.integers(0, 9)):
        arguments = draw(st.permutations(arguments))
    if not draw(st.integers(0, 9)):
        arguments.append(draw(st.sampled_from(["--nothing", "-z", "--", "--help", "extra"])))
    return [name, *arguments, *_AT_THE_END.get(name, [])]


@st.composite
def _damages(draw):
    """The content of the files that are bad."""
    space = {
        "version": 1, "constraints": [],
        "domains": {"x": {"kind": "float", "low": 0.1, "high": 1.0, "log": True, "step": None,
                          "default": None, "when": []}},
    }  # fmt: skip
    return {
        "bad.json": draw(as_text(tree_with_lies(space))).encode("utf-8", "surrogateescape"),
        "configs.json": draw(as_text(tree_with_lies([{"x": 0.5, "kind": "b"}]) | lies)).encode(
            "utf-8", "surrogateescape"
        ),
        "bad.csv": draw(damaged(_ROWS.encode())),
    }


@pytest.fixture(scope="module")
def ground(study, archive, tmp_path_factory):
    """A folder with all that a command may be given, to be copied for each line."""
    folder = tmp_path_factory.mktemp("ground") / "files"
    shutil.copytree(study, folder / "study")
    shutil.copytree(study, folder / "broken")
    (folder / "ensemble").mkdir()
    (folder / "mine").mkdir()
    (folder / "mine" / "letter.txt").write_text("dear")
    (folder / "rows.csv").write_text(_ROWS)
    (folder / "model.py").write_text(_MODEL)
    space = {"kind": "float", "low": 0.1, "high": 1.0, "log": True, "step": None, "default": None}
    tree = {"version": 1, "domains": {"x": {**space, "when": []}}, "constraints": []}
    (folder / "good.json").write_text(json.dumps(tree))
    shutil.copy(archive, folder / "study.zip")
    return folder


def fresh(ground, place, damages, cut):
    """Lay the ground out anew, some of it damaged."""
    shutil.rmtree(place, ignore_errors=True)
    shutil.copytree(ground, place)
    for name, content in damages.items():
        (place / name).write_bytes(content)
    for name, source in (("bad.zip", "study.zip"), ("broken/study.db", "broken/study.db")):
        content = (place / source).read_bytes()
        at = cut % len(content)
        (place / name).write_bytes(content[:at] + bytes([content[at] ^ 255]) + content[at + 1 :])


def judge(code, out, err):
    assert code in _CODES, f"exit {code}"
    assert "Traceback" not in out + err
    if code == 2 and not re.search(r"Usage:|╭─ Error", err):
        assert _PARTS.search(err), err
    if code == 1:
        assert "Aborted" in err


@pytest.mark.parametrize("slow", [False, True], ids=["quick", "training"])
def test_any_line_ends_with_an_answer_or_a_message(ground, fence, slow):
    runner = CliRunner()

    def run(drawn):
        line, damages, cut = drawn
        fresh(ground, fence.place, damages, cut)
        with fence.watch() as place:
            os.chdir(place)
            result = runner.invoke(app, line)
        if result.exception is not None and not isinstance(result.exception, SystemExit):
            raise result.exception
        judge(result.exit_code, result.stdout, result.stderr)

    drawn = st.tuples(_lines(slow), _damages(), st.integers(0, 10**6))
    fuzz(run, drawn, examples=10 if slow else 40)


def test_the_real_command_does_the_same(ground, fence):
    def run(drawn):
        line, damages, cut = drawn
        fresh(ground, fence.place, damages, cut)
        with fence.watch() as place:
            done = subprocess.run(
                [sys.executable, "-c", "from ripieno.cli import main; main()", *line],
                cwd=place, capture_output=True, timeout=120, check=False,
                env={**os.environ, "OMP_NUM_THREADS": "1", "COLUMNS": "200"},
            )  # fmt: skip
        judge(done.returncode, done.stdout.decode(), done.stderr.decode())

    fuzz(run, st.tuples(_lines(False), _damages(), st.integers(0, 10**6)), examples=2)
