import pytest
import typer

from ripieno.cli.errors import INTERRUPTED, said_plainly


@pytest.mark.parametrize(
    ("files", "told"),
    [
        ((), ["Stopped. The study had not begun."]),
        (
            ("study.db",),
            ["Stopped. What was finished is recorded.", "Go on with: ripieno resume {folder}"],
        ),
    ],
)
def test_who_stops_a_command_is_told_what_is_left(tmp_path, capsys, files, told):
    for name in files:
        (tmp_path / name).touch()
    with pytest.raises(typer.Exit) as ended, said_plainly(tmp_path):
        raise KeyboardInterrupt
    assert ended.value.exit_code == INTERRUPTED
    said = capsys.readouterr().err.split("\n")
    assert [line for line in said if line] == [line.format(folder=tmp_path) for line in told]
