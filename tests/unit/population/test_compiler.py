import os
import subprocess
import sys
import textwrap

import pytest

from ripieno.population import compiler as room
from ripieno.population.compiler import Compiler, digest
from ripieno.population.remembered import Remembered

KEY = digest("a graph")


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Make a compiler of a machine that remembers little."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "inductor"))
    (tmp_path / "inductor" / "fxgraph").mkdir(parents=True)
    return lambda beside=False: Compiler(Remembered(tmp_path), beside=beside)


def worth(compiler, work, nodes=200):
    return compiler.obstacle(KEY, nodes=nodes, work=work) is None


def never():
    raise AssertionError("nothing goes to another process")


def test_it_is_weighed_against_the_work_that_is_left(make):
    # 200 operations are taken to cost 10 s, and to save 0.4 of the work.
    assert not worth(make(), work=24.0)
    assert worth(make(), work=26.0)
    words = make().obstacle(KEY, nodes=200, work=20.0)
    assert words == "compiling would save 8 s of the work that is left"


def test_beside_the_training_only_the_work_after_it_gains_and_taking_it_up_costs(make):
    assert not worth(make(beside=True), work=17.0)  # 0.4 * 7 s against 3 s
    assert worth(make(beside=True), work=18.0)
    assert make(beside=True).obstacle(KEY, nodes=200, work=1.0).startswith("compiling would save 0")


def test_what_compiling_costs_is_learnt_from_every_graph_that_was_compiled(make):
    first = make()
    assert first.begin(KEY, never, nodes=100)
    first.learn(KEY, seconds=20.0, cold=True, gain=0.4, convolutions={})  # 0.2 s each
    other = digest("another")
    assert make().obstacle(other, nodes=100, work=49.0) is not None
    assert make().obstacle(other, nodes=100, work=51.0) is None
    assert first.begin(other, never, nodes=100)
    first.learn(other, seconds=10.0, cold=True, gain=0.4, convolutions={})  # 0.15 s on average
    assert make().obstacle(digest("third"), nodes=100, work=38.0) is None


def test_a_graph_that_lies_in_the_cache_is_worth_it_for_little_work(make, tmp_path):
    first = make()
    assert first.begin(KEY, never, nodes=100)
    first.learn(KEY, seconds=20.0, cold=True, gain=0.5, convolutions={"convolution a": "grouped"})
    assert worth(make(), work=7.0)  # half of it against 3 s
    assert not worth(make(), work=5.0)
    first.learn(KEY, seconds=1.0, cold=False, gain=0.5, convolutions={})
    assert worth(make(), work=2.1)
    assert make().begin(KEY, never, nodes=100)
    (tmp_path / "inductor" / "fxgraph").rmdir()
    assert not worth(make(), work=7.0)


def test_a_graph_that_gained_nothing_is_not_compiled_again(make):
    first = make()
    assert first.begin(KEY, never, nodes=100)
    first.learn(KEY, seconds=20.0, cold=True, gain=0.0, convolutions={})
    assert not worth(make(), work=1e9)


def test_the_kernels_that_it_was_compiled_with_are_remembered(make):
    first = make()
    assert first.convolutions(KEY) == {}
    first.learn(KEY, seconds=2.0, cold=True, gain=0.5, convolutions={"convolution a": "unfold"})
    assert make().convolutions(KEY) == {"convolution a": "unfold"}


def test_of_two_that_want_the_same_graph_one_compiles_and_the_other_is_told_when(make):
    first, second = make(), make()
    assert first.begin(KEY, never, nodes=9)
    assert not second.begin(KEY, never, nodes=9)
    assert not second.ready(KEY)
    first.learn(KEY, seconds=9.0, cold=True, gain=0.5, convolutions={})
    assert not second.ready(digest("another"))
    assert second.ready(KEY)
    assert not second.ready(KEY)  # it is taken up once
    assert not make().begin(KEY, never, nodes=9)
    second.learn(KEY, seconds=1.0, cold=False, gain=0.5, convolutions={})
    assert make().begin(KEY, never, nodes=9)


def test_what_failed_is_left_to_others(make):
    first, second = make(), make()
    assert first.begin(KEY, never, nodes=9)
    assert not second.begin(KEY, never, nodes=9)
    first.give_up()
    assert second.ready(KEY)


HOLDER = """
    import sys
    from pathlib import Path
    from ripieno.population.compiler import Compiler
    from ripieno.population.remembered import Remembered

    compiler = Compiler(Remembered(Path(sys.argv[1])), beside=False)
    print(compiler.begin(sys.argv[2], bytes, nodes=9), flush=True)
    sys.stdin.read()
"""


def test_a_process_that_is_killed_while_it_compiles_holds_nobody_up(make, tmp_path):
    (tmp_path / "holder.py").write_text(textwrap.dedent(HOLDER))
    holder = subprocess.Popen(
        [sys.executable, tmp_path / "holder.py", tmp_path, KEY],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=os.environ,
    )  # fmt: skip
    assert holder.stdout.readline() == "True\n"
    waiting = make()
    assert not waiting.begin(KEY, never, nodes=9)
    assert not waiting.ready(KEY)
    holder.kill()
    holder.communicate()
    assert waiting.ready(KEY)


def test_where_nothing_can_be_written_everyone_compiles(make, tmp_path):
    (tmp_path / "file").write_text("")
    for _ in range(2):
        assert Compiler(Remembered(tmp_path / "file" / "x"), beside=False).begin(
            KEY, never, nodes=9
        )


@pytest.mark.parametrize("fails", [False, True])
def test_another_process_is_asked_until_it_answers(make, monkeypatch, fails):
    class Child:
        def __init__(self, body, *, lock):
            answer = {"error": "no"} if fails else {"seconds": 8.0, "cold": True}
            self.answers = [None, answer]
            assert body == b"graph"
            assert lock is not None

        def answer(self):
            return self.answers.pop(0)

    monkeypatch.setattr(room, "Beside", Child)
    compiler = make(beside=True)
    assert not compiler.begin(KEY, lambda: b"graph", nodes=100)
    assert not compiler.ready(KEY)
    if fails:
        with pytest.raises(RuntimeError, match="no"):
            compiler.ready(KEY)
    else:
        assert compiler.ready(KEY)
        # 0.08 s an operation: 8 s for 100, and so 0.4 of 21 s are worth it.
        assert make().obstacle(digest("b"), nodes=100, work=19.0) is not None
        assert make().obstacle(digest("b"), nodes=100, work=21.0) is None
    assert not compiler.ready(KEY)
