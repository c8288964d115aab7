"""Studies of labels and of values: evaluated, kept, reported, read again."""

import numpy as np
import pytest
from sklearn import metrics as sk
from torch import nn

import ripieno as rp
from ripieno.recipes import Data, mlp
from ripieno.study import predict_file

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 3))
TARGETS = {
    "multilabel": (X + 0.3 * RNG.normal(size=X.shape) > 0.5).astype(int),
    "regression": 5e4 + 1e4 * (X[:, 0] + X[:, 1] ** 2) + 1e3 * RNG.normal(size=200),
    "two columns": X[:, :2] @ [[1.0, 50.0], [2.0, -30.0]] + RNG.normal(size=(200, 2)),
}
SPACE = rp.Space(hidden=rp.Int(4, 8, default=8), lr=rp.Float(1e-2, 1e-1, log=True))
OPTIONS = {"trials": 5, "epochs": 4, "workers": 1, "progress": False}


def network(outputs):
    return lambda c: nn.Sequential(nn.Linear(3, c.hidden), nn.Tanh(), nn.Linear(c.hidden, outputs))


def tune(tmp_path, name, **options):
    y = TARGETS[name]
    outputs = 1 if y.ndim == 1 else y.shape[1]
    return rp.tune(
        network(outputs), (X, y), SPACE, out=tmp_path / "study", **{**OPTIONS, **options}
    )


@pytest.mark.parametrize("folds", [None, 3])
@pytest.mark.parametrize("name", TARGETS)
def test_a_study_is_evaluated_by_the_tasks_own_metric(tmp_path, name, folds):
    with tune(tmp_path, name, folds=folds) as study:
        task = study.job.data.task
        metric = "log_loss" if task == "multilabel" else "rmse"
        assert study.settings.objective == rp.Objective(metric, "minimize")
        results = study.finish()
        ensemble, test = study.ensemble(), study.job.data.test
        measured = ensemble.score(test)
        assert results.ensemble.test == pytest.approx(measured, rel=1e-4)
        assert results.ensemble.gain[metric] == pytest.approx(
            results.best.test[metric] - results.ensemble.test[metric], abs=1e-4, rel=1e-3
        )
        predicted = ensemble.predict(test)
        if task == "regression":
            expected = sk.root_mean_squared_error(test.y, predicted)
        else:
            expected = sk.f1_score(test.y, predicted, average="macro")
        assert measured["f1_macro" if task == "multilabel" else "rmse"] == pytest.approx(expected)
        page = study.folder.report.read_text()
        assert 'id="confusion"' not in page
        assert 'id="reliability"' not in page
        drawn = {"multilabel": ["labels"], "regression": ["predicted", "residuals"]}[task]
        assert all(f'id="{key}"' in page for key in drawn)
        assert 'id="fit"' in page or task == "regression"


@pytest.mark.parametrize("name", TARGETS)
def test_the_stored_predictions_are_what_was_measured(tmp_path, name):
    with tune(tmp_path, name) as study:
        data, best = study.job.data, study.best
        arrays, _ = study.artifacts.read(best.predictions)
        (stored,) = arrays.values()
        if data.task == "multilabel":
            assert list(arrays) == ["probabilities"]
            found = sk.f1_score(data.validation.y, stored > 0.5, average="macro")
            assert best.metrics["f1_macro"] == pytest.approx(found)
        else:
            assert list(arrays) == ["values"]
            y = data.validation.y.reshape(len(stored), -1)
            found = sk.root_mean_squared_error(y, stored)
            assert best.metrics["rmse"] == pytest.approx(found, rel=1e-9)
            assert best.metrics["r2"] == pytest.approx(sk.r2_score(y, stored), rel=1e-9)


def test_the_columns_of_a_prediction_are_those_of_the_task(tmp_path):
    x, y = X, TARGETS["multilabel"]
    np.savez(tmp_path / "rows.npz", x_train=x, y_train=y, target_names=["a", "b", "c"])
    np.savez(tmp_path / "new.npz", x=x[:4])
    with rp.tune("mlp", tmp_path / "rows.npz", out=tmp_path / "s", **OPTIONS) as study:
        study.finish()
        p = study.ensemble().predict_proba(x[:4])
    text = predict_file(tmp_path / "s", tmp_path / "new.npz", None)
    head = "prediction_a,prediction_b,prediction_c,probability_a,probability_b,probability_c"
    assert text.splitlines()[0] == head
    rows = np.array([[float(v) for v in line.split(",")] for line in text.splitlines()[1:]])
    np.testing.assert_array_equal(rows[:, :3], p > 0.5)
    np.testing.assert_allclose(rows[:, 3:], p, rtol=1e-4)


@pytest.mark.parametrize("metric", ["balanced_accuracy", "auroc", "brier"])
def test_a_metric_by_name_knows_its_direction_and_is_measured(tmp_path, metric):
    y = (X[:, 0] > 0.8).astype(int)
    with rp.tune(network(2), (X, y), SPACE, metric=metric, out=tmp_path / "s", **OPTIONS) as study:
        best = "minimize" if metric == "brier" else "maximize"
        assert study.settings.objective == rp.Objective(metric, best)
        values = [trial.metrics[metric] for trial in study.trials]
        assert study.best.metrics[metric] == (min if best == "minimize" else max)(values)
        results = study.results()
        assert metric in results.ensemble.test
        assert list(study.best.metrics)[1:3] == ["log_loss", "accuracy"]


def margin(y, p):
    return float((np.where(y == 1, p[:, 1], p[:, 0]) - 0.5).mean())


def test_a_users_own_metric_is_what_the_search_is_after_and_is_asked_for_again(tmp_path):
    y = (X[:, 0] > 0).astype(int)
    own = rp.Metric(margin, direction="maximize")
    model = network(2)
    with rp.tune(model, (X, y), SPACE, metric=own, out=tmp_path / "s", **OPTIONS) as study:
        assert study.best.metrics["margin"] == max(t.metrics["margin"] for t in study.trials)
        assert study.results().ensemble.test["margin"] > 0
    with rp.open(tmp_path / "s") as read:
        assert read.best.id == study.best.id
    with pytest.raises(rp.RipienoError, match="'margin' was a Python object"):
        rp.open(tmp_path / "s", model=model, data=(X, y))
    with pytest.raises(rp.RipienoError, match="the study's is 'margin'"):
        rp.open(tmp_path / "s", model=model, data=(X, y), metric="accuracy")
    with rp.open(tmp_path / "s", model=model, data=(X, y), metric=own) as again:
        assert again.finished
        assert again.ensemble().weights


def test_a_plain_function_is_a_metric_beside_a_direction(tmp_path):
    y = (X[:, 0] > 0).astype(int)
    given = (network(2), (X, y), SPACE)
    with pytest.raises(rp.RipienoError, match="not known whether more of 'margin' is better"):
        rp.tune(*given, metric=margin, out=tmp_path / "s", **OPTIONS)
    with rp.tune(
        *given, metric=margin, direction="maximize", out=tmp_path / "s", **OPTIONS
    ) as study:
        assert study.settings.objective == rp.Objective("margin", "maximize")


def test_a_metric_in_a_file_or_in_the_recipe_is_found_again(tmp_path):
    (tmp_path / "mine.py").write_text(
        "import ripieno as rp\nfrom torch import nn\n\n\n"
        "def worst(y, values):\n    return float(abs(y - values).max())\n\n\n"
        "aim = rp.Metric(worst, direction='minimize')\n"
        "def recipe(data):\n"
        "    return rp.Recipe(lambda c: nn.Linear(3, 1), metrics=('rmse', aim),\n"
        "        space=rp.Space(lr=rp.Float(1e-3, 1e-1)))\n"
    )
    np.savez(tmp_path / "rows.npz", x_train=X, y_train=TARGETS["regression"])
    for number, (model, metric) in enumerate(
        [("mlp", f"{tmp_path}/mine.py:aim"), (f"{tmp_path}/mine.py:recipe", "worst")]
    ):
        folder = tmp_path / str(number)
        rp.tune(model, tmp_path / "rows.npz", metric=metric, out=folder, **OPTIONS).close()
        with rp.open(folder) as study:
            assert study.settings.objective == rp.Objective("worst", "minimize")
            assert study.finished
            assert study.results().ensemble.test["worst"] > 0


def test_what_is_asked_for_of_the_targets_is_kept_for_the_next_session(tmp_path):
    np.savez(tmp_path / "rows.npz", x_train=X, y_train=np.arange(200) % 11)
    with rp.tune(
        "mlp", tmp_path / "rows.npz", task="regression", scale_targets=False, out=tmp_path / "s",
        **OPTIONS,
    ) as study:  # fmt: skip
        assert study.job.data.coding.scale == (1.0,)
    with rp.open(tmp_path / "s") as again:
        assert again.job.data.task == "regression"
        assert again.job.data.coding == study.job.data.coding
        assert again.finished


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"metric": "accuracy"}, "'accuracy' is for classification"),
        ({"metric": 3}, "a int is no metric"),
        ({"metric": rp.Metric(margin, direction="minimize", name="mae")}, "two metrics"),
        ({"task": "ranking"}, "no task 'ranking'"),
        ({"model": rp.Recipe(network(1), loss="focal")}, "'focal' is for"),
    ],
)
def test_what_does_not_suit_the_task_is_refused_before_a_folder_is_made(tmp_path, options, words):
    given = {"model": network(1), "data": (X, TARGETS["regression"]), "space": SPACE, **options}
    with pytest.raises(rp.RipienoError, match=words) as error:
        rp.tune(**given, out=tmp_path / "s", **OPTIONS)
    assert error.value.fix
    assert not (tmp_path / "s").exists()


def test_data_that_were_read_for_another_task_are_refused(tmp_path):
    data = Data.from_arrays(X, TARGETS["regression"])
    with pytest.raises(rp.RipienoError, match="read already, for regression"):
        rp.tune("mlp", data, task="classification", out=tmp_path / "s", **OPTIONS)
    with pytest.raises(rp.RipienoError, match="read already, for regression"):
        rp.tune("mlp", data, scale_targets=False, out=tmp_path / "s", **OPTIONS)


def test_a_metric_that_the_validation_rows_do_not_define_is_refused_at_once(tmp_path):
    y = np.zeros((200, 2), dtype=int)
    y[:2] = 1
    data = Data.from_arrays(X, y, task="multilabel", validation_share=0.1, test_share=0.1)
    lacking = [label for label in range(2) if not data.validation.y[:, label].any()]
    assert lacking == [0, 1]
    with pytest.raises(rp.RipienoError, match="'auroc' is not defined on the validation part"):
        rp.tune("mlp", data, metric="auroc", out=tmp_path / "s", **OPTIONS)
    with rp.tune("mlp", data, out=tmp_path / "s", **OPTIONS) as study:
        assert study.best.metrics["log_loss"] > 0


def test_the_loss_may_be_searched_as_a_hyperparameter(tmp_path):
    space = rp.Space(
        hidden=rp.Int(4, 8), lr=rp.Float(1e-2, 1e-1), loss=rp.Categorical("mse", "l1", "huber"),
        huber_delta=rp.Float(0.1, 2.0).when(loss="huber"),
    )  # fmt: skip
    data = (X, TARGETS["regression"])
    with rp.tune(network(1), data, space, out=tmp_path / "s", **{**OPTIONS, "trials": 12}) as study:
        assert {trial.config.loss for trial in study.trials} == {"mse", "l1", "huber"}
        assert all(trial.metrics["rmse"] > 0 for trial in study.trials)
        study.finish()
        # The training losses of different losses are not compared.
        assert 'id="fit"' not in study.folder.report.read_text()


def test_balanced_weights_find_more_of_a_rare_class(tmp_path):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(1000, 3))
    y = (x[:, 0] + 1.2 * rng.normal(size=1000) > 2.2).astype(int)
    assert y.mean() < 0.1
    found = {}
    for name in (None, "balanced"):
        recipe = rp.Recipe(network(2), class_weights=name)
        with rp.tune(
            recipe, (x, y), SPACE, metric="balanced_accuracy", out=tmp_path / str(name), **OPTIONS
        ) as study:
            found[name] = study.results().best.test["balanced_accuracy"]
    assert found["balanced"] > found[None] + 0.05


@pytest.mark.parametrize("name", ["regression", "two columns"])
def test_the_default_config_of_the_mlp_learns_values(name, tmp_path):
    data = Data.from_arrays(X, TARGETS[name])
    recipe = mlp(data)
    with rp.tune(
        recipe, data, out=tmp_path / "s", trials=1, epochs=27, scheduler="full", workers=1,
        progress=False,
    ) as study:  # fmt: skip
        assert study.best.metrics["r2"] > 0.6
