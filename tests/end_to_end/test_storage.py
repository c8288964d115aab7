"""The commands on a study that is recorded in a real PostgreSQL server."""

import uuid

SMALL = ("--trials", "3", "--epochs", "1", "--recipe", "mlp", "--workers", "1", "--tier", "loop")


def test_tune_show_and_resume_with_a_database(ripieno, postgres_server):
    url = postgres_server.url(f"study_{uuid.uuid4().hex}")
    results = ripieno.json("tune", "digits", *SMALL, "--out", "a", "--storage", url)
    assert results["trials"] == 3
    assert not (ripieno.folder / "a" / "study.db").exists()
    assert ripieno.json("show", "a") == results
    assert ripieno.json("resume", "a", "--workers", "1", "--storage", url)["trials"] == 3


def test_a_server_that_is_not_there_is_told_and_leaves_no_folder(ripieno, tmp_path):
    url = f"postgresql://ann:secret@/work?host={tmp_path}"
    message = ripieno.refused("tune", "digits", *SMALL, "--out", "a", "--storage", url)
    assert "see to it that the server runs" in message
    assert "secret" not in message
    assert "ripieno resume" not in message
    assert not (ripieno.folder / "a").exists()


def test_a_study_without_room_pauses_with_a_code_of_its_own_and_goes_on(ripieno):
    said = ripieno("tune", "digits", *SMALL, "--out", "a", "--disk", "100kB", code=3).stderr
    assert "Go on with: ripieno resume a" in said
    assert "--disk" in said
    results = ripieno.json("resume", "a", "--workers", "1", "--disk", "1GB")
    assert (results["trials"], results["finished"]) == (3, True)
