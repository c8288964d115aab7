"""A study on a pretended GPU, and on to the CPU."""

import re

import numpy as np
import pytest

import pretend
import ripieno as rp
from ripieno.reports import trainings


@pytest.fixture(autouse=True)
def _known(monkeypatch):
    """Have a study take the pretended device for one that it knows."""
    monkeypatch.setattr("ripieno.recipes.devices._NAMES", re.compile(f"auto|cpu|{pretend.NAME}"))


@pytest.fixture(scope="module")
def arrays():
    draw = np.random.default_rng(0)
    x = draw.normal(size=(120, 4)).astype(np.float32)
    return x, (x[:, 0] * x[:, 1] > 0).astype(np.int64)


def test_a_study_on_a_gpu_says_so_and_its_ensemble_is_on_the_cpu(arrays, device, tmp_path):
    options = {"trials": 4, "epochs": 2, "scheduler": "full", "seed": 1, "progress": False}
    here = rp.tune("mlp", arrays, device="cpu", workers=1, out=tmp_path / "here", **options)
    there = rp.tune("mlp", arrays, device=device, workers=1, out=tmp_path / "there", **options)
    assert there.settings.device == device
    assert all(trial.notes.endswith("on pretend") for trial in there.trials)
    assert all(each.reason.endswith("; on pretend") for each in trainings(there.trials))
    assert not any("pretend" in trial.notes for trial in here.trials)
    assert [trial.config for trial in there.trials] == [trial.config for trial in here.trials]
    for mine, other in zip(there.trials, here.trials, strict=True):
        assert mine.metrics == pytest.approx(dict(other.metrics), rel=1e-3)
    ensemble = there.ensemble()
    assert {p.device.type for p in ensemble.parameters()} <= {"cpu"}
    raw = arrays[0][:7]
    np.testing.assert_allclose(
        ensemble.predict_proba(raw), here.ensemble().predict_proba(raw), atol=1e-3
    )
    assert "on pretend" in there.report().read_text()


def test_a_study_goes_on_on_another_device(arrays, device, tmp_path):
    options = {"epochs": 2, "scheduler": "full", "seed": 1, "progress": False, "workers": 1}
    rp.tune("mlp", arrays, device=device, trials=2, out=tmp_path / "s", **options).close()
    study = rp.open(tmp_path / "s", model="mlp", data=arrays)
    study.run(trials=4, device="cpu", workers=1, progress=False)
    assert ["pretend" in trial.notes for trial in study.trials] == [True, True, False, False]
    assert study.settings.device == device  # it was for this session
