import json

import pytest

import ripieno as rp
from ripieno.cli.details import print_training, print_trial
from ripieno.cli.output import print_trials
from ripieno.errors import StudyError
from ripieno.ledger import MemoryArtifacts, SqlLedger
from ripieno.records import Order, Outcome, OutcomeStatus
from ripieno.reports import Training
from ripieno.study import Settings, Study

SPACE = rp.Space(kind=rp.Categorical("[red]"))


@pytest.fixture
def recorded():
    """A study in memory that has recorded one outcome a keyword dictionary."""
    settings = Settings(
        kind="search", metric="value", direction="minimize", searcher="random", scheduler="full",
        epochs=1, epoch_rows=None, trials=9, minutes=None, target=None, tier=None, seed=0,
        space=SPACE.to_json(),
    )  # fmt: skip

    def build(*outcomes):
        ledger = SqlLedger.create("sqlite://", settings.to_dict())
        for number, fields in enumerate(outcomes):
            order = Order(number, SPACE.default(), 0, 1)
            ledger.record(orders=[order], clock=0.0)
            values = {"metrics": ({"value": 0.5},), "seconds": 1.25, **fields}
            ledger.record(outcomes=[Outcome(order, OutcomeStatus.DONE, **values)], clock=1.0)
        return Study(settings=settings, space=SPACE, ledger=ledger, artifacts=MemoryArtifacts())

    return build


def test_a_trial_is_told_with_tier_notes_and_config(recorded, capsys):
    notes = "8 rows; traced: it is the fastest (traced 1.20 ms a step)"
    print_trial(recorded({"notes": notes}), 0, as_json=False)
    lines = {
        line.split()[0]: " ".join(line.split()[1:]) for line in capsys.readouterr().out.splitlines()
    }
    assert lines["tier"] == "traced"
    assert lines["rows"] == "8"
    assert lines["notes"] == notes
    assert lines["config"] == "kind = [red]"
    assert lines["metrics"] == "value = 0.5"
    assert lines["error"] == lines["parent"] == "-"


def test_a_trial_as_json_is_one_object_with_null_for_what_json_cannot_say(recorded, capsys):
    nan = {"metrics": ({"value": float("nan")},), "notes": "2 rows; loop: forced"}
    print_trial(recorded({}, nan), 1, as_json=True)
    assert json.loads(capsys.readouterr().out) == {
        "trial": 1, "status": "paused", "epochs": 1, "parent": None, "refined_from": None,
        "seconds": 1.25,
        "config": {"kind": "[red]"}, "metrics": {"value": None}, "tier": "loop", "rows": 2,
        "notes": "2 rows; loop: forced", "error": None,
    }  # fmt: skip


def test_a_trial_without_a_note_has_neither_tier_nor_rows(recorded, capsys):
    print_trial(recorded({}), 0, as_json=True)
    told = json.loads(capsys.readouterr().out)
    assert told["notes"] is told["tier"] is told["rows"] is None


def test_a_long_error_is_wrapped_and_cannot_steer_the_terminal(recorded, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "60")
    print_trial(recorded({"error": f"\x1b[2J{'word ' * 40}end"}), 0, as_json=False)
    text = capsys.readouterr().out
    assert "\x1b" not in text
    assert max(map(len, text.splitlines())) <= 60
    assert text.split()[-1] == "end"


def test_a_trial_that_is_not_there_is_refused(recorded):
    with pytest.raises(StudyError, match="there is no trial 3") as caught:
        print_trial(recorded({}), 3, as_json=True)
    assert caught.value.fix == "name one of 0 to 0."
    with pytest.raises(StudyError) as caught:
        print_trial(recorded(), 0, as_json=True)
    assert caught.value.fix == "run the study first."


def test_how_trials_were_trained_is_a_table_with_reasons_as_they_stand(capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    print_training(
        [
            Training("traced", "[bold]it[/bold] :fire:", 2, 9, trials=3, seconds=4.5),
            Training(None, None, trials=1, seconds=0.5),
        ]
    )
    lines = [line.split() for line in capsys.readouterr().out.splitlines() if line.strip()]
    assert lines[0] == ["trained", "as", "rows", "trials", "seconds", "because"]
    assert lines[1] == ["traced", "2", "to", "9", "3", "4.5", "[bold]it[/bold]", ":fire:"]
    assert lines[2] == ["-", "1", "1", "0.5", "-"]


def test_many_ways_of_training_are_cut_short(capsys):
    print_training([Training("loop", f"reason {n}") for n in range(13)])
    text = capsys.readouterr().out
    assert "reason 9" in text
    assert "reason 10" not in text
    assert text.splitlines()[-1] == "and 3 more that took less time"


def test_nothing_is_printed_where_no_runner_said_anything(capsys):
    print_training([])
    assert capsys.readouterr().out == ""


def test_the_best_trials_say_what_they_were_trained_as(recorded, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "100")
    print_trials(recorded({"notes": "8 rows; traced: forced"}, {}), 5)
    head, first, second = capsys.readouterr().out.splitlines()
    assert head.split() == ["trial", "value", "epochs", "status", "trained", "as", "config"]
    assert first.split() == ["0", "0.5000", "1", "paused", "traced,", "8", "rows", "kind=[red]"]
    assert second.split() == ["1", "0.5000", "1", "paused", "-", "kind=[red]"]
    print_trials(recorded({}), 5)
    assert "trained as" not in capsys.readouterr().out
