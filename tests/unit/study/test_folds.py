"""Studies whose trials are several models, one for each fold and seed."""

import math

import numpy as np
import pytest
from torch import nn

import ripieno as rp
from ripieno.errors import DataError, RecipeError, StudyError
from ripieno.recipes import Data, measure, predict_probabilities
from ripieno.reports.figures import style
from ripieno.study.members import load_models
from ripieno.study.settings import Settings

OPTIONS = {"trials": 5, "epochs": 3, "workers": 1, "progress": False}
SPACE = rp.Space(
    hidden=rp.Int(2, 6, default=4),
    lr=rp.Float(1e-3, 1e-1, log=True),
    dropout=rp.Float(0.0, 0.3),
)


def build(config):
    return nn.Sequential(
        nn.Linear(3, config.hidden), nn.Tanh(), nn.Dropout(config.dropout),
        nn.Linear(config.hidden, 2),
    )  # fmt: skip


@pytest.fixture(scope="module")
def study(tmp_path_factory, arrays):
    out = tmp_path_factory.mktemp("folds") / "study"
    with rp.tune(build, arrays, SPACE, folds=3, seeds=2, out=out, **OPTIONS) as found:
        found.finish()
        yield found


def test_folds_and_seeds_are_recorded(study):
    assert (study.settings.folds, study.settings.seeds) == (3, 2)
    assert Settings.from_dict(study.settings.to_dict(), where="here") == study.settings
    results = study.results()
    assert (results.folds, results.seeds) == (3, 2)
    assert results.best.validation["log_loss_spread"] > 0
    assert results.epochs == sum(len(trial.history) for trial in study.trials)


def test_settings_of_a_study_from_before_mean_one_model_a_trial(study):
    values = study.settings.to_dict()
    del values["folds"], values["seeds"]
    old = Settings.from_dict(values, where="here")
    assert (old.folds, old.seeds) == (1, 1)


def test_predictions_are_of_the_whole_search_part(study, arrays):
    data = study.job.data
    assert len(data.targets) + len(data.test) == len(arrays[1])
    for trial in study.trials:
        probabilities = study.artifacts.read(trial.predictions)[0]["probabilities"]
        assert probabilities.shape == (len(data.targets), 2)
        # The mean of two models is no worse than they are on average, fold by fold.
        found = np.mean([
            measure(probabilities[rows], data.targets[rows])["log_loss"]
            for rows in data.folds.rows
        ])  # fmt: skip
        assert found <= trial.metrics["log_loss"] + 1e-6


def test_the_ensemble_is_selected_on_out_of_fold_predictions(study):
    data, found = study.job.data, study.results().ensemble
    votes = [
        study.artifacts.read(study.trials[number].predictions)[0]["probabilities"]
        for number in found.members
    ]
    pooled = np.tensordot(found.weights, votes, axes=1)
    assert found.validation == pytest.approx(measure(pooled, data.targets), abs=1e-5)


def test_a_member_is_the_mean_of_its_models_each_with_its_own_preprocessing(study):
    data, chosen = study.job.data, study.results().ensemble
    expected = np.zeros((len(data.test), 2))
    for number, weight in zip(chosen.members, chosen.weights, strict=True):
        models = load_models(study.job, study.trials[number], study.artifacts)
        assert len(models) == 6
        for replica, module in enumerate(models):
            x = data.folds.parts[replica % 3].preprocess.apply(data.test.raw)
            expected += weight / 6 * predict_probabilities(module, x)
    ensemble = study.ensemble()
    assert len(ensemble.members) == 6 * len(chosen.members)
    for rows in (data.test, data.test.raw):
        np.testing.assert_allclose(ensemble.predict_proba(rows), expected, atol=1e-5)
    measured = measure(expected, data.test.y)
    assert chosen.test == pytest.approx(measured, abs=1e-5)
    assert ensemble.score(data.test)["log_loss"] == pytest.approx(measured["log_loss"], abs=1e-5)
    loaded = rp.Ensemble.load(study.folder.ensemble, model=build)
    np.testing.assert_allclose(loaded.predict_proba(data.test.raw), expected, atol=1e-5)


def test_the_best_trials_test_numbers_are_those_of_its_models_mean(study):
    best, data = study.best, study.job.data
    models = load_models(study.job, best, study.artifacts)
    answers = [
        predict_probabilities(module, data.folds.parts[number % 3].test.x)
        for number, module in enumerate(models)
    ]
    expected = measure(np.mean(answers, axis=0), data.test.y)
    assert study.results().best.test == pytest.approx(expected, abs=1e-6)


def test_the_report_tells_folds_seeds_and_spread(study):
    page = study.folder.report.read_text()
    value = study.best.metrics["log_loss_spread"]
    assert f"± {style.number(value)}" in page
    assert "<dt>folds</dt><dd>3</dd>" in page
    assert "<dt>seeds of a trial</dt><dd>2</dd>" in page
    assert f"<dt>search rows</dt><dd>{len(study.job.data.targets)}</dd>" in page


def test_a_stopped_study_goes_on_to_the_same_table(tmp_path, arrays):
    options = {**OPTIONS, "folds": 3, "seeds": 2, "tier": "loop"}
    study = rp.tune(build, arrays, SPACE, out=tmp_path / "whole", **options)
    part = tmp_path / "part"
    rp.tune(build, arrays, SPACE, out=part, target=10.0, **options).close()
    with rp.open(part, model=build, data=arrays) as again:
        assert len(again.trials) < 5
        object.__setattr__(again.settings, "target", None)
        again.run(workers=1, progress=False)
        columns = [c for c in again.to_dataframe() if c != "seconds"]
        assert again.to_dataframe()[columns].equals(study.to_dataframe()[columns])
        assert again.job.seeds == 2


def test_other_data_or_other_folds_are_refused_on_resume(study, arrays):
    x, y = arrays
    path = study.folder.path
    with pytest.raises(StudyError, match="not those that the study was begun with"):
        rp.open(path, model=build, data=(x, 1 - y))
    with pytest.raises(StudyError, match="folds = 3 is asked for, and the data are divided into"):
        rp.open(path, model=build, data=Data.from_arrays(x, y, folds=4))
    with rp.open(path, model=build, data=Data.from_arrays(x, y, folds=3)) as again:
        assert again.finished


def test_the_folds_of_given_data_are_taken(study, tmp_path, arrays):
    given = Data.from_arrays(*arrays, folds=3)
    options = {**OPTIONS, "seeds": 2, "out": tmp_path / "study"}
    with rp.tune(build, given, SPACE, **options) as found:
        columns = [c for c in found.to_dataframe() if c != "seconds"]
        assert found.to_dataframe()[columns].equals(study.to_dataframe()[columns])
        assert found.settings == study.settings


def test_one_fold_and_one_seed_change_nothing(tmp_path, arrays):
    plain = rp.tune(build, arrays, SPACE, out=tmp_path / "a", **OPTIONS)
    ones = rp.tune(build, arrays, SPACE, folds=1, seeds=1, out=tmp_path / "b", **OPTIONS)
    columns = [c for c in plain.to_dataframe() if c != "seconds"]
    assert not any("spread" in column for column in columns)
    assert ones.to_dataframe()[columns].equals(plain.to_dataframe()[columns])
    assert [trial.state for trial in ones.trials] == [trial.state for trial in plain.trials]
    assert ones.settings == plain.settings


def test_seeds_alone_average_on_the_validation_part(tmp_path, arrays):
    with rp.tune(build, arrays, SPACE, seeds=3, out=tmp_path / "s", **OPTIONS) as found:
        data = found.job.data
        assert data.folds is None
        stored = found.artifacts.read(found.best.predictions)[0]["probabilities"]
        votes = [
            predict_probabilities(module, data.validation.x)
            for module in load_models(found.job, found.best, found.artifacts)
        ]
        np.testing.assert_allclose(stored, np.mean(votes, axis=0), atol=1e-6)
        assert not math.isnan(found.best.metrics["accuracy_spread"])
        assert found.ensemble().preprocesses == (data.preprocess,)


@pytest.mark.parametrize(
    ("options", "kind", "words"),
    [
        ({"folds": 0}, DataError, "needs at least 2 folds"),
        ({"folds": 100}, DataError, "and folds = 100 needs 100"),
        ({"seeds": 0}, RecipeError, "seeds = 0 trains no model"),
    ],
)
def test_impossible_values_are_refused_before_a_folder_is_made(
    tmp_path, arrays, options, kind, words
):
    with pytest.raises(kind, match=words):
        rp.tune(build, arrays, SPACE, out=tmp_path / "study", **OPTIONS, **options)
    assert not (tmp_path / "study").exists()
