import pytest

from ripieno.errors import StudyError
from ripieno.study.folder import Folder, new_folder


def test_new_folders_are_numbered(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert str(new_folder("digits").path) == "ripieno-studies/digits-1"
    new_folder("digits").create(overwrite=False)
    assert str(new_folder("digits").path) == "ripieno-studies/digits-2"


def test_overwriting_removes_a_study_and_nothing_else(tmp_path):
    folder = Folder(tmp_path / "study")
    folder.create(overwrite=False)
    for path in (folder.database, folder.report, folder.artifacts / "a", folder.path / "notes"):
        path.write_text("x")
    with pytest.raises(StudyError, match="already holds a study"):
        folder.create(overwrite=False)
    folder.create(overwrite=True)
    assert sorted(p.name for p in folder.path.iterdir()) == ["artifacts", "notes"]
    assert not list(folder.artifacts.iterdir())


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(StudyError, match="cannot be written"):
        Folder(tmp_path / "file" / "study").create(overwrite=False)


def test_the_studies_nearby_are_named_where_one_is_missing(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    near = new_folder("digits")
    near.create(overwrite=False)
    near.database.write_text("x")
    with pytest.raises(StudyError) as error:
        Folder(tmp_path / "gone").check()
    assert "digits-1" in error.value.where
