import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from ripieno.errors import SearchError
from ripieno.records import Objective, Trial, TrialStatus
from ripieno.searchers import GaussianProcess, Sobol
from ripieno.space import Categorical, Float, Int, Space

LOSS = Objective("loss")
PLANE = Space(x=Float(-1.0, 1.0), y=Float(-1.0, 1.0))


def told(searcher, loss, *, count, first=0, status=TrialStatus.PAUSED):
    """Let a searcher suggest and observe; return the trials."""
    trials = []
    for number in range(first, first + count):
        for config in searcher.suggest(1):
            trials.append(Trial(number, config, status, ({"loss": loss(config)},)))
            searcher.observe(trials[-1:])
    return trials


def bowl(config):
    return (config["x"] - 0.3) ** 2 + (config["y"] + 0.6) ** 2


def test_the_first_suggestions_are_those_of_the_sobol_searcher():
    assert GaussianProcess(PLANE, LOSS, 4).suggest(8) == Sobol(PLANE, 4).suggest(8)


def test_it_finds_the_bottom_of_a_bowl_in_few_trials():
    trials = told(GaussianProcess(PLANE, LOSS, 0), bowl, count=20)
    assert min(trial.metrics["loss"] for trial in trials) < 1e-4


def test_a_maximum_is_sought_where_more_is_better():
    searcher = GaussianProcess(PLANE, Objective("loss", "maximize"), 0)
    trials = told(searcher, lambda config: -bowl(config), count=20)
    assert max(trial.metrics["loss"] for trial in trials) > -1e-4


def test_conditional_hyperparameters_are_modelled_and_not_drawn():
    space = Space(
        branch=Categorical("a", "b"),
        x=Float(0.0, 1.0).when(branch="a"),
        y=Float(0.0, 1.0).when(branch="b"),
        depth=Int(1, 20).when(branch="b"),
    )

    def loss(config):
        if config.branch == "a":
            return 0.5 + (config.x - 0.2) ** 2
        return (config.y - 0.8) ** 2 + 0.01 * abs(config.depth - 17)

    trials = told(GaussianProcess(space, LOSS, 1), loss, count=35)
    best = min(trials, key=lambda trial: trial.metrics["loss"])
    assert best.config.depth == 17
    assert abs(best.config.y - 0.8) < 0.03


def test_suggestions_keep_a_constraint_that_cuts_off_the_optimum():
    space = PLANE.where("x + y <= -0.6")
    trials = told(GaussianProcess(space, LOSS, 2), bowl, count=22)
    assert all(trial.config.x + trial.config.y <= -0.6 for trial in trials)
    # The nearest allowed point lies 0.3 / sqrt(2) away.
    assert min(trial.metrics["loss"] for trial in trials) < 0.045 + 0.01


def test_where_trials_fail_it_searches_elsewhere():
    searcher = GaussianProcess(PLANE, LOSS, 3)
    suggested = []
    for number in range(30):
        (config,) = searcher.suggest(1)
        suggested.append(config)
        trial = Trial(number, config, TrialStatus.PAUSED, ({"loss": bowl(config)},))
        if config.x > 0.2:
            trial = replace(trial, status=TrialStatus.FAILED, history=(), error="as it was meant")
        searcher.observe([trial])
    # The bottom is where trials fail; beside it, where the loss is 0.01, the search goes on.
    assert sum(config.x > 0.2 for config in suggested[15:]) <= 4
    assert min(bowl(config) for config in suggested if config.x <= 0.2) < 0.04


def test_a_batch_spreads_because_pending_trials_are_expected_to_give_something():
    searcher = GaussianProcess(PLANE, LOSS, 5)
    told(searcher, bowl, count=10)
    batch = np.array([list(config.values()) for config in searcher.suggest(6)])
    apart = np.linalg.norm(batch[:, None] - batch[None], axis=-1) + 9.0 * np.eye(6)
    assert apart.min() > 1e-3


def test_it_learns_from_short_trials_and_suggests_for_the_full_budget():
    searcher = GaussianProcess(PLANE, LOSS, 6, epochs=9)
    for number, config in enumerate(searcher.suggest(14)):
        rows = tuple({"loss": bowl(config) + 1.0 / epoch} for epoch in range(1, 10))
        searcher.observe([Trial(number, config, TrialStatus.PAUSED, rows[:1])])
        if number % 3 == 0:
            searcher.observe([Trial(number, config, TrialStatus.PAUSED, rows)])
    assert min(bowl(config) for config in searcher.suggest(3)) < 0.02


def test_noisy_results_do_not_keep_it_from_the_bottom():
    rng = np.random.default_rng(7)
    searcher = GaussianProcess(PLANE, LOSS, 7)
    told(searcher, lambda config: bowl(config) + 0.1 * rng.standard_normal(), count=35)
    latest = searcher.suggest(1)[0]
    assert bowl(latest) < 0.15


def test_of_two_objectives_the_front_is_found():
    objectives = [Objective("loss"), Objective("gain", "maximize")]
    searcher = GaussianProcess(PLANE, objectives, 8)
    configs = []
    for number in range(22):
        (config,) = searcher.suggest(1)
        configs.append(config)
        row = {"loss": (config.x - 0.5) ** 2 + config.y**2, "gain": -(config.x**2) - config.y**2}
        searcher.observe([Trial(number, config, TrialStatus.PAUSED, (row,))])
    # The front is the way from (0, 0) to (0.5, 0).
    front = [config.x for config in configs if abs(config.y) < 0.1 and -0.05 < config.x < 0.55]
    assert len(front) >= 6
    assert max(front) - min(front) > 0.3


def test_more_than_a_thousand_results_are_thinned():
    space = Space(x=Float(-1.0, 1.0), y=Float(-1.0, 1.0), z=Categorical("a", "b"))
    searcher = GaussianProcess(space, LOSS, 9, most_rows=60)
    configs = Sobol(space, 1).suggest(1_200)
    searcher.observe(
        [
            Trial(number, config, TrialStatus.PAUSED, ({"loss": bowl(config)},))
            for number, config in enumerate(configs)
        ]
    )
    searcher.suggest(8)
    assert bowl(searcher.suggest(1)[0]) < 1e-3


def test_forked_trials_are_left_out():
    plain, shown = (GaussianProcess(PLANE, LOSS, 1) for _ in range(2))
    trials = told(plain, bowl, count=10)
    shown.suggest(10)
    shown.observe(trials)
    fork = Trial(10, PLANE.default(), TrialStatus.PAUSED, ({"loss": -9.0},), 3, parent=2)
    shown.observe([fork])
    again = GaussianProcess(PLANE, LOSS, 1)
    again.suggest(10)
    again.observe(trials)
    assert shown.suggest(1) == again.suggest(1)


SCRIPT = """
from ripieno.records import Objective, Trial, TrialStatus
from ripieno.searchers import GaussianProcess
from ripieno.testing import curve, example_spaces
searcher = GaussianProcess(example_spaces()["nested"], Objective("loss"), 3)
for number in range(10):
    (config,) = searcher.suggest(1)
    searcher.observe([Trial(number, config, TrialStatus.PAUSED, (curve(config, 3),))])
print(searcher.suggest(2))
"""


def test_another_process_suggests_the_same():
    answers = [
        subprocess.run(
            [sys.executable, "-c", SCRIPT],
            env={**os.environ, "PYTHONHASHSEED": seed, "OMP_NUM_THREADS": threads},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed, threads in [("1", "1"), ("2", "2")]
    ]
    assert answers[0] == answers[1]
    assert answers[0].startswith("[Config(")


def test_torch_keeps_its_threads():
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        told(GaussianProcess(PLANE, LOSS), bowl, count=9)
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"initial": 1}, "too small"),
        ({"most_rows": 3}, "too small"),
        ({"epochs": 0}, "too small"),
        ({"seed": -1}, "seed = -1"),
    ],
)
def test_numbers_out_of_range_are_refused(settings, problem):
    with pytest.raises(SearchError, match=problem):
        GaussianProcess(PLANE, LOSS, **settings)


def test_a_search_for_nothing_is_refused():
    with pytest.raises(SearchError, match="no metric"):
        GaussianProcess(PLANE, [])
