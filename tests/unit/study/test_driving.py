import pytest

from ripieno.errors import StudyError
from ripieno.loop import SILENCE_SECONDS
from ripieno.study.driving import silence_seconds


def test_silence_is_a_minute_or_what_the_environment_says(monkeypatch):
    monkeypatch.delenv("RIPIENO_SILENCE_SECONDS", raising=False)
    assert silence_seconds() == SILENCE_SECONDS == 60.0
    monkeypatch.setenv("RIPIENO_SILENCE_SECONDS", "2.5")
    assert silence_seconds() == 2.5


@pytest.mark.parametrize("said", ["soon", "0", "-3", "inf", "nan"])
def test_what_is_no_time_is_refused(monkeypatch, said):
    monkeypatch.setenv("RIPIENO_SILENCE_SECONDS", said)
    with pytest.raises(StudyError, match="no number of seconds") as caught:
        silence_seconds()
    assert "RIPIENO_SILENCE_SECONDS" in caught.value.where
