import json
import math

import numpy as np
import pytest
import torch

import ripieno as rp
from ripieno.errors import StudyError
from ripieno.recipes import measure


def test_the_first_trial_is_the_default_and_the_best_one_has_the_least_loss(tuned):
    assert tuned.trials[0].config == tuned.space.default()
    finished = [t for t in tuned.trials if not math.isnan(t.value(tuned.settings.objective))]
    assert tuned.best.metrics["log_loss"] == min(t.metrics["log_loss"] for t in finished)


def test_the_table_has_a_row_a_trial_with_its_config_and_its_last_metrics(tuned):
    frame = tuned.to_dataframe()
    assert frame.trial.tolist() == list(range(6))
    for trial, (_, row) in zip(tuned.trials, frame.iterrows(), strict=True):
        assert row.config_hidden == trial.config.hidden
        assert row.log_loss == trial.metrics["log_loss"]
        assert row.epochs == trial.epochs


def test_the_ensemble_is_no_worse_on_validation_than_the_best_trial(tuned):
    results = tuned.results()
    # Predictions are stored in single precision.
    assert results.ensemble.validation["log_loss"] <= results.best.validation["log_loss"] + 1e-6
    assert sum(results.ensemble.weights) == pytest.approx(1.0, abs=1e-5)


def test_the_ensembles_test_numbers_are_those_of_the_module_itself(tuned):
    test = tuned.job.data.test
    ensemble = tuned.ensemble()
    with torch.no_grad():
        probabilities = ensemble.eval()(torch.from_numpy(test.x)).exp().numpy()
    measured = measure(probabilities, test.y)
    assert measured["log_loss"] == pytest.approx(tuned.results().ensemble.test["log_loss"], 1e-4)
    assert measured["accuracy"] == tuned.results().ensemble.test["accuracy"]


def test_a_members_validation_predictions_are_those_it_stored(tuned):
    best = tuned.best
    arrays, _ = tuned.artifacts.read(best.predictions)
    stored = measure(arrays["probabilities"], tuned.job.data.validation.y)
    assert stored["log_loss"] == pytest.approx(best.metrics["log_loss"], rel=1e-5)


def test_results_are_measured_once_and_kept(tuned):
    first = tuned.results()
    stored = json.loads(tuned.folder.results.read_text())
    assert stored == first.to_dict()
    stored["best"]["test"]["accuracy"] = 0.125
    tuned.folder.results.write_text(json.dumps(stored))
    assert tuned.results().best.test["accuracy"] == 0.125


def test_results_that_cannot_be_read_are_an_error_with_a_fix(tuned):
    tuned.folder.results.write_text("{")
    with pytest.raises(StudyError, match="cannot be read") as error:
        tuned.results()
    assert "resume" in error.value.fix


def test_a_finished_study_that_runs_again_changes_nothing(tuned):
    before = tuned.to_dataframe()
    assert tuned.finished
    tuned.run(progress=False, workers=1)
    assert tuned.to_dataframe().equals(before)


def test_finish_leaves_a_report_and_an_ensemble_that_loads(tuned, factory, arrays):
    tuned.finish()
    assert tuned.folder.report.read_text().startswith("<!doctype html>".lower()) or (
        "<html" in tuned.folder.report.read_text()[:500]
    )
    loaded = rp.Ensemble.load(tuned.folder.ensemble, model=factory)
    np.testing.assert_allclose(
        loaded.predict_proba(arrays[0]), tuned.ensemble().predict_proba(arrays[0]), atol=1e-6
    )


def test_a_study_of_python_objects_is_opened_with_them(tuned, factory, arrays):
    tuned.close()
    with rp.open(tuned.folder.path) as read:
        assert len(read.trials) == 6
        with pytest.raises(StudyError, match="opened for reading"):
            read.run()
        with pytest.raises(StudyError, match="without its model and data"):
            read.ensemble()
    with rp.open(tuned.folder.path, model=factory, data=arrays) as again:
        assert again.finished
        assert again.ensemble().weights is not None


def test_other_data_than_those_of_the_beginning_are_refused(tuned, factory, arrays):
    x, y = arrays
    with pytest.raises(StudyError, match="not those that the study was begun with"):
        rp.open(tuned.folder.path, model=factory, data=(x, 1 - y))


def test_a_stopped_study_goes_on_to_the_same_table(tmp_path, factory, arrays, space):
    options = {"trials": 6, "epochs": 3, "workers": 1, "tier": "loop", "progress": False}
    whole = rp.tune(factory, arrays, space, out=tmp_path / "whole", **options)
    rp.tune(factory, arrays, space, out=tmp_path / "part", target=10.0, **options).close()
    part = rp.open(tmp_path / "part", model=factory, data=arrays)
    assert len(part.trials) < 6
    assert not part.finished
    object.__setattr__(part.settings, "target", None)
    part.run(workers=1, progress=False)
    columns = [c for c in whole.to_dataframe() if c != "seconds"]
    assert part.to_dataframe()[columns].equals(whole.to_dataframe()[columns])


def test_a_study_whose_every_trial_fails_says_the_first_error(tmp_path, arrays, space):
    def broken(config):
        raise ValueError("no such luck")

    with rp.tune(
        broken, arrays, space, trials=3, epochs=1, workers=1, out=tmp_path / "s", progress=False
    ) as study:
        with pytest.raises(StudyError, match="no trial has given a value") as error:
            _ = study.best
        assert "no such luck" in error.value.where
        results = study.finish()
    assert results.best is None
    assert results.ensemble is None


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"metric": "acuracy"}, "no metric 'acuracy'"),
        ({"space": rp.Space()}, "space is empty"),
        ({"workers": 0}, "workers = 0"),
        ({"searcher": "grid"}, "is continuous"),
        ({"searcher": "tea"}, "'tea'"),
        ({"scheduler": "hyperbond"}, "'hyperbond'"),
        ({"epochs": 0}, "epochs"),
        ({"model": 3}, "is no model"),
        ({"model": "cn"}, "no recipe 'cn'"),
        ({"model": "nowhere.py:recipe"}, "does not exist"),
        ({"data": 3}, "not data"),
        ({"data": (np.zeros((4, 2)),)}, "not data"),
        ({"data": "nowhere.csv"}, "nowhere.csv"),
    ],
)
def test_what_cannot_be_tuned_is_refused_in_three_parts(
    tmp_path, factory, arrays, space, options, words
):
    given = {"model": factory, "data": arrays, "space": space, "trials": 2, "epochs": 1, **options}
    with pytest.raises(rp.RipienoError, match=words) as error:
        rp.tune(**given, out=tmp_path / "study", progress=False)
    assert error.value.fix
    assert error.value.where


def test_a_search_over_a_function_lives_in_memory():
    space = rp.Space(x=rp.Float(-2.0, 2.0), y=rp.Float(-2.0, 2.0))
    study = rp.search(lambda c: (c.x - 1) ** 2 + c.y**2, space, trials=200, searcher="sobol")
    assert len(study.trials) == 200
    assert study.best.metrics["value"] < 0.1
    assert study.folder is None
    with pytest.raises(StudyError, match="leaves no predictions"):
        study.ensemble()
    with pytest.raises(StudyError, match="lives in memory"):
        study.report()
    results = study.results()
    assert results.best.validation == {"value": study.best.metrics["value"]}
    assert results.out is None


def test_a_search_leaves_a_report_where_it_is_told(tmp_path):
    study = rp.search(lambda c: c.x**2, rp.Space(x=rp.Float(-1, 1)), trials=5)
    assert study.report(tmp_path / "page.html").stat().st_size > 100_000


def test_a_grid_search_without_a_budget_tries_the_whole_grid():
    space = rp.Space(a=rp.Int(1, 8), b=rp.Categorical("x", "y"), c=rp.Int(1, 5))
    study = rp.search(lambda c: c.a * c.c, space, searcher="grid", direction="maximize")
    assert len(study.trials) == 80
    assert (study.best.config.a, study.best.config.c) == (8, 5)


def test_hyperband_ends_a_plain_function_early():
    def objective(config, report):
        for epoch in range(report.start, 1_000):
            report(epoch=epoch + 1, loss=config.x / (epoch + 1))

    study = rp.search(
        objective, rp.Space(x=rp.Float(0.0, 1.0)), metric="loss", scheduler="hyperband",
        trials=22, epochs=9,
    )  # fmt: skip
    assert max(trial.epochs for trial in study.trials) == 9
    assert min(trial.epochs for trial in study.trials) == 1
    assert study.best.epochs == 9


def test_a_searchers_object_of_the_users_own_is_used():
    from ripieno.searchers import Grid

    space = rp.Space(a=rp.Int(1, 3))
    study = rp.search(lambda c: c.a, space, searcher=Grid(space), trials=10)
    assert [t.config.a for t in study.trials] == [1, 2, 3]


def test_a_search_in_a_folder_is_found_again(tmp_path):
    space = rp.Space(x=rp.Float(-1, 1))
    with rp.search(lambda c: c.x**2, space, trials=5, out=tmp_path / "s") as study:
        first = study.to_dataframe()
    with rp.open(tmp_path / "s") as again:
        assert again.to_dataframe().equals(first)
    with pytest.raises(StudyError, match="already holds a study"):
        rp.search(lambda c: c.x**2, space, trials=5, out=tmp_path / "s")


def test_ctrl_c_records_what_is_done_and_is_raised():
    calls = []

    def objective(config):
        calls.append(config.x)
        if len(calls) == 4:
            raise KeyboardInterrupt
        return config.x

    with pytest.raises(KeyboardInterrupt):
        rp.search(objective, rp.Space(x=rp.Float(0, 1)), trials=10)
    assert len(calls) == 4


def test_a_search_in_memory_continues_in_worker_processes():
    def objective(config, report):
        stored = report.load()
        total = float(stored["total"]) if stored else 0.0
        for epoch in range(report.start, report.epochs):
            total += config.x
            report.save(epoch=epoch + 1, total=total)
            report(epoch=epoch + 1, loss=total)

    study = rp.search(
        objective, rp.Space(x=rp.Float(0.5, 1.0)), metric="loss", scheduler="hyperband",
        trials=5, epochs=3, workers=2,
    )  # fmt: skip
    for trial in study.trials:
        assert trial.metrics["loss"] == pytest.approx(trial.epochs * trial.config.x)


def test_a_searcher_of_the_users_own_gives_results_and_can_run_again():
    from ripieno.searchers import Grid

    space = rp.Space(a=rp.Int(1, 6))
    study = rp.search(lambda c: c.a, space, searcher=Grid(space), trials=10, target=3.0)
    assert not study.results().finished
    object.__setattr__(study.settings, "target", None)
    study.run()
    assert [t.config.a for t in study.trials] == [1, 2, 3, 4, 5, 6]
    assert study.results().finished


def test_a_study_with_a_searcher_of_the_users_own_can_be_read_without_it(tmp_path):
    from ripieno.searchers import Grid

    space = rp.Space(a=rp.Int(1, 3))
    rp.search(lambda c: c.a, space, searcher=Grid(space), trials=10, out=tmp_path / "s").close()
    with rp.open(tmp_path / "s", read_only=True) as study:
        assert study.results().best.config == {"a": 1}
