import json

import numpy as np
import pytest

from ripieno.errors import SpaceError, StudyError
from ripieno.nas import cell_space, macro_space
from ripieno.recipes import load
from ripieno.study import find_architecture
from ripieno.study import open as open_study

QUICK = {"epochs": 1, "workers": 1, "progress": False, "tier": "loop"}
TINY = cell_space(filters=2, stages=1)


@pytest.fixture(scope="session")
def few_digits_arrays():
    images = load("digits")
    return np.array(images.train.x[:160, 0]), np.array(images.train.y[:160])


@pytest.mark.parametrize("method", ["darts", "enas"])
def test_what_the_supernet_has_found_is_trained_and_can_be_opened(
    few_digits_arrays, method, tmp_path
):
    out, seen = tmp_path / "study", []
    with find_architecture(
        few_digits_arrays, TINY, method, search_epochs=2, out=out, report=seen.append, **QUICK
    ) as study:
        (trial,) = study.trials
        told = json.loads((out / "architecture.json").read_text())
        assert told["method"] == method
        assert told["config"].items() <= dict(trial.config).items()
        assert [epoch["skips"] for epoch in told["epochs"]] == [epoch.skips for epoch in seen]
        assert [epoch["eigenvalue"] is None for epoch in told["epochs"]] == 2 * [method == "enas"]
        assert len(seen) == 2
        results = study.finish()
        assert "accuracy" in results.best.validation
    assert "of the best architecture" in (out / "report.html").read_text()
    with open_study(out, model="nas", data=few_digits_arrays) as again:
        assert again.trials[0].config == trial.config


def test_other_methods_search_architecture_and_training_together(few_digits_arrays):
    space = macro_space(depth=2, filters=(2,), kernels=(3,))
    with find_architecture(
        few_digits_arrays, space, "evolution", trials=3, scheduler="full", out=":memory:", **QUICK
    ) as study:
        assert len(study.trials) == 3
        assert study.settings.searcher == "evolution"
        assert all(trial.config["network"] == "macro" for trial in study.trials)


def test_what_does_not_go_together_is_refused(few_digits_arrays):
    with pytest.raises(StudyError, match="no space of architectures 'cells'"):
        find_architecture(few_digits_arrays, "cells")
    with pytest.raises(SpaceError, match="'macro' is no network of cells"):
        find_architecture(few_digits_arrays, "macro", "darts")
