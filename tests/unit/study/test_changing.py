"""Studies that are changed after they have begun: the record is the truth."""

import pytest

import ripieno as rp
from ripieno.errors import SearchError, SpaceError, StudyError
from ripieno.ledger import SqlLedger
from ripieno.records import Trial, TrialStatus
from ripieno.searchers import Random
from ripieno.study.strategy import Strategy
from ripieno.testing import Learner

SPACE = rp.Space(x=rp.Float(0.0, 1.0, default=0.5), y=rp.Float(0.0, 1.0, default=0.5))
WIDER = rp.Space(
    x=rp.Float(0.0, 2.0, default=0.5), y=rp.Float(0.0, 0.5, default=0.5), n=rp.Int(1, 9, default=3)
)


def curve(config, report):
    saved = report.load()
    loss = float(saved["loss"]) if saved else 1.0 + config.y
    for epoch in range(report.start, report.epochs):
        loss = 0.8 * loss + 0.1 * config.x + 0.01 * config.get("n", 0)
        report.save(epoch=epoch + 1, loss=loss)
        report(epoch=epoch + 1, loss=loss)


def begin(folder, **options):
    told = {"metric": "loss", "scheduler": "hyperband", "epochs": 9, "trials": 12, **options}
    return rp.search(curve, SPACE, out=folder, **told)


def events(folder):
    ledger = SqlLedger.open(folder / "study.db")
    try:
        return list(ledger.events())
    finally:
        ledger.close()


def table(study):
    """All of the trials that does not depend on time."""
    return [(t.id, t.config, t.status, t.history, t.first_epoch, t.parent) for t in study.trials]


def test_enqueued_configs_are_tried_first_and_what_they_lack_is_default(tmp_path):
    study = begin(tmp_path / "s", enqueue=[{"x": 0.25}, {"x": 0.1, "y": 0.2}])
    assert [dict(t.config) for t in study.trials[:3]] == [
        {"x": 0.25, "y": 0.5},
        {"x": 0.1, "y": 0.2},
        {"x": 0.5, "y": 0.5},
    ]
    assert len(study.trials) == 12


@pytest.mark.parametrize("scheduler", ["full", "halving", "hyperband", "asha", "median"])
def test_a_finished_study_is_given_more_trials_and_configs(tmp_path, scheduler):
    study = begin(tmp_path / "s", scheduler=scheduler)
    assert study.finished
    study.enqueue({"x": 0.125})
    assert study.finished  # it waits for a place
    study.run(trials=15)
    assert len(study.trials) == 15
    assert study.trials[12].config.x == 0.125
    assert study.finished
    with pytest.raises(StudyError, match="can only be raised"):
        study.run(trials=10)


def changed(study):
    study.enqueue({"x": 0.125})
    study.run(trials=16)
    study.change_space(WIDER)
    study.run(trials=24)
    study.enqueue({"x": 2.0})
    study.run(trials=27)


# Mother test 3 of the project, through changes.
@pytest.mark.parametrize("scheduler", ["full", "hyperband", "asha", "median"])
def test_a_study_that_is_opened_again_at_every_change_is_the_one_that_stayed_open(
    tmp_path, scheduler
):
    whole = begin(tmp_path / "whole", scheduler=scheduler)
    changed(whole)
    begin(tmp_path / "parts", scheduler=scheduler).close()
    for step in (
        lambda study: study.enqueue({"x": 0.125}),
        lambda study: study.run(trials=16),
        lambda study: study.change_space(WIDER),
        lambda study: study.run(trials=24),
        lambda study: study.enqueue({"x": 2.0}),
        lambda study: study.run(trials=27),
    ):
        with rp.open(tmp_path / "parts", objective=curve) as study:
            step(study)
    with rp.open(tmp_path / "parts", objective=curve) as parts:
        assert table(parts) == table(whole)
        assert parts.finished
        assert parts.space == WIDER
    news = [trial.config for trial in whole.trials[16:]]
    assert all("n" in config for config in news)
    assert any(config.x > 1.0 for config in news)
    assert whole.trials[24].config == WIDER.config(x=2.0, y=0.5, n=3)


def test_a_run_that_stops_early_after_a_change_goes_on_to_the_same_trials(tmp_path):
    whole, part = begin(tmp_path / "whole"), begin(tmp_path / "part")
    for study in (whole, part):
        study.change_space(WIDER)
    whole.run(trials=30)
    part.run(trials=30, minutes=1e-9)
    assert len(part.trials) < 30
    part.close()
    with rp.open(tmp_path / "part", objective=curve) as again:
        again.run()
        assert table(again) == table(whole)


def test_a_report_of_a_study_with_two_spaces_is_written(tmp_path):
    study = begin(tmp_path / "s")
    study.change_space(rp.Space(x=rp.Float(0.0, 0.4), z=rp.Categorical("a", "b")))
    study.run(trials=18)
    assert "<html" in study.report(tmp_path / "page.html").read_text()[:500]


def test_what_cannot_be_changed_is_refused_and_leaves_no_trace(tmp_path):
    study = begin(tmp_path / "s", trials=5)
    before = events(tmp_path / "s")
    with pytest.raises(SpaceError, match=r"3\.0"):
        study.enqueue({"x": 3.0})
    with pytest.raises(SpaceError, match="'q' is no hyperparameter"):
        study.enqueue({"q": 3.0})
    with pytest.raises(StudyError, match="is a function"):
        study.change_space(SPACE.where(lambda c: c.x < c.y, "x below y"))
    with pytest.raises(StudyError, match="empty"):
        study.change_space(rp.Space())
    assert events(tmp_path / "s") == before


def test_a_population_keeps_its_space_and_its_size(tmp_path):
    study = begin(tmp_path / "s", scheduler="pbt", trials=4, enqueue=[{"x": 0.125}])
    assert study.trials[0].config.x == 0.125
    for change in (
        lambda: study.enqueue({"x": 0.5}),
        lambda: study.change_space(WIDER),
        lambda: study.run(trials=9),
    ):
        with pytest.raises(StudyError, match="cannot be changed like that"):
            change()


def test_a_searcher_of_ones_own_takes_configs_and_trials_but_no_other_space(tmp_path):
    study = begin(tmp_path / "s", searcher=Random(SPACE, seed=4), enqueue=[{"x": 0.125}])
    assert study.trials[0].config.x == 0.125
    with pytest.raises(StudyError, match="has run already"):
        study.enqueue({"x": 0.25})
    study.close()
    with rp.open(tmp_path / "s", objective=curve, searcher=Random(SPACE, seed=4)) as again:
        again.enqueue({"x": 0.25}).run(trials=14)
        assert again.trials[12].config.x == 0.25
    again = rp.open(tmp_path / "s", objective=curve, searcher=Random(SPACE, seed=4))
    with again, pytest.raises(StudyError, match="knows no other space"):
        again.change_space(WIDER)


def test_a_study_learns_from_another_one_and_tries_its_best(tmp_path):
    old = begin(tmp_path / "old")
    options = {"metric": "loss", "trials": 4}
    cold = rp.search(curve, SPACE, searcher=Learner(SPACE), **options)
    warm = rp.search(curve, SPACE, searcher=Learner(SPACE), warm_start=old, **options)
    again = rp.search(curve, SPACE, searcher=Learner(SPACE), warm_start=tmp_path / "old", **options)
    assert table(warm) == table(again)
    assert [t.config for t in warm.trials] != [t.config for t in cold.trials]
    assert [trial.id for trial in warm.trials] == [0, 1, 2, 3]
    best = rp.search(curve, SPACE, warm_start=old, warm_best=2, **options)
    ranking = sorted(old.trials, key=lambda t: (t.metrics["loss"], t.id))
    assert [t.config for t in best.trials[:2]] == [t.config for t in ranking[:2]]


def test_a_warm_start_is_in_the_record_and_needs_the_other_study_no_more(tmp_path):
    trials = [
        Trial(0, rp.Config({"x": 0.5, "y": 0.5}), TrialStatus.PAUSED, ({"loss": 1.0},)),
        Trial(1, rp.Config({"x": 5.0, "y": 0.5}), TrialStatus.PAUSED, ({"loss": 1.0},)),
        Trial(2, rp.Config({"x": 0.1}), TrialStatus.FAILED),
        Trial(3, rp.Config({"x": 0.1, "y": 0.3}), TrialStatus.PAUSED, ({"other": 1.0},)),
    ]
    study = begin(tmp_path / "s", warm_start=trials)
    change = events(tmp_path / "s")[0]
    assert [(t.id, dict(t.config)) for t in change.observed] == [
        (-1, {"x": 0.5, "y": 0.5}),
        (-2, {"x": 0.1, "y": 0.5}),
    ]
    study.warm_start(trials[:1])
    change = events(tmp_path / "s")[-1]
    assert [trial.id for trial in change.observed] == [-3]
    with pytest.raises(StudyError, match="none of 1 trials can be learned from"):
        study.warm_start(trials[3:])
    with pytest.raises(StudyError, match="holds no study"):
        begin(tmp_path / "t", warm_start=tmp_path / "nowhere")
    with pytest.raises(StudyError, match="warm_best = 2"):
        begin(tmp_path / "t", warm_best=2)
    assert not (tmp_path / "t").exists()


def test_a_tuned_model_goes_on_in_another_space(tmp_path, factory, arrays, space):
    options = {"trials": 3, "epochs": 1, "workers": 1, "progress": False}
    study = rp.tune(factory, arrays, space, out=tmp_path / "s", **options)
    wider = rp.Space(
        hidden=rp.Int(2, 12, default=4), lr=rp.Float(1e-3, 1.0, log=True),
        dropout=rp.Float(0.0, 0.3), weight_decay=rp.Float(0.0, 0.1, default=0.0),
    )  # fmt: skip
    study.change_space(wider)
    study.run(trials=6, workers=1, progress=False)
    study.close()
    with rp.open(tmp_path / "s", model=factory, data=arrays) as again:
        assert again.finished
        assert [("weight_decay" in t.config) for t in again.trials] == [False] * 3 + [True] * 3
        with pytest.raises(Exception, match="lr"):
            again.change_space(rp.Space(lr=rp.Float(-1.0, 1.0)))


def test_a_scheduler_of_ones_own_cannot_be_steered(tmp_path):
    from ripieno.schedulers import FullBudget

    own = FullBudget(Random(SPACE), epochs=1, trials=2)
    with pytest.raises(StudyError, match="out of reach"):
        rp.search(curve, SPACE, metric="loss", scheduler=own, enqueue=[{"x": 0.1}])
    assert Strategy(scheduler=own).is_own
    with pytest.raises(SearchError, match="is no limit"):
        begin(tmp_path / "s", constraints=["loss<1"])
