import pytest

import ripieno as rp
from ripieno.errors import StudyError, WorkerError
from ripieno.study.settings import DataReference, Settings

SETTINGS = Settings(
    kind="tune",
    metric="accuracy",
    direction="maximize",
    searcher="random",
    scheduler="hyperband",
    epochs=9,
    epoch_rows=None,
    trials=None,
    minutes=0.5,
    target=None,
    tier=None,
    seed=3,
    space=rp.Space(lr=rp.Float(1e-3, 1.0, log=True)).to_json(),
    recipe="cnn",
    data=DataReference("digits", None, "abc"),
)


def test_settings_come_back_from_json_as_they_were():
    assert Settings.from_dict(SETTINGS.to_dict(), where="here") == SETTINGS
    assert SETTINGS.read_space() == rp.Space(lr=rp.Float(1e-3, 1.0, log=True))
    assert SETTINGS.objective == rp.Objective("accuracy", "maximize")


@pytest.mark.parametrize("change", [{"version": 2}, {"unknown": 1}])
def test_settings_of_another_version_are_refused(change):
    with pytest.raises(StudyError, match="this Ripieno reads version 1"):
        Settings.from_dict({**SETTINGS.to_dict(), **change}, where="here")


def test_settings_of_before_train_on_one_device_and_a_session_may_take_others():
    before = {name: value for name, value in SETTINGS.to_dict().items() if name != "devices"}
    settings = Settings.from_dict(before, where="here")
    assert settings == SETTINGS
    assert (settings.devices, settings.on(None).devices, settings.on(3).devices) == (1, 1, 3)
    with pytest.raises(WorkerError, match="devices = 0 can train no trial"):
        settings.on(0)
