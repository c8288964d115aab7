"""A search behind the door of scikit-learn."""

import pickle

import numpy as np
import pandas as pd
import pytest
from optuna.samplers import TPESampler
from sklearn.base import clone
from sklearn.datasets import load_digits, load_iris, make_multilabel_classification
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from torch import nn

import ripieno as rp
from ripieno.interop.optuna import OptunaSearcher
from ripieno.interop.sklearn.searching import workers_of

IRIS, SPECIES = load_iris(return_X_y=True)
NAMED = np.array(["setosa", "versicolor", "virginica"])[SPECIES]
GRID = {"lr": [0.03, 0.003], "depth": [1], "width": [16, 8], "dropout": [0.0]}
CHEAP = {"epochs": 6, "random_state": 0}


@pytest.fixture(scope="module")
def searched():
    """A grid over three folds, with the models of the search as the answer."""
    search = rp.TunedClassifier("mlp", param_grid=GRID, cv=3, refit=False, **CHEAP)
    return search.fit(IRIS, NAMED)


def test_a_grid_is_searched_as_grid_search_cv_would(searched):
    reference = GridSearchCV(LogisticRegression(max_iter=500), {"C": [1.0, 2.0]}, cv=3).fit(
        IRIS, NAMED
    )
    expected = {key for key in reference.cv_results_ if not key.startswith("param_")}
    assert expected <= searched.cv_results_.keys()
    assert len(searched.cv_results_["params"]) == 4
    assert set(searched.cv_results_["epochs"]) == {6}
    assert searched.n_splits_ == 3


def test_the_scores_of_the_splits_are_those_of_the_models(searched):
    folds = list(StratifiedKFold(3).split(IRIS, NAMED))
    alone = searched.best_estimator_
    for number, (_, held) in enumerate(folds):
        # Model `number` alone: the one that was not trained on this fold.
        x = alone.preprocesses[number].apply(IRIS[held])
        answers = rp.Ensemble([alone.members[number]], [1.0], classes=alone.classes).predict(x)
        score = searched.cv_results_[f"split{number}_test_score"][searched.best_index_]
        assert score == pytest.approx(accuracy_score(NAMED[held], answers))


def test_the_best_of_the_results_is_the_best_trial(searched):
    results = searched.cv_results_
    assert results["rank_test_score"][searched.best_index_] == 1
    assert searched.best_score_ == results["mean_test_score"].max()
    assert searched.best_params_ == results["params"][searched.best_index_]
    by_split = np.stack([results[f"split{i}_test_score"] for i in range(3)])
    np.testing.assert_allclose(results["mean_test_score"], by_split.mean(axis=0))
    np.testing.assert_allclose(results["std_test_score"], by_split.std(axis=0))
    history = [trial.metrics["accuracy"] for trial in searched.study_.trials]
    np.testing.assert_allclose(results["mean_test_score"], history)


def test_answers_are_those_of_the_ensemble_by_name(searched):
    probabilities = searched.predict_proba(IRIS)
    np.testing.assert_array_equal(probabilities, searched.ensemble_.predict_proba(IRIS))
    assert searched.classes_.tolist() == ["setosa", "versicolor", "virginica"]
    assert set(searched.predict(IRIS)) <= set(NAMED)
    assert searched.score(IRIS, NAMED) == accuracy_score(NAMED, searched.predict(IRIS)) > 0.8


def test_a_pickle_answers_alike_and_leaves_the_study_behind(searched):
    copy = pickle.loads(pickle.dumps(searched))  # noqa: S301 - our own
    np.testing.assert_array_equal(copy.predict_proba(IRIS), searched.predict_proba(IRIS))
    assert copy.best_params_ == searched.best_params_
    assert not hasattr(copy, "study_")


def test_a_clone_is_not_fitted_and_fits_alike(searched):
    copy = clone(searched)
    assert not hasattr(copy, "classes_")
    again = copy.fit(IRIS, NAMED)
    assert again.cv_results_["mean_test_score"].tolist() == (
        searched.cv_results_["mean_test_score"].tolist()
    )


def test_refit_trains_the_best_config_on_all_rows():
    search = rp.TunedClassifier(param_grid=GRID, cv=2, ensemble=False, **CHEAP).fit(IRIS, NAMED)
    (mean,) = {
        tuple(p.apply(IRIS).mean(axis=0).round(6)) for p in search.best_estimator_.preprocesses
    }
    assert np.allclose(mean, 0.0, atol=1e-5)
    assert len(search.best_estimator_.members) == 1
    assert not hasattr(search, "ensemble_")
    assert search.score(IRIS, NAMED) > 0.8


def test_it_is_the_last_step_of_a_pipeline_and_is_cross_validated():
    search = rp.TunedClassifier(param_grid=GRID, refit=False, **CHEAP)
    scores = cross_val_score(make_pipeline(StandardScaler(), search), IRIS, NAMED, cv=2)
    assert scores.shape == (2,)
    assert (scores > 0.7).all()


def test_its_own_parameters_are_searched_by_grid_search_cv():
    search = rp.TunedClassifier(param_grid=GRID, trials=1, refit=False, **CHEAP)
    outer = GridSearchCV(search, {"epochs": [1, 6]}, cv=2, refit=False).fit(IRIS, NAMED)
    assert outer.best_params_ == {"epochs": 6}


def test_a_scorer_decides_the_search_and_score():
    search = rp.TunedClassifier(
        param_grid=GRID, cv=2, scoring="roc_auc_ovr", refit=False, **CHEAP
    ).fit(IRIS, NAMED)
    auc = roc_auc_score(NAMED, search.predict_proba(IRIS), multi_class="ovr")
    assert search.score(IRIS, NAMED) == pytest.approx(auc)
    assert search.study_.settings.metric == "roc_auc_ovr"


@pytest.mark.parametrize(
    "splitter",
    [ShuffleSplit(2, test_size=30, random_state=0), GroupKFold(3)],
    ids=["shuffle", "group"],
)
def test_a_splitter_says_the_validation_rows(splitter):
    groups = np.arange(150) % 5
    search = rp.TunedClassifier(param_grid=GRID, cv=splitter, trials=2, refit=False, **CHEAP)
    groups = groups if isinstance(splitter, GroupKFold) else None
    search.fit(IRIS, NAMED, groups=groups)
    data = search.study_.job.data
    expected = [SPECIES[held] for _, held in splitter.split(IRIS, NAMED, groups)]
    assert data.targets.tolist() == np.concatenate(expected).tolist()
    for part, codes in zip(data.parts, expected, strict=True):
        assert part.validation.y.tolist() == codes.tolist()


def test_a_table_with_categories_and_gaps_is_read():
    rng = np.random.default_rng(0)
    colour = rng.choice(["red", "green", "blue"], 120)
    size = rng.normal(size=120)
    table = pd.DataFrame({"colour": colour, "size": np.where(size > 1.5, np.nan, size)})
    y = np.where(colour == "red", "stop", "go")
    search = rp.TunedClassifier(param_grid=GRID, cv=2, refit=True, **CHEAP).fit(table, y)
    assert search.feature_names_in_.tolist() == ["colour", "size"]
    assert search.score(table, y) > 0.95
    with pytest.raises(ValueError, match="feature names"):
        search.predict(table[["size", "colour"]])


def test_several_labels_a_row_are_answered_each():
    x, y = make_multilabel_classification(n_samples=80, n_classes=3, random_state=0)
    search = rp.TunedClassifier(param_grid=GRID, refit=False, **CHEAP).fit(x, y)
    assert search.predict(x).shape == search.predict_proba(x).shape == (80, 3)
    assert search.study_.settings.metric == "subset_accuracy"


def test_a_regressor_has_several_targets_and_its_own_scorer():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(120, 3))
    y = np.stack([x[:, 0] * 100.0, x[:, 1] - 5.0], axis=1)
    search = rp.TunedRegressor(
        param_grid=GRID, cv=2, scoring="neg_mean_absolute_error", random_state=0, epochs=12
    ).fit(x, y)
    assert search.predict(x).shape == (120, 2)
    assert search.score(x, y) == pytest.approx(-np.abs(search.predict(x) - y).mean())
    assert not hasattr(search, "predict_proba")


def model(config):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, config.hidden), nn.ReLU(), nn.Linear(config.hidden, 10)
    )


def test_a_model_of_ones_own_reads_images():
    x, y = load_digits(return_X_y=True)
    images = x[:200].reshape(-1, 8, 8)
    space = rp.Space(hidden=rp.Int(16, 32), lr=rp.Constant(0.01))
    search = rp.TunedClassifier(
        model, space=space, trials=2, epochs=3, scheduler="full", refit=False, random_state=0
    ).fit(images, y[:200])
    assert search.score(images, y[:200]) > 0.6


def test_a_sampler_of_optuna_is_made_anew_for_each_fit():
    search = rp.TunedClassifier(
        space=rp.Space(lr=rp.Float(0.001, 0.1, log=True), width=rp.Int(4, 16)),
        searcher=lambda space, objective, seed: OptunaSearcher(
            space, objective, TPESampler(seed=seed, n_startup_trials=2)
        ),
        scheduler="full", trials=4, epochs=2, refit=False, random_state=0,
    )  # fmt: skip
    first = search.fit(IRIS, NAMED).cv_results_["params"]
    assert search.fit(IRIS, NAMED).cv_results_["params"] == first


def test_a_searcher_that_needs_a_space_is_refused_without_one():
    search = rp.TunedClassifier(searcher=lambda space, objective, seed: None)
    with pytest.raises(ValueError, match="makes no searcher of the space of the model"):
        search.fit(IRIS, NAMED)


def test_the_space_of_the_model_is_searched_by_hyperband_and_reported(tmp_path):
    search = rp.TunedClassifier(trials=3, epochs=3, random_state=0).fit(IRIS, SPECIES)
    assert search.study_.settings.scheduler == "hyperband"
    assert set(search.cv_results_["epochs"]) <= {1, 3}
    page = search.study_.report(tmp_path / "report.html")
    assert "mlp on arrays" in page.read_text()


def test_a_trial_that_fails_is_last_and_has_no_score():
    def picky(config):
        if config.hidden == 3:
            raise RuntimeError("an odd width")
        return nn.Sequential(nn.Linear(4, config.hidden), nn.Tanh(), nn.Linear(config.hidden, 3))

    grid = {"hidden": [3, 4], "lr": [0.01]}
    search = rp.TunedClassifier(picky, param_grid=grid, epochs=2, refit=False, random_state=0)
    results = search.fit(IRIS, NAMED).cv_results_
    assert results["rank_test_score"].tolist() == [2, 1]
    assert np.isnan(results["mean_test_score"]).tolist() == [True, False]
    assert search.best_params_ == {"hidden": 4, "lr": 0.01}


def test_a_column_of_the_results_is_masked_where_a_parameter_is_inactive():
    grid = [{"optimizer": ["sgd"], "momentum": [0.9]}, {"optimizer": ["adam"]}]
    search = rp.TunedClassifier(param_grid=grid, epochs=1, refit=False, random_state=0)
    results = search.fit(IRIS, NAMED).cv_results_
    assert results["param_optimizer"].tolist() == ["sgd", "adam"]
    assert results["param_momentum"].tolist() == [0.9, None]


@pytest.mark.parametrize(("n_jobs", "workers"), [(None, 1), (1, 1), (3, 3), (-1, None)])
def test_jobs_are_counted_as_scikit_learn_counts(n_jobs, workers):
    assert workers_of(n_jobs) == workers


def test_no_jobs_at_all_are_refused():
    with pytest.raises(ValueError, match="can do no work"):
        workers_of(0)


def test_a_grid_and_a_space_are_not_both_taken():
    with pytest.raises(ValueError, match="both a param_grid and a space"):
        rp.TunedClassifier(param_grid=GRID, space=rp.Space(lr=rp.Constant(0.1))).fit(IRIS, NAMED)


def test_a_search_in_which_everything_fails_says_why():
    def broken(config):
        raise RuntimeError("no such layer")

    search = rp.TunedClassifier(broken, param_grid={"lr": [0.1]}, epochs=1)
    with pytest.raises(ValueError, match="no such layer"):
        search.fit(IRIS, NAMED)
