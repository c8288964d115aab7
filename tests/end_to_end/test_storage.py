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


def test_list_export_import_collect_and_remove(ripieno):
    ripieno.json("tune", "digits", *SMALL, "--out", "studies/a")
    exported = ripieno.json("export", "studies/a", "a.ripieno")
    assert exported["trials"] == 3
    imported = ripieno.json("import", "a.ripieno", "studies/b")
    assert (imported["trials"], imported["runs"]) == (3, [])
    first, second = ripieno.json("ls", "studies")["studies"]
    assert (first["folder"], second["folder"]) == ("studies/a", "studies/b")
    assert (
        first["best"]
        == second["best"]
        == ripieno.json("show", "studies/b")["best"]["validation"]["log_loss"]
    )
    assert "3" in ripieno("ls", "studies").stdout
    found = ripieno.json("gc", "studies/b", "--older-minutes", "0", "--dry-run")
    assert (found["orphans"], found["deleted"]) == ([], False)
    assert "say --yes" in ripieno.refused("rm", "studies/b")
    assert ripieno.json("rm", "studies/b", "--yes") == {"removed": "studies/b", "left": []}
    assert [line["folder"] for line in ripieno.json("ls", "studies")["studies"]] == ["studies/a"]


def test_the_commands_refuse_what_is_no_study(ripieno):
    (ripieno.folder / "notes").write_text("mine")
    assert "there is no folder" in ripieno.refused("ls", "gone")
    assert "holds no study" in ripieno.refused("rm", "gone", "--yes")
    assert "holds no study" in ripieno.refused("gc", "gone")
    assert "holds no study" in ripieno.refused("export", "gone", "file")
    assert "cannot be read" in ripieno.refused("import", "notes", "new")
    assert sorted(path.name for path in ripieno.folder.iterdir()) == ["notes"]
