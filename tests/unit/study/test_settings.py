from functools import partial

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
    before = {
        name: value
        for name, value in SETTINGS.to_dict().items()
        if name not in {"devices", "device"}
    }
    settings = Settings.from_dict(before, where="here")
    assert settings == SETTINGS
    on = partial(settings.on, executor=None)
    assert (settings.devices, on(None, None).devices, on(3, None).devices) == (1, 1, 3)
    found = (settings.device, on(None, None).device, on(None, "auto").device)
    assert found == (
        *["cpu"] * 2,
        "auto",
    )
    assert settings.on(2, "cuda", executor="ray").device == "cuda"
    with pytest.raises(WorkerError, match="devices = 0 can train no trial"):
        on(0, None)


def test_a_device_that_nobody_knows_is_no_setting():
    with pytest.raises(StudyError, match="no device 'tpu'"):
        Settings.from_dict({**SETTINGS.to_dict(), "device": "tpu"}, where="here")
