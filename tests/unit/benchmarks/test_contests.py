"""What the benchmarks of the search reckon with, held to numbers that are known."""

import importlib
import json
import math
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from ripieno.space import Float, Space
from ripieno.testing import Problem

FOLDER = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def load(monkeypatch):
    """Import a file of the benchmarks, which are scripts and no package."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module


def test_each_function_has_its_least_value_where_it_is_said_to_be(load):
    functions = load("functions")
    hartmann, ackley, rosenbrock, conditional = functions.functions()
    best = [0.20169, 0.150011, 0.476874, 0.275332, 0.311652, 0.6573]
    assert functions.hartmann6(np.array(best)) == pytest.approx(hartmann.optimum, abs=1e-6)
    origin = ackley.space.config(dict.fromkeys(ackley.space, 0.0))
    assert ackley.regret(origin) == pytest.approx(0.0, abs=1e-9)
    ones = rosenbrock.space.config({f"x{index}": 1.0 for index in range(1, 6)})
    assert rosenbrock.regret(ones) == 0.0
    network = conditional.space.config(
        model="network", layers=2, width_1=128, width_2=64, optimizer="sgd", lr=0.02, momentum=0.9
    )
    assert conditional.regret(network) == pytest.approx(0.0, abs=1e-12)
    rng = np.random.default_rng(0)
    for problem in (hartmann, ackley, rosenbrock, conditional):
        assert min(map(problem.regret, problem.space.sample(rng, 300))) > 0.0
    assert min(problem.regret(problem.space.default()) for problem in functions.functions()) > 0.1


def test_ranks_share_ties_and_leave_out_who_did_not_run_everywhere(load):
    search = load("search")

    def cell(problem, method, regret, seed=0):
        return (problem, method, seed), {"evaluations": 25, "curve": [[1, 0.0, regret]]}

    cells = dict(
        [
            cell("a", "one", 1.0), cell("a", "two", 1.0), cell("a", "three", 3.0),
            cell("b", "one", 2.0), cell("b", "two", 1.0), cell("b", "three", 0.5),
            cell("a", "grid", 0.0),
        ]
    )  # fmt: skip
    assert search.mean_ranks(cells, 25) == {"one": 2.25, "two": 1.75, "three": 2.0}
    assert search.mean_ranks(cells, 50) == {}
    # A seed that one problem lacks would let the others weigh more.
    cells |= dict([cell("a", each, 9.0 - len(each), seed=1) for each in ("one", "two", "three")])
    assert search.shared_seeds(cells, 25) == [0]
    assert search.mean_ranks(cells, 25) == {"one": 2.25, "two": 1.75, "three": 2.0}


def test_a_line_that_was_cut_off_is_no_cell(load, tmp_path):
    path = tmp_path / "some.partial.jsonl"
    whole = {"problem": "a", "method": "b", "seed": 0, "curve": []}
    path.write_text(json.dumps(whole) + "\n" + json.dumps(whole)[:-9])
    assert load("cells").read_cells(path, tmp_path / "none.json") == {("a", "b", 0): whole}


def test_optuna_is_asked_for_what_is_active_and_its_epochs_are_those_it_ran(load):
    pytest.importorskip("optuna")
    peers, functions = load("peers"), load("functions")
    conditional = functions.functions()[-1]
    peer = peers.optuna_search(conditional, sampler="optuna_random", seed=0, most_trials=30)
    assert (peer.epochs, peer.incumbents[0].config) == (30, conditional.space.default())
    assert any(
        "width_2" in each.config or each.config.model != "network" for each in peer.incumbents
    )
    seen = []

    def measure(config, epoch, _):
        seen.append(epoch)
        return math.nan if config.x > 0.8 else config.x + 1.0 / epoch

    curves = Problem(name="curves", space=Space(x=Float(0.0, 1.0)), measure=measure, epochs=9)
    peer = peers.optuna_search(
        curves, sampler="optuna_random", pruner="hyperband", seed=0, most_epochs=60
    )
    assert peer.epochs == len(seen) >= 60
    assert seen.count(9) < seen.count(1), "some were pruned, and all began"


def test_a_picture_of_curves_is_well_formed(load, tmp_path):
    plots = load("plots")
    curve = plots.Curve("a & b", [1, 10, 100], [1.0, math.nan, 0.01], [0.9, 0.1, 0.0], [2, 1, 1])
    flat = plots.Curve("flat", [1, 100], [0.5, 0.5])
    path = plots.panels(
        tmp_path / "curves.svg", [plots.Panel("one", [curve, flat])] * 4, title="t", caption="c",
        x_axis="x", y_axis="y", log_x=True,
    )  # fmt: skip
    drawn = ET.parse(path).getroot()  # noqa: S314 - a file that was written here
    lines = [each for each in drawn if each.tag.endswith("polyline")]
    assert len(lines) == 2 + 2 * 4
