"""Studies go to Optuna and come back."""

import optuna
import pytest
from optuna import visualization

import ripieno as rp
from ripieno.interop.optuna import export_study, import_study

SPACE = rp.Space(
    lr=rp.Float(1e-4, 1.0, log=True),
    depth=rp.Int(1, 9, step=2),
    optimizer=rp.Categorical("adam", "sgd"),
    momentum=rp.Float(0.0, 0.9, step=0.3).when(optimizer="sgd"),
    batch=rp.Constant(32),
)


def loss(config, report):
    if config.depth == 9:
        raise RuntimeError("too deep")
    for epoch in range(report.start, report.epochs):
        report(epoch=epoch + 1, loss=config.lr + config.depth / (epoch + 1.0))


@pytest.fixture(scope="module")
def study():
    return rp.search(
        loss, SPACE, metric="loss", scheduler="halving", trials=18, epochs=9, searcher="random"
    )


@pytest.fixture(scope="module")
def exported(study):
    return export_study(study)


def test_every_trial_comes_back_with_its_values(study, exported):
    back = import_study(exported, space=SPACE)
    assert back.objective == study.settings.objective
    assert back.left_out == 0
    assert [trial.config for trial in back.trials] == [trial.config for trial in study.trials]
    for there, here in zip(back.trials, study.trials, strict=True):
        # Of a failure Optuna keeps the curve before it, and the import does not read it.
        assert there.history == (() if here.error else here.history)
        assert (there.error is None) == (here.error is None)


def test_the_space_comes_back_with_its_condition(exported):
    space = import_study(exported).space
    expected = {name: domain for name, domain in SPACE.items() if name != "batch"}
    assert dict(space) == expected


def test_states_are_those_of_optuna(study, exported):
    for there, here in zip(exported.trials, study.trials, strict=True):
        if here.error is not None:
            expected = "FAIL"
            assert "too deep" in there.user_attrs["error"]
        else:
            expected = "COMPLETE" if here.epochs == 9 else "PRUNED"
        assert there.state.name == expected
        assert there.user_attrs["epochs"] == here.epochs
        assert there.user_attrs["constants"] == {"batch": 32}
    assert {trial.state.name for trial in exported.trials} == {"COMPLETE", "PRUNED", "FAIL"}
    assert exported.best_value == min(
        trial.metrics["loss"] for trial in study.trials if trial.epochs == 9
    )


def test_the_history_of_an_exported_study_is_drawn(exported):
    points = visualization.plot_optimization_history(exported).data[0]
    complete = [trial for trial in exported.trials if trial.state.name == "COMPLETE"]
    assert list(points.y) == [trial.value for trial in complete]


def test_the_curves_of_an_exported_study_are_drawn(exported, study):
    curves = visualization.plot_intermediate_values(exported).data
    drawn = [tuple(curve.y) for curve in curves]
    assert drawn == [
        tuple(row["loss"] for row in trial.history) for trial in study.trials if not trial.error
    ]


def test_the_parameters_of_an_exported_study_are_drawn(exported):
    lines = [t for t in visualization.plot_parallel_coordinate(exported).data if t.customdata]
    complete = [trial for trial in exported.trials if trial.state.name == "COMPLETE"]
    assert 0 < len(lines) <= len(complete)
    # The first one is the objective.
    labels = {label for label, _ in lines[0].customdata[1:]}
    assert {"lr", "depth"} <= labels <= set(SPACE.searched)
    (bars,) = visualization.plot_param_importances(exported, params=["lr", "depth"]).data
    assert set(bars.y) == {"lr", "depth"}


def test_the_time_of_each_trial_is_drawn(exported, study):
    bars = visualization.plot_timeline(exported).data
    assert sum(len(bar.y) for bar in bars) == len(study.trials)


def test_a_study_is_written_into_a_storage_once(study, tmp_path):
    storage = f"sqlite:///{tmp_path / 'optuna.db'}"
    export_study(study, storage=storage, name="mine")
    loaded = optuna.load_study(study_name="mine", storage=storage)
    assert [trial.params for trial in loaded.trials] == [
        {name: value for name, value in trial.config.items() if name != "batch"}
        for trial in study.trials
    ]
    with pytest.raises(rp.RipienoError, match="holds a study 'mine' already"):
        export_study(study, storage=storage, name="mine")


def optuna_study(objective, trials=12):
    verbosity = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.RandomSampler(seed=0))
    study.optimize(objective, n_trials=trials)
    optuna.logging.set_verbosity(verbosity)
    return study


def test_a_study_of_optuna_is_read():
    def objective(trial):
        width = trial.suggest_int("width", 16, 64, log=True)
        trial.report(0.25, 1)
        return trial.suggest_float("rate", 0.1, 0.5) * width

    read = import_study(optuna_study(objective))
    assert read.objective == rp.Objective("value", "maximize")
    assert dict(read.space) == {
        "width": rp.Int(16, 64, log=True), "rate": rp.Float(0.1, 0.5)
    }  # fmt: skip
    assert [trial.id for trial in read.trials] == list(range(12))
    for trial in read.trials:
        assert trial.history[0] == {"value": 0.25}
        assert trial.history[1]["value"] == pytest.approx(trial.config.rate * trial.config.width)


def test_a_parameter_of_nested_choices_hangs_on_the_right_one():
    def objective(trial):
        if trial.suggest_categorical("kind", ["tree", "net", "none"]) != "net":
            return 0.0
        is_sgd = trial.suggest_categorical("optimizer", ["sgd", "adam"]) == "sgd"
        return trial.suggest_float("momentum", 0.0, 0.9) if is_sgd else 0.0

    space = import_study(optuna_study(objective, trials=30)).space
    assert space["optimizer"].conditions == (("kind", ("net",)),)
    assert space["momentum"].conditions == (("optimizer", ("sgd",)),)


def test_a_parameter_without_a_telling_choice_needs_the_space():
    def objective(trial):
        x = trial.suggest_float("x", 0.0, 1.0)
        return x + (trial.suggest_float("y", 0.0, 1.0) if x > 0.5 else 0.0)

    study = optuna_study(objective)
    with pytest.raises(rp.RipienoError, match="no choice tells in which"):
        import_study(study)
    read = import_study(study, space=rp.Space(x=rp.Float(0.0, 0.6)))
    assert read.left_out == sum(trial.params["x"] > 0.6 for trial in study.trials) > 0
    assert len(read.trials) + read.left_out == 12


def test_ranges_that_changed_become_the_range_of_all():
    study = optuna_study(lambda trial: trial.suggest_float("x", -trial.number, 1.0), trials=3)
    assert import_study(study).space["x"] == rp.Float(-2.0, 1.0)


def test_a_study_that_was_never_run_is_refused():
    with pytest.raises(rp.RipienoError, match="holds no trial that has ended"):
        import_study(optuna_study(lambda trial: 0.0, trials=0))
