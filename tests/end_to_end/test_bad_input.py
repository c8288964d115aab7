"""What a user may get wrong, at the command line: three parts, exit code 2, nothing lost."""

import os
import sqlite3

import numpy as np
import pytest

ROWS = "a,b,label\n" + "".join(f"{i},{i * i % 7},{'xy'[i % 2]}\n" for i in range(60))
SMALL = ("--trials", "2", "--epochs", "1", "--workers", "1", "--scheduler", "full")


def test_a_missing_file_is_named(ripieno):
    assert "nowhere.csv" in ripieno.refused("tune", "nowhere.csv")


def test_an_unknown_target_column_gets_the_list_of_columns(ripieno):
    (ripieno.folder / "rows.csv").write_text(ROWS)
    message = ripieno.refused("tune", "rows.csv", "--target", "labl")
    assert "labl" in message
    assert "label" in message


def test_a_missing_label_is_named_by_its_column(ripieno):
    lines = ROWS.splitlines()
    lines[5] = lines[5].rpartition(",")[0] + ","
    (ripieno.folder / "rows.csv").write_text("\n".join(lines))
    assert "'label'" in ripieno.refused("tune", "rows.csv", "--target", "label")


def test_one_class_only_is_refused(ripieno):
    (ripieno.folder / "rows.csv").write_text(ROWS.replace(",y\n", ",x\n"))
    assert "class" in ripieno.refused("tune", "rows.csv", "--target", "label")


def test_arrays_of_the_wrong_name_are_listed(ripieno):
    np.savez(ripieno.folder / "rows.npz", features=np.zeros((4, 2)), labels=np.zeros(4))
    message = ripieno.refused("tune", "rows.npz")
    assert "features" in message
    assert "x_train" in message


def test_a_grid_over_a_continuous_domain_is_refused(ripieno):
    message = ripieno.refused("tune", "digits", "--searcher", "grid")
    assert "is continuous" in message
    assert not (ripieno.folder / "ripieno-studies").exists()


def test_an_empty_space_is_refused(ripieno):
    (ripieno.folder / "model.py").write_text(
        "import ripieno as rp\nfrom torch import nn\n"
        "recipe = rp.Recipe(model=lambda c: nn.Flatten(), space=rp.Space())\n"
    )
    assert "space is empty" in ripieno.refused("tune", "digits", "--recipe", "model.py:recipe")


def test_a_broken_user_file_is_named_with_its_line(ripieno):
    (ripieno.folder / "model.py").write_text("import ripieno\n\nrecipe = 1 / 0\n")
    message = ripieno.refused("tune", "digits", "--recipe", "model.py:recipe")
    assert "ZeroDivisionError" in message
    assert "model.py:3" in message


def test_an_unknown_recipe_and_metric_get_a_suggestion(ripieno):
    assert "'cnn'" in ripieno.refused("tune", "digits", "--recipe", "cn")
    assert "'accuracy'" in ripieno.refused("tune", "digits", "--metric", "acuracy")


def test_an_unwritable_folder_is_refused(ripieno):
    ripieno.folder.joinpath("locked").mkdir(mode=0o500)
    # Root may write everywhere but into the kernel's own folders.
    locked = "/proc" if os.geteuid() == 0 else "locked"
    assert "cannot be written" in ripieno.refused("tune", "digits", "--out", f"{locked}/study")


def test_a_folder_that_cannot_be_made_is_refused(ripieno):
    (ripieno.folder / "file").write_text("")
    assert "cannot be written" in ripieno.refused("tune", "digits", "--out", "file/study")


def test_a_folder_with_a_study_is_not_overwritten_unasked(ripieno):
    ripieno("tune", "digits", *SMALL, "--out", "study")
    before = ripieno.json("show", "study")
    assert "already holds a study" in ripieno.refused("tune", "digits", *SMALL, "--out", "study")
    assert ripieno.json("show", "study") == before
    ripieno("tune", "digits", *SMALL, "--out", "study", "--overwrite", "--seed", "1")
    assert ripieno.json("show", "study") != before


def test_a_folder_with_other_things_is_left_alone(ripieno):
    (ripieno.folder / "mine").mkdir()
    (ripieno.folder / "mine" / "letter.txt").write_text("dear")
    assert "not empty" in ripieno.refused("tune", "digits", "--out", "mine")
    assert [p.name for p in (ripieno.folder / "mine").iterdir()] == ["letter.txt"]


@pytest.mark.parametrize("command", ["resume", "show", "report"])
def test_a_folder_without_a_study_is_refused(ripieno, command):
    assert "holds no study" in ripieno.refused(command, "nothing")


def test_damaged_records_are_refused_with_a_fix(ripieno):
    ripieno("tune", "digits", *SMALL, "--out", "study")
    state = next((ripieno.folder / "study" / "artifacts").glob("*predictions*"))
    whole = state.read_bytes()
    state.write_bytes(whole[:-1] + bytes([whole[-1] ^ 1]))
    (ripieno.folder / "study" / "results.json").unlink()
    assert state.name.split(".")[0] in ripieno.refused("resume", "study")
    state.write_bytes(whole)
    ripieno("resume", "study")
    database = ripieno.folder / "study" / "study.db"
    with sqlite3.connect(database) as connection:
        connection.execute("pragma wal_checkpoint(truncate)")
    connection.close()
    database.write_bytes(database.read_bytes()[:5000])
    assert "study.db" in ripieno.refused("show", "study")


def test_predicting_needs_the_columns_of_the_training(ripieno):
    (ripieno.folder / "rows.csv").write_text(ROWS)
    ripieno("tune", "rows.csv", "--target", "label", *SMALL, "--out", "study")
    (ripieno.folder / "new.csv").write_text("a,c\n1,2\n")
    assert "'b'" in ripieno.refused("predict", "study", "new.csv")


def test_an_option_out_of_range_is_refused_by_the_command_itself(ripieno):
    assert "--trials" in ripieno("tune", "digits", "--trials", "0", code=2).stderr


def test_a_hyperparameter_that_nothing_reads_is_warned_of(ripieno):
    (ripieno.folder / "model.py").write_text(
        "import ripieno as rp\nfrom torch import nn\n"
        "recipe = rp.Recipe(lambda c: nn.Sequential(nn.Flatten(), nn.Linear(64, 10)),\n"
        "    space=rp.Space(learning_rate=rp.Float(1e-3, 0.1)))\n"
    )
    said = ripieno("tune", "digits", "--recipe", "model.py:recipe", *SMALL).stderr
    assert "Warning: the model does not read the hyperparameter 'learning_rate'" in said
    assert "The knob of training is called 'lr'" in said


def test_a_name_that_no_system_allows_is_refused_in_three_parts(ripieno):
    assert "File name too long" in ripieno.refused("show", "x" * 300)
    assert "File name too long" in ripieno.refused("export", "nothing", "x" * 300)
