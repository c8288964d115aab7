"""An exported ensemble answers as it did, in a process that has no Ripieno."""

import os
import subprocess
import sys

import numpy as np
import pytest
import torch
from torch import nn

from ripieno.ensembles import Ensemble, SoftRule, fit_combiner, make_combiner
from ripieno.errors import ArtifactError, EnsembleError
from ripieno.recipes import Coding, Split

READER = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "ripieno":
            raise ImportError("Ripieno is not here")

sys.meta_path.insert(0, Blocker())
import numpy as np

rows = np.load("rows.npy")
for name in sys.argv[1:]:
    if name.endswith(".pt2"):
        import torch
        with torch.no_grad():
            found = torch.export.load(name).module()(torch.from_numpy(rows)).numpy()
    else:
        import onnxruntime
        (found,) = onnxruntime.InferenceSession(name).run(None, {"x": rows})
    np.save(name + ".npy", found)
assert "ripieno" not in sys.modules
"""


def cnn(seed):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Dropout(0.5), nn.Linear(4 * 9, 3),
    )  # fmt: skip


def mlp(seed):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(36, 8), nn.Tanh(), nn.Linear(8, 3))


def rows(count, seed=0):
    return np.random.default_rng(seed).normal(size=(count, 1, 6, 6)).astype(np.float32)


def fitted(method, task="classification"):
    """Members of two architectures under a fitted rule."""
    coding = Coding(task, (1.0,) * 3, (2.0,) * 3) if task == "regression" else Coding(task)
    members = [cnn(0), mlp(1)]
    every = Ensemble(members, [1.0] * 2, classes="abc", coding=coding).eval()
    rng = np.random.default_rng(1)
    y = rng.integers(3, size=60) if task == "classification" else rng.normal(size=(60, 3))
    found = fit_combiner(make_combiner(method), every.predictions(Split(rows(60, 1), y)))
    return every.replaced(members=[members[m] for m in found.members], rule=found.rule).eval()


def six():
    plain = fitted("soft")
    mended = plain.calibrate(Split(rows(60, 1), np.arange(60) % 3), method="isotonic")
    return {
        "soft": plain,
        "stacking": fitted("stacking"),
        "dynamic": fitted("dynamic"),
        "hard": fitted("hard"),
        "calibrated": mended,
        "median": fitted("median", "regression"),
    }


@pytest.mark.slow
def test_six_ensembles_answer_equally_without_ripieno(tmp_path):
    x = rows(9, seed=2)
    np.save(tmp_path / "rows.npy", x)
    ensembles, names = six(), []
    for name, ensemble in ensembles.items():
        for kind in ("pt2", "onnx"):
            ensemble.export(tmp_path / f"{name}.{kind}", torch.from_numpy(rows(2)))
            names.append(f"{name}.{kind}")
    done = subprocess.run(
        [sys.executable, "-c", READER, *names], cwd=tmp_path, check=False, timeout=200,
        env={**os.environ, "PYTHONPATH": ""}, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for name in names:
        ensemble = ensembles[name.partition(".")[0]]
        with torch.no_grad():
            expected = ensemble(torch.from_numpy(x)).numpy()
        found = np.load(tmp_path / f"{name}.npy")
        np.testing.assert_allclose(np.exp(found) if name[0] != "m" else found,
                                   np.exp(expected) if name[0] != "m" else expected,
                                   atol=1e-5, err_msg=name)  # fmt: skip


def test_an_export_leaves_every_mode_as_it_was_and_reads_one_row(tmp_path):
    ensemble = Ensemble([mlp(0), mlp(1)], [0.5, 0.5], classes="abc").train()
    ensemble.export(tmp_path / "e.pt2", torch.from_numpy(rows(2)))
    assert all(part.training for part in ensemble.modules())
    one = torch.from_numpy(rows(1))
    found = torch.export.load(tmp_path / "e.pt2").module()(one)
    torch.testing.assert_close(found, ensemble(one))


class Deciding(nn.Module):
    def forward(self, x):
        return x.flatten(1)[:, :3] if x.sum() > 0 else -x.flatten(1)[:, :3]


def test_what_cannot_be_exported_is_refused(tmp_path):
    ensemble = Ensemble([mlp(0)], rule=SoftRule([1.0]), classes="abc")
    with pytest.raises(EnsembleError, match=r"'\.pkl' is no kind of file"):
        ensemble.export(tmp_path / "e.pkl")
    with pytest.raises(EnsembleError, match="not known what shape the rows have"):
        ensemble.export(tmp_path / "e.pt2")
    with pytest.raises(ArtifactError, match="cannot be written"):
        ensemble.export(tmp_path / "absent" / "e.pt2", torch.from_numpy(rows(2)))
    wild = Ensemble([Deciding()], [1.0], classes="abc")
    with pytest.raises(EnsembleError, match="it cannot be exported"):
        wild.export(tmp_path / "e.pt2", torch.from_numpy(rows(2)))
