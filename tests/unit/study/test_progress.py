import io

import pytest

from ripieno.loop import Progress
from ripieno.records import Config, Objective, Trial, TrialStatus
from ripieno.study.progress import LiveProgress, PlainProgress, SilentProgress, make_watcher

OBJECTIVE = Objective("loss")


def progress(orders: int, best: float | None) -> Progress:
    trial = None
    if best is not None:
        trial = Trial(orders, Config({"x": 1}), TrialStatus.PAUSED, ({"loss": best},))
    return Progress(
        trials=orders, orders=orders, planned=9, epochs=orders, seconds=1.0 * orders,
        best=trial, running=1, outcome=None,
    )  # fmt: skip


def test_plain_progress_prints_a_line_for_each_new_best_only():
    stream = io.StringIO()
    watch = PlainProgress(OBJECTIVE, stream)
    with watch:
        shown = progress(1, 0.5)
        watch(shown)
        watch(shown)
        watch(progress(2, 0.25))
    lines = stream.getvalue().splitlines()
    assert len(lines) == 2
    assert "2/9 orders" in lines[1]
    assert "best loss 0.2500 (trial 2)" in lines[1]


def test_live_progress_survives_every_state(capsys):
    for seconds in (None, 60.0):
        with LiveProgress(OBJECTIVE, seconds) as live:
            live(progress(0, None))
            live(progress(9, 0.125))
    assert "0.1250" in capsys.readouterr().err


def test_a_pipe_gets_plain_lines_and_silence_is_silent(capsys):
    assert isinstance(make_watcher(OBJECTIVE, show=True, seconds=None), PlainProgress)
    with make_watcher(OBJECTIVE, show=False, seconds=None) as silent:
        assert isinstance(silent, SilentProgress)
        silent(progress(1, 0.5))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("columns", "note"),
    [
        (60, "best loss 0.1250"),
        (76, "best loss 0.1250 (trial 9)"),
        (120, "best loss 0.1250 (trial 9), 9 trials, 9 epochs"),
    ],
)
def test_a_live_bar_says_what_fits_its_line(capsys, monkeypatch, columns, note):
    monkeypatch.setenv("COLUMNS", str(columns))
    with LiveProgress(OBJECTIVE, None) as live:
        live(progress(9, 0.125))
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert last.endswith(note)
    assert len(last) <= columns
    assert "9/9 orders" in last
