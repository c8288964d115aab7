"""The best configs of a study, tuned by gradient and tried as trials."""

from dataclasses import replace

import pytest

import ripieno as rp
from ripieno.errors import RipienoWarning, StudyError
from ripieno.hypergradient import Tuning, tune_online
from ripieno.recipes import load, mlp
from ripieno.records import Trial, TrialStatus, is_tuned, tuned_name, tuned_of
from ripieno.study.refining import Refinement, settled

DIGITS = load("digits", seed=0)
RECIPE = replace(mlp(DIGITS), epochs=2, epoch_rows=320)
FIXED = {"depth": 1, "width": 8, "norm": "none", "residual": False, "batch_size": 64}
LOW = 9e-3
SPACE = rp.Space(
    **{name: rp.Constant(value) for name, value in FIXED.items()},
    lr=rp.Float(LOW, 1e-1, log=True),
    weight_decay=rp.Float(0.0, 1e-2, step=1e-4),
    optimizer=rp.Categorical("adam", "sgd"),
)


def begin(folder, space=SPACE, **options):
    told = {"searcher": "random", "scheduler": "full", "trials": 4, "workers": 1, "seed": 1}
    told |= {"out": folder, "progress": False, **options}
    return rp.tune(RECIPE, DIGITS, space, **told)


def test_the_best_become_trials_that_say_where_they_come_from(tmp_path):
    study = begin(tmp_path / "s")
    order = sorted(study.trials, key=lambda trial: trial.metrics["log_loss"])
    study.refine(2).run(progress=False, workers=1)
    new = study.trials[4:]
    assert len(new) == 2
    assert {study.origin(trial) for trial in new} == {trial.id for trial in order[:2]}
    assert [study.origin(trial) for trial in study.trials[:4]] == [None] * 4
    for trial in new:
        before = study.trials[study.origin(trial)].config
        assert trial.epochs == 2
        assert {n for n in before if before[n] != trial.config[n]} <= {"lr", "weight_decay"}
        assert before != trial.config
    origins = [study.origin(trial) for trial in study.trials]
    told = study.refined
    assert [(one.trial, one.origin) for one in told] == [(t.id, study.origin(t)) for t in new]
    for one in told:
        before, after = (study.trials[number] for number in (one.origin, one.trial))
        assert (one.before, one.after) == (before.metrics["log_loss"], after.metrics["log_loss"])
        assert one.gain == one.before - one.after
        pairs = {n: [before.config[n], after.config[n]] for n in one.changed}
        assert one.changed == pairs
        assert set(pairs) <= {"lr", "weight_decay"}
    results = study.finish()
    assert results.refined == list(told)
    page = (tmp_path / "s" / "report.html").read_text()
    assert "Refined by gradient" in page
    assert f'<tr><th scope="row">{told[0].trial}</th><td>{told[0].origin}</td>' in page
    study.close()
    with rp.open(tmp_path / "s", model=RECIPE, data=DIGITS) as again:
        assert again.finished
        assert [again.origin(trial) for trial in again.trials] == origins
        assert again.refined == told
        assert again.results() == results


def test_what_is_tried_is_what_one_run_of_all_gave(tmp_path):
    study = begin(tmp_path / "s", space=SPACE.fix({"optimizer": "adam"}))
    change = Refinement(study.job, study.settings, study.space).of(study.trials, 3)
    starts = [study.trials[origin] for origin in change.origins]
    tuned = tune_online(
        RECIPE, DIGITS, [trial.config for trial in starts], tuning=Tuning(("lr", "weight_decay")),
        epochs=2, seed=1, trials=[trial.id for trial in starts],
    )  # fmt: skip
    for row, config in enumerate(change.enqueued):
        rate = sum(float(epoch["lr"][row]) for epoch in tuned.values) / 2  # the median of two
        assert config["lr"] == pytest.approx(min(max(rate, LOW), 0.1), rel=1e-4)
        decay = float(tuned.values[-1]["weight_decay"][row])
        assert config["weight_decay"] == pytest.approx(decay, abs=0.5e-4 + 1e-12)
        assert study.space.config(config) == config
    study.close()


def test_what_cannot_be_tuned_is_said(tmp_path):
    study = begin(tmp_path / "s", space=SPACE.fix({"lr": 0.01, "weight_decay": 0.0}))
    with pytest.raises(StudyError, match="no trial can be tuned") as caught:
        study.refine(2)
    assert "tunes nothing" in str(caught.value)
    study.close()
    searched = rp.search(lambda config: config.x, rp.Space(x=rp.Float(0, 1)), trials=2)
    with pytest.raises(StudyError, match="no training to tune"):
        searched.refine()


def test_a_group_that_cannot_be_tuned_is_left_out_with_a_warning(tmp_path):
    mixes = rp.Space(**{**SPACE, "mixup": rp.Categorical(0.0, 0.4)})
    study = begin(tmp_path / "s", space=mixes, trials=6)
    assert {trial.config["mixup"] for trial in study.trials} == {0.0, 0.4}
    with pytest.warns(RipienoWarning, match="has no mixup"):
        change = Refinement(study.job, study.settings, study.space).of(study.trials, 6)
    assert {config["mixup"] for config in change.enqueued} == {0.0}
    study.close()


def test_a_decoupled_weight_decay_is_left_alone():
    names = Refinement(None, None, SPACE).names
    assert names([rp.Config({"lr": 0.1, "weight_decay": 0.1})]) == ("lr", "weight_decay")
    assert names([rp.Config({"lr": 0.1, "weight_decay": 0.1, "optimizer": "adamw"})]) == ("lr",)
    assert names([rp.Config({"lr": 0.1})]) == ("lr",)


def test_a_settled_config_has_what_was_tuned_and_tunes_the_rate_alone():
    config = rp.Config({"hypergradient": "lr+weight_decay", "weight_decay": 0.1, "lr": 0.01})
    row = {"loss": 1.0, tuned_name("lr"): 0.2, tuned_name("weight_decay"): 0.03}
    assert tuned_of(row) == {"lr": 0.2, "weight_decay": 0.03}
    assert is_tuned("tuned_lr")
    assert not is_tuned("learning_rate")
    trial = Trial(0, config, TrialStatus.PAUSED, (row,))
    assert dict(settled(trial)) == {"hypergradient": "lr", "weight_decay": 0.03, "lr": 0.01}
    plain = rp.Config({"hypergradient": "lr"})
    assert settled(replace(trial, config=plain)) is plain


def test_a_study_of_trials_that_tune_themselves_says_what_they_became(tmp_path):
    fixed = {"hypergradient": "lr+weight_decay", "optimizer": "adam"}
    study = begin(tmp_path / "s", fixed=fixed, scheduler="asha", epochs=3)
    assert all(set(tuned_of(t.metrics)) == {"lr", "weight_decay"} for t in study.trials)
    best = study.finish().best
    assert best.validation["tuned_lr"] != best.config["lr"]
    assert "tuned weight decay" in (tmp_path / "s" / "report.html").read_text()
    assert study.diagnose(progress=False).measured["trial"] == study.best.id
    study.close()
