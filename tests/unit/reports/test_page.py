import json
import os
import re
import stat
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from ripieno.errors import ReportError
from ripieno.records import Config, Objective, Trial, TrialStatus
from ripieno.reports import Answers, Selection, Summary, write_page
from ripieno.space import Categorical, Float, Space

ALL = [
    "best-so-far", "parallel-coordinates", "learning-curves", "fit", "ensemble-weights", "gain",
    "reliability", "confusion",
]  # fmt: skip


class Page(HTMLParser):
    """What a browser would find: elements, their attributes, and text outside scripts."""

    def __init__(self, text):
        super().__init__()
        self.elements, self.text, self.open, self.data = [], "", [], []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        self.text += " "
        self.elements.append((tag, dict(attributes)))
        if tag in {"script", "style"}:
            self.open.append((tag, dict(attributes)))

    def handle_endtag(self, tag):
        if self.open and self.open[-1][0] == tag:
            self.open.pop()

    def handle_data(self, data):
        if not self.open:
            self.text += data
        elif self.open[-1][1].get("type") == "application/json":
            self.data.append(json.loads(data))

    @property
    def words(self):
        return " ".join(self.text.split())

    @property
    def figures(self):
        return [attributes["id"] for tag, attributes in self.elements if tag == "figure"]

    def count(self, tag):
        return sum(name == tag for name, _ in self.elements)


def written(summary, tmp_path):
    return Page(write_page(summary, tmp_path / "report.html").read_text(encoding="utf-8"))


def test_a_full_study_has_every_figure(study, tmp_path):
    page = written(study(), tmp_path)
    assert page.figures == ALL
    assert len(page.data) == len(ALL)
    assert all(figure["data"] for figure in page.data)


def test_titles_and_captions_stand_in_the_page_and_not_in_the_pictures(study, tmp_path):
    page = written(study(), tmp_path)
    assert "3 trials vote, as much as 2.6 with equal weights" in page.text
    assert all("text" not in figure["layout"].get("title", {}) for figure in page.data)


def test_numbers_facts_findings_and_the_best_trials_are_told(study, tmp_path):
    summary = study()
    text = written(summary, tmp_path).words
    for words in (
        "best log loss", "test accuracy 93.00% ensemble", "trials 30 2 diverged or failed",
        f"epochs trained {summary.epochs}", "time 40.0 s", "scheduler hyperband", "seed 0",
        "training rows 180", "Ripieno 0.1.0", "minimize log loss", "Gain: the ensemble's",
        "RuntimeError: no such layer", "The best 15 of 28 trials",
    ):  # fmt: skip
        assert words in text, words
    assert "in model" not in text


def test_the_page_needs_nothing_but_itself(study, tmp_path):
    page = written(study(), tmp_path)
    for tag, attributes in page.elements:
        assert "src" not in attributes, (tag, attributes)
        assert "href" not in attributes, (tag, attributes)
        assert tag not in {"link", "iframe", "object", "embed", "img", "base", "form"}
    policies = [a["content"] for t, a in page.elements if a.get("http-equiv")]
    assert policies == [
        "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; "
        "img-src data: blob:"
    ]


def test_plotly_stands_in_the_page_once(study, tmp_path):
    text = write_page(study(), tmp_path / "report.html").read_text(encoding="utf-8")
    assert len(re.findall(r"plotly\.js v\d", text)) == 1
    assert len(text) < 5_500_000


def test_names_configs_and_metrics_are_escaped_wherever_they_come(tmp_path):
    evil = "</script><script>alert(1)</script>"
    space = Space(kind=Categorical(evil, "x"), lr=Float(0, 1))
    rows = tuple({evil: 1.0 / epoch, "train_loss": 1.0, "log_loss": 2.0} for epoch in (1, 2, 3))
    trials = (
        Trial(0, Config({"kind": evil, "lr": 0.5}), TrialStatus.PAUSED, rows, finished_at=1.0),
        Trial(1, Config({"kind": "x", "lr": 0.5}), TrialStatus.FAILED, error=evil),
    )
    p, y = np.array([[0.8, 0.2], [0.7, 0.3]]), np.array([0, 1])
    summary = Summary(
        evil, Objective(evil), trials, space,
        scheduler=evil, searcher=evil, stopped=evil, data={evil: evil}, environment={evil: evil},
        ensemble=Selection((0,), (1.0,)), answers=Answers(y, p, p, (evil, "b")),
    )  # fmt: skip
    page = written(summary, tmp_path)
    assert page.text.count("alert(1)") > 5
    # One script a figure, Plotly's and ours; the page's own parser found no other.
    assert page.count("script") == len(page.data) + 2
    assert "best-so-far" in page.figures


def test_a_plain_search_has_the_figures_of_a_search(tmp_path):
    space = Space(x=Float(-5, 5), y=Float(-5, 5))
    trials = tuple(
        Trial(i, Config({"x": 0.1 * i, "y": 1.0}), TrialStatus.PAUSED, ({"value": 1.0 + i},),
              finished_at=0.1 * i)
        for i in range(20)
    )  # fmt: skip
    page = written(Summary("parabola", Objective("value"), trials, space), tmp_path)
    assert page.figures == ["best-so-far", "parallel-coordinates"]
    assert "epoch" not in page.text.replace("at their last epoch", "").replace(
        "at its last epoch", ""
    )


@pytest.mark.parametrize("count", [0, 1])
def test_a_study_of_hardly_any_trials_has_a_page(study, tmp_path, count):
    full = study()
    page = written(study(trials=full.trials[:count], ensemble=None, answers=None), tmp_path)
    assert len(page.data) == (0 if count == 0 else len(page.figures))
    if count == 0:
        assert "Not drawn: no trial has a value yet." in page.text


def test_a_study_whose_trials_all_diverged_says_so(tmp_path):
    trials = tuple(
        Trial(i, Config({"x": 0.5}), TrialStatus.DIVERGED, error="nan") for i in range(3)
    )
    page = written(Summary("t", Objective("v"), trials, Space(x=Float(0, 1))), tmp_path)
    assert "Not drawn: all 3 trials diverged or failed." in page.text
    assert page.data == []
    assert page.count("table") == 0


def test_two_thousand_trials_make_a_page_of_sane_size(study, tmp_path):
    page_path = write_page(study(2000), tmp_path / "report.html")
    assert page_path.stat().st_size < 6_500_000
    assert "evenly spread over the ranking" in page_path.read_text(encoding="utf-8")


def test_the_table_marks_members_and_hyperparameters_that_do_not_apply(study, tmp_path):
    text = write_page(study(), tmp_path / "report.html").read_text(encoding="utf-8")
    table = text[text.index("<table>") : text.index("</table>")]
    assert table.count("in the ensemble") == 3
    assert "\N{EN DASH}" in table


def test_how_the_trials_were_trained_is_told_and_escaped(study, trial, tmp_path):
    evil = "</td><script>alert(1)</script> " + "x" * 300
    noted = (
        trial(0, 0.5, notes=f"8 rows; traced: {evil}", seconds=90.0),
        trial(1, 0.4, notes=f"3 rows; traced: {evil}", seconds=10.0),
        trial(2, 0.4, notes="one model after another: no other order", seconds=7.0),
        trial(3, 0.4, notes=None, seconds=3.0),
    )
    page = written(study(trials=noted, ensemble=None, answers=None), tmp_path)
    table = page.words.partition("How the trials were trained")[2]
    assert table.startswith(f" tier rows trials time reason traced 3 to 8 2 100.0 s {evil}")
    assert "one model after another 1 1 7 s no other order" in table
    assert "\N{EN DASH} 1 1 3 s \N{EN DASH}" in table
    assert page.count("script") == len(page.data) + 2


def test_many_ways_of_training_are_cut_short_with_a_remark(study, trial, tmp_path):
    noted = tuple(
        trial(n, 0.5, notes=f"2 rows; loop: failed with {'y' * (n + 1)}", seconds=20.0 - n)
        for n in range(15)
    )
    text = written(study(trials=noted, ensemble=None, answers=None), tmp_path).words
    assert "3 more, of 3 trials in all, took less time than these." in text
    assert "failed with yyyyyyyyyyyy " in text
    assert "failed with yyyyyyyyyyyyy " not in text


def test_a_study_whose_runner_said_nothing_has_no_such_table(study, tmp_path):
    assert "How the trials were trained" not in written(study(), tmp_path).text


def test_the_folder_is_made_and_the_path_returned(study, tmp_path):
    path = tmp_path / "deep" / "er" / "report.html"
    assert write_page(study(), str(path)) == path
    assert [file.name for file in path.parent.iterdir()] == ["report.html"]


def test_writing_again_replaces_the_page(study, tmp_path):
    write_page(study(title="first"), tmp_path / "report.html")
    page = written(study(title="second"), tmp_path)
    assert "second" in page.text
    assert "first" not in page.text


def test_whoever_reads_the_old_page_reads_it_to_its_end(study, tmp_path):
    path = write_page(study(title="first"), tmp_path / "report.html")
    whole = path.read_text(encoding="utf-8")
    with path.open(encoding="utf-8") as reader:
        write_page(study(title="second"), path)
        assert reader.read() == whole


def test_a_page_that_cannot_be_written_is_refused_in_three_parts(study, tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(ReportError, match="the page cannot be written") as caught:
        write_page(study(), tmp_path / "file" / "report.html")
    assert caught.value.where.endswith("report.html")
    (tmp_path / "folder").mkdir()
    with pytest.raises(ReportError, match="the page cannot be written"):
        write_page(study(), tmp_path / "folder")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "folder"]


def test_a_read_only_folder_is_refused(study, tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    # Root may write everywhere but into the kernel's own folders.
    locked = Path("/proc") if os.geteuid() == 0 else tmp_path
    with pytest.raises(ReportError, match="cannot be written"):
        write_page(study(), locked / "report.html")
