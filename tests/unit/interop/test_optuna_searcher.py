"""Optuna's samplers search Ripieno's spaces."""

import math
from dataclasses import replace

import optuna
import pytest

import ripieno as rp
from ripieno.interop.optuna import OptunaSearcher
from ripieno.records import Objective, Trial, TrialStatus

SPACE = rp.Space(x=rp.Float(-5.0, 5.0), y=rp.Int(0, 9))
OBJECTIVE = Objective("value")


def make(sampler, space=SPACE, **options):
    return OptunaSearcher(space, OBJECTIVE, sampler, **options)


def trained(number, config, *values, status=TrialStatus.PAUSED):
    return Trial(number, config, status, tuple({"value": value} for value in values))


@pytest.mark.parametrize(
    "sampler",
    [
        lambda: optuna.samplers.TPESampler(seed=1, n_startup_trials=4),
        lambda: optuna.samplers.CmaEsSampler(seed=1, n_startup_trials=4),
        lambda: optuna.samplers.NSGAIISampler(seed=1, population_size=4),
        lambda: optuna.samplers.QMCSampler(seed=1, scramble=True),
        lambda: optuna.samplers.GPSampler(seed=1, n_startup_trials=8),
    ],
    ids=["tpe", "cma-es", "nsga-ii", "qmc", "gp"],
)
@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_any_sampler_drives_a_search_and_a_replay_of_it_gives_the_same_configs(sampler):
    def configs():
        study = rp.search(
            lambda config: config.x**2 + config.y,
            SPACE,
            searcher=make(sampler()),
            trials=10,
        )
        return [trial.config for trial in study.trials]

    first = configs()
    assert len(first) == 10
    assert all(SPACE.config(config) == config for config in first)
    assert configs() == first


def test_a_tpe_learns_from_what_it_observes():
    def best(objective):
        searcher = make(optuna.samplers.TPESampler(seed=3, n_startup_trials=5))
        study = rp.search(objective, SPACE, searcher=searcher, trials=40)
        return sum(abs(trial.config.x - 2.0) < 1.0 for trial in study.trials[20:])

    # Half of what it asks for in the end is near the best value, against a fifth by chance.
    assert best(lambda config: (config.x - 2.0) ** 2) >= 10


def test_a_grid_sampler_ends_with_its_grid():
    space = rp.Space(a=rp.Int(0, 2), b=rp.Categorical("u", "v"))
    grid = optuna.samplers.GridSampler({"a": [0, 1, 2], "b": ["u", "v"]}, seed=0)
    searcher = make(grid, space)
    found = searcher.suggest(4)
    searcher.observe([trained(number, config, 1.0) for number, config in enumerate(found)])
    found += searcher.suggest(9)
    assert len(found) == 6
    assert set(found) == set(space.grid())
    assert searcher.suggest(1) == []


def test_a_constraint_that_holds_hardly_anywhere_is_kept():
    space = rp.Space(x=rp.Float(0.0, 1.0), y=rp.Float(0.0, 1.0)).where("x + y <= 0.05")
    sampler = optuna.samplers.TPESampler(seed=0)
    assert all(space.allows(config) for config in make(sampler, space).suggest(3))


def test_an_inactive_hyperparameter_is_not_asked_for():
    space = rp.Space(
        momentum=rp.Float(0.0, 0.9).when(optimizer="sgd"),
        optimizer=rp.Categorical("sgd", "adam"),
    )
    found = make(optuna.samplers.TPESampler(seed=0), space).suggest(12)
    assert {"momentum" in config for config in found} == {True, False}
    assert all(("momentum" in config) == (config.optimizer == "sgd") for config in found)


def told(searcher):
    """What the sampler's own study holds."""
    return [(t.state.name, t.value) for t in searcher.study.trials if t.state.is_finished()]


def test_a_trial_that_goes_on_is_pruned_first_and_complete_later():
    searcher = make(optuna.samplers.RandomSampler(seed=0), epochs=3)
    (config,) = searcher.suggest(1)
    searcher.observe([trained(0, config, 5.0)])
    searcher.observe([trained(0, config, 5.0)])
    searcher.observe([trained(0, config, 5.0, 4.0, 2.0)])
    assert told(searcher) == [("PRUNED", 5.0), ("COMPLETE", 2.0)]


def test_a_trial_that_ends_badly_has_the_worst_value_so_far():
    searcher = make(optuna.samplers.RandomSampler(seed=0))
    first, second, third = searcher.suggest(3)
    searcher.observe([trained(0, first, status=TrialStatus.FAILED)])
    searcher.observe([trained(1, second, 7.0)])
    searcher.observe([trained(2, third, math.nan, status=TrialStatus.DIVERGED)])
    assert told(searcher) == [("FAIL", None), ("COMPLETE", 7.0), ("COMPLETE", 7.0)]


def test_a_trial_that_fails_later_is_told_of_once_more():
    searcher = make(optuna.samplers.RandomSampler(seed=0))
    first, second = searcher.suggest(2)
    searcher.observe([trained(0, first, 1.0), trained(1, second, 7.0)])
    failed = replace(trained(0, first, 1.0, status=TrialStatus.FAILED), error="out of memory")
    searcher.observe([failed])
    searcher.observe([failed])
    assert told(searcher) == [("COMPLETE", 1.0), ("COMPLETE", 7.0), ("COMPLETE", 7.0)]


def test_trials_of_others_are_learned_from_too():
    searcher = make(optuna.samplers.RandomSampler(seed=0))
    searcher.observe([trained(0, SPACE.default(), 1.5)])
    (config,) = searcher.suggest(1)
    searcher.observe([trained(0, config, 2.5)])
    assert told(searcher) == [("COMPLETE", 1.5), ("COMPLETE", 2.5)]


def test_what_is_no_sampler_is_refused():
    with pytest.raises(rp.RipienoError, match="is no sampler of Optuna"):
        make("tpe")


def test_optuna_stays_as_talkative_as_it_was(capsys):
    before = optuna.logging.get_verbosity()
    make(optuna.samplers.RandomSampler(seed=0)).suggest(2)
    assert optuna.logging.get_verbosity() == before
    assert capsys.readouterr().err == ""
