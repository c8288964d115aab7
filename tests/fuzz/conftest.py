"""What the targets have in common: a fence each, and a small study."""

import json

import numpy as np
import pytest

import ripieno as rp
from fuzz.fence import Fence
from ripieno.study import export_study

SPACE = rp.Space(
    kind=rp.Categorical("a", "b"),
    x=rp.Float(1e-3, 1.0, log=True),
    n=rp.Int(1, 8).when(kind="a"),
)


def objective(config, report):
    for epoch in range(report.start + 1, report.start + report.epochs + 1):
        report(epoch=epoch, loss=config.x / epoch, cost=float(config.get("n", 0)))
    report.save(weights=np.arange(6, dtype=np.float32).reshape(2, 3) * config.x)


@pytest.fixture(scope="module")
def fence(tmp_path_factory):
    return Fence(tmp_path_factory.mktemp("fence"))


@pytest.fixture(scope="module")
def study(tmp_path_factory):
    """The folder of a search over a function that kept its states, and was changed once."""
    folder = tmp_path_factory.mktemp("study") / "small"
    with rp.search(
        objective, SPACE, metric=["loss", "cost"], constraints={"cost": ("<=", 7)}, trials=6,
        epochs=3, scheduler="halving", out=folder, enqueue=[{"kind": "b", "x": 0.5}],
    ) as study:  # fmt: skip
        study.results()
        best = study.best.id
    finding = {"kind": "leakage", "severity": "advice", "sentence": "s", "evidence": {"rows": 1}}
    curve = {name: [0.1, 0.2, 0.3] for name in ("rates", "losses", "smoothed")}
    diagnosis = {
        "findings": [finding],
        "range_test": {**curve, "suggestion": 0.1, "lowest": 0.2},
        "measured": {"trial": float(best)},
    }
    (folder / "diagnosis.json").write_text(json.dumps(diagnosis))
    (folder / "ensemble").mkdir()
    (folder / "ensemble" / "ensemble.json").write_text("{}")
    return folder


@pytest.fixture(scope="module")
def archive(study, tmp_path_factory):
    file = tmp_path_factory.mktemp("archive") / "small.zip"
    export_study(study, file)
    return file
