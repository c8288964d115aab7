import json
import math
import os
from pathlib import Path

import numpy as np
import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective
from ripieno.space import Categorical, Float, Int, Space
from ripieno.testing import curve_problem, problem_names, read_problem, table_problem

DATA = Path(os.environ.get("RIPIENO_DATA", "../shared/data")) / "hpo"
CHOICES = {"activation": ["relu", "tanh"], "rate": [0.1, 0.2, 0.4]}
VALUES = np.arange(12.0).reshape(2, 3, 2)

needs_data = pytest.mark.skipif(
    not (DATA / "fcnet.npz").is_file(), reason=f"the published tables are not in {DATA}"
)


def table(direction="minimize", values=VALUES):
    return table_problem("small", CHOICES, values, objective=Objective("score", direction))


def test_ordered_choices_are_searched_by_place_and_others_as_they_are():
    assert dict(table().space) == {"activation": Categorical("relu", "tanh"), "rate": Int(0, 2)}


def test_a_config_is_looked_up_exactly():
    problem = table()
    config = problem.space.config(activation="tanh", rate=1)
    assert [problem.measure(config, 1, repeat) for repeat in (0, 1)] == [8.0, 9.0]
    assert problem.value(config) == 8.5


@pytest.mark.parametrize(("direction", "optimum"), [("minimize", 0.5), ("maximize", 10.5)])
def test_the_optimum_is_the_best_mean_and_not_the_luckiest_repeat(direction, optimum):
    assert table(direction).optimum == optimum


def test_a_repeat_that_diverged_leaves_the_mean_of_the_others():
    values = VALUES.copy()
    values[0, 0] = math.nan, 7.0
    values[0, 1] = math.nan, math.nan
    problem = table(values=values)
    assert problem.value(problem.space.config(activation="relu", rate=0)) == 7.0
    assert math.isnan(problem.value(problem.space.config(activation="relu", rate=1)))
    assert problem.optimum == 4.5


def test_a_suggestion_stands_for_the_nearest_recorded_config():
    space = Space(lr=Float(1e-4, 1.0, log=True), x=Float(0.0, 1.0))
    curves = np.array([[3.0, 1.0], [2.0, math.nan], [1.0, 2.0]])
    units = np.array([[0.0, 0.0], [0.5, 0.5], [1.0, 1.0]])
    problem = curve_problem("curves", space, units, curves=curves, objective=Objective("loss"))
    near_first, near_second = space.config(lr=2e-4, x=0.1), space.config(lr=0.02, x=0.4)
    assert [problem.measure(near_first, epoch, 0) for epoch in (1, 2)] == [3.0, 1.0]
    assert math.isnan(problem.measure(near_second, 2, 0))
    assert (problem.epochs, problem.optimum) == (2, 1.0)


def test_a_table_of_files_is_read_as_it_is(tmp_path):
    arrays = dict.fromkeys(("protein_structure", "parkinsons_telemonitoring"), VALUES)
    np.savez(tmp_path / "fcnet.npz", space=np.array(json.dumps(CHOICES)), **arrays)
    problem = read_problem("fcnet/protein_structure", tmp_path)
    assert (problem.objective, problem.optimum) == (Objective("mse"), 0.5)


def test_cells_of_nasbench_are_found_by_their_operations(tmp_path):
    names = np.array(["none", "skip"])
    ops = np.array(np.meshgrid(*[[0, 1]] * 6, indexing="ij")).reshape(6, -1).T[::-1]
    accuracy = np.stack([ops.sum(axis=1), np.full(64, math.nan), ops.sum(axis=1) + 1.0], axis=1)
    np.savez(
        tmp_path / "nasbench201.npz",
        op_names=names, ops=ops, valtest200=accuracy[None], train_seconds200=ops[:, :1].T * 10.0,
    )  # fmt: skip
    problem = read_problem("nasbench201/cifar10", tmp_path)
    config = problem.space.config(dict.fromkeys(problem.space, "none") | {"edge_1_0": "skip"})
    # The repeat that is missing is replaced by one that is there.
    assert [problem.measure(config, 1, repeat) for repeat in range(3)] == [1.0, 2.0, 1.0]
    assert (problem.seconds(config), problem.optimum) == (10.0, pytest.approx(19 / 3))


def test_what_is_missing_is_named(tmp_path):
    with pytest.raises(SearchError, match="the table 'taskset' is missing"):
        read_problem("taskset/patch32_LSTM128_bs128", tmp_path)
    with pytest.raises(SearchError, match="there is no problem called 'mnist'"):
        read_problem("mnist")


@needs_data
@pytest.mark.parametrize("name", problem_names())
def test_a_published_table_has_the_shape_and_the_optimum_that_its_authors_give(name):
    problem = read_problem(name, DATA)
    optima = {
        "fcnet/protein_structure": 0.2214,
        "fcnet/parkinsons_telemonitoring": 6.71e-3,
        "nasbench201/cifar10": 91.61,
    }
    sizes = {"fcnet": 62_208, "hpobench_mlp": 30_000, "nasbench201": 15_625, "taskset": math.inf}
    assert problem.space.size == sizes[name.split("/")[0]]
    assert problem.epochs == (50 if name.startswith("taskset") else 1)
    if name in optima:
        assert problem.optimum == pytest.approx(optima[name], rel=1e-3)
    best = min(
        (problem.regret(c) for c in problem.space.sample(np.random.default_rng(0), 200)),
        key=lambda regret: math.inf if math.isnan(regret) else regret,
    )
    assert best >= 0.0
