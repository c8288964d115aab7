"""A page as a reader's browser draws it."""

import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from ripieno.records import Objective, Trial, TrialStatus
from ripieno.reports import Answers, Scores, Selection, Summary, write_page
from ripieno.space import Categorical, Float, Int, Space

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "chrome")
BROWSER = next(filter(None, map(shutil.which, BROWSERS)), None)

pytestmark = pytest.mark.skipif(BROWSER is None, reason=f"none of {BROWSERS} is on PATH")


def summary(count: int) -> Summary:
    space = Space(
        width=Int(8, 64, log=True),
        optimizer=Categorical("sgd", "</script><script>alert(1)</script>"),
        lr=Float(1e-4, 1.0, log=True),
        momentum=Float(0.0, 0.99).when(optimizer="sgd"),
    )
    rng = np.random.default_rng(0)
    trials = []
    for number, config in enumerate(space.sample(rng, count)):
        rows = tuple(
            {"log_loss": 3 / epoch + rng.random(), "train_loss": 3 / epoch, "accuracy": 0.9}
            for epoch in range(1, 1 + (1, 3, 9, 27)[min(3, int(rng.integers(9)) // 2)])
        )
        status = TrialStatus.DIVERGED if number % 7 == 3 else TrialStatus.PAUSED
        trials.append(Trial(number, config, status, rows, finished_at=1.0 + number))
    y = rng.integers(3, size=90)
    single = rng.dirichlet(np.ones(3), 90)
    scores = Scores({"log_loss": 0.3, "accuracy": 0.9}, {"log_loss": 0.4, "accuracy": 0.8})
    return Summary(
        "In a <browser>",
        Objective("log_loss"),
        tuple(trials),
        space,
        seconds=100.0,
        single=scores,
        ensemble=Selection((0, 1), (0.6, 0.4), scores, (scores, scores)),
        answers=Answers(y, single, (single + np.eye(3)[y]) / 2, ("ant", "bee", "<cow>")),
    )


def opened(page: Path, profile: Path) -> tuple[str, list[str]]:
    """Return the document as it stands when its scripts are done, and what they complained of."""
    assert BROWSER is not None
    run = subprocess.run(
        [
            BROWSER, "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic",
            "--no-first-run", "--disable-background-networking", "--disable-component-update",
            "--disable-sync", "--enable-logging=stderr", f"--user-data-dir={profile}",
            "--window-size=1300,5000", "--virtual-time-budget=20000", "--dump-dom", page.as_uri(),
        ],
        capture_output=True,
        text=True,
        timeout=200,
        check=True,
    )  # fmt: skip
    return run.stdout, [line for line in run.stderr.splitlines() if "CONSOLE" in line]


@pytest.mark.parametrize("count", [20, 2000])
def test_every_figure_is_drawn_and_nothing_complains(tmp_path, count):
    page = write_page(summary(count), tmp_path / "report.html")
    document, complaints = opened(page, tmp_path / "profile")
    assert complaints == []
    figures = re.findall(r'<figure id="([\w-]+)">(.*?)</figure>', document, re.DOTALL)
    assert len(figures) == 8
    for name, inside in figures:
        assert 'class="plot js-plotly-plot"' in inside, name
        assert 'class="main-svg"' in inside, name
        drawn = re.findall(r"<(?:path|image)\b", inside)
        assert len(drawn) > 3, name
    assert document.count("js-plotly-plot") >= 8
    # Text from the records is text in the pictures too.
    assert "<script>alert(1)" not in document


def test_the_console_is_read(tmp_path):
    broken = tmp_path / "broken.html"
    broken.write_text("<p id='here'>still</p><script>nothing.here()</script>")
    document, complaints = opened(broken, tmp_path / "profile")
    assert "still" in document
    assert len(complaints) == 1
    assert "nothing is not defined" in complaints[0]
