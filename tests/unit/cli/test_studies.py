"""The commands about whole studies: ls, rm, gc, export and import."""

import json

import pytest
from typer.testing import CliRunner

import ripieno as rp
from ripieno.cli.app import app
from ripieno.cli.sizes import in_words


@pytest.fixture
def ripieno(tmp_path, monkeypatch):
    """Run a command in an empty folder; return what it prints."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments, code=0):
        result = CliRunner().invoke(app, list(arguments))
        assert result.exit_code == code, result.output
        return result.output

    return run


@pytest.fixture
def study(ripieno, tmp_path):
    """A study of three trials in studies/a."""
    space = rp.Space(x=rp.Float(0.0, 1.0))
    with rp.search(lambda c: c.x, space, trials=3, out=tmp_path / "studies" / "a") as found:
        yield found


def refused(ripieno, *arguments):
    message = ripieno(*arguments, code=2)
    assert "\n  In:  " in message
    assert "\n  Fix: " in message
    return message


def test_a_list_says_how_far_each_study_is(ripieno, study, tmp_path):
    (tmp_path / "studies" / "b").mkdir()
    (tmp_path / "studies" / "b" / "study.db").write_text("damaged " * 100)
    first, second = json.loads(ripieno("ls", "studies", "--json"))["studies"]
    assert (first["folder"], first["trials"], first["problem"]) == ("studies/a", 3, None)
    assert (first["metric"], first["best"]) == (
        "value",
        min(t.metrics["value"] for t in study.trials),
    )
    assert first["size_bytes"] > 0
    assert "not a database" in second["problem"]
    text = ripieno("ls", "studies")
    assert "studies/a" in text
    assert "value" in text


def test_a_list_of_nothing_says_so(ripieno, tmp_path):
    assert json.loads(ripieno("ls", str(tmp_path), "--json")) == {"studies": []}
    assert "no study in" in ripieno("ls", str(tmp_path))


def test_a_study_is_removed_after_a_yes_and_nothing_else(ripieno, study, tmp_path):
    study.close()
    (tmp_path / "studies" / "a" / "notes").write_text("mine")
    assert "say --yes" in refused(ripieno, "rm", "studies/a")
    told = json.loads(ripieno("rm", "studies/a", "--yes", "--json"))
    assert told == {"removed": "studies/a", "left": ["notes"]}
    assert "holds no study" in refused(ripieno, "rm", "studies/a", "--yes")


def test_collecting_says_what_it_deletes(ripieno, study, tmp_path):
    study.artifacts.write("old", {"w": study.to_dataframe()["seconds"].to_numpy()})
    arguments = ("gc", "studies/a", "--older-minutes", "0")
    dry = json.loads(ripieno(*arguments, "--dry-run", "--json"))
    assert (len(dry["orphans"]), dry["deleted"], dry["kept"]) == (1, False, 0)
    assert "deleted 1 files" in ripieno(*arguments)
    assert json.loads(ripieno(*arguments, "--json"))["orphans"] == []


def test_a_study_goes_into_a_file_and_back(ripieno, study):
    told = json.loads(ripieno("export", "studies/a", "a.zip", "--json"))
    assert (told["trials"], told["files"], told["runs"]) == (3, 2, [])
    assert "3 trials" in ripieno("import", "a.zip", "studies/b")
    with rp.open("studies/b", read_only=True) as again:
        assert again.trials == study.trials


def test_what_is_no_study_is_refused(ripieno, tmp_path):
    (tmp_path / "notes").write_text("mine")
    assert "there is no folder" in refused(ripieno, "ls", "gone")
    assert "holds no study" in refused(ripieno, "gc", "gone")
    assert "holds no study" in refused(ripieno, "export", "gone", "file")
    assert "cannot be read" in refused(ripieno, "import", "notes", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["notes"]


@pytest.mark.parametrize(
    ("size", "words"),
    [(0, "0 B"), (999, "999 B"), (12_500_000, "12.5 MB"), (3 * 10**15, "3000.0 TB")],
)
def test_sizes_are_said_as_people_say_them(size, words):
    assert in_words(size) == words
