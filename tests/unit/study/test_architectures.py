import json

import numpy as np
import pytest

from ripieno.errors import SpaceError, StudyError
from ripieno.nas import (
    ArchitectureFactory,
    cell_space,
    limited,
    macro_space,
    measure_cost,
    nas,
)
from ripieno.recipes import Data, load
from ripieno.space import Categorical, Constant
from ripieno.study import find_architecture, tune
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


def test_what_several_supernets_have_found_is_all_trained(few_digits_arrays, tmp_path):
    out, seen = tmp_path / "study", []
    with find_architecture(
        few_digits_arrays, TINY, "drnas", search_epochs=2, restarts=3, out=out,
        report=seen.append, scheduler="full", **QUICK,
    ) as study:  # fmt: skip
        told = json.loads((out / "architecture.json").read_text())
        found = [config["config"] for config in told["restarts"]]
        assert told["config"] == found[0]
        assert sorted(restart["seed"] for restart in told["restarts"]) == [0, 1, 2]
        distinct = list({json.dumps(config): config for config in found}.values())
        assert len(study.trials) == len(distinct) > 1
        for trial, config in zip(study.trials, distinct, strict=True):
            assert config.items() <= dict(trial.config).items()
    assert len(seen) == 2


def test_other_methods_search_architecture_and_training_together(few_digits_arrays):
    space = macro_space(depth=2, filters=(2,), kernels=(3,))
    with find_architecture(
        few_digits_arrays, space, "evolution", trials=3, scheduler="full", out=":memory:", **QUICK
    ) as study:
        assert len(study.trials) == 3
        assert study.settings.searcher == "evolution"
        assert all(trial.config["network"] == "macro" for trial in study.trials)


@pytest.mark.parametrize("space", ["cell", "macro"])
def test_a_space_that_is_named_is_the_one_that_suits_the_images(few_digits_arrays, space):
    with find_architecture(
        few_digits_arrays, space, "random", trials=1, out=":memory:", **QUICK
    ) as study:
        assert study.space["global_pool"] == Categorical("none", "average")
        assert study.trials[0].config["global_pool"] == "none"
        assert study.trials[0].config["dropout"] == 0.5
        if space == "cell":
            assert study.space["stages"] == Constant(2)


def test_what_does_not_go_together_is_refused(few_digits_arrays):
    with pytest.raises(StudyError, match="no space of architectures 'cells'"):
        find_architecture(few_digits_arrays, "cells")
    with pytest.raises(StudyError, match="'macro' has no supernet"):
        find_architecture(few_digits_arrays, "macro", "darts")
    with pytest.raises(SpaceError, match="'macro' is no network of cells"):
        find_architecture(few_digits_arrays, macro_space(), "darts", search_epochs=1)


def test_a_folder_that_is_taken_is_refused_before_the_supernet_is_trained(
    few_digits_arrays, tmp_path
):
    (tmp_path / "other.txt").write_text("a file of mine")
    seen = []
    with pytest.raises(StudyError, match="not empty and holds no study"):
        find_architecture(few_digits_arrays, TINY, out=tmp_path, report=seen.append, **QUICK)
    assert seen == []


def test_a_study_under_a_limit_is_opened_with_its_limit(few_digits_arrays, tmp_path):
    data = Data.from_arrays(*few_digits_arrays, seed=0)
    factory = ArchitectureFactory(data.shape, data.outputs)
    small = limited(cell_space(filters=4, stages=1), factory, data.shape, parameters=400)
    quick = {"searcher": "random", "scheduler": "full", **QUICK}
    with tune("nas", data, nas(data, small).space, trials=1, out=tmp_path / "s", **quick) as study:
        first = study.trials[0]
    with open_study(tmp_path / "s", data=data) as again:
        again.run(trials=4, workers=1, progress=False)
        assert again.trials[0].config == first.config
        assert len(again.trials) == 4
        for trial in again.trials:
            assert measure_cost(factory(trial.config), data.shape).parameters <= 400
