import json

import pytest

import ripieno as rp
from ripieno.errors import SearchError, StudyError
from ripieno.records import Goal, Limit, Objective

SPACE = rp.Space(x=rp.Float(0.0, 1.0), y=rp.Float(0.0, 1.0))


def two(config):
    return {"a": config.x**2 + config.y, "b": (config.x - 1.0) ** 2 + config.y}


def dominated(left, right):
    return right["a"] <= left["a"] and right["b"] <= left["b"] and dict(left) != dict(right)


def test_the_front_of_a_search_is_what_nobody_dominates(tmp_path):
    out = tmp_path / "study"
    study = rp.search(two, SPACE, metric=["a", "b"], trials=40, out=out)
    rows = {trial.id: trial.metrics for trial in study.trials}
    expected = {n for n, row in rows.items() if not any(dominated(row, r) for r in rows.values())}
    assert {trial.id for trial in study.front} == expected
    assert [t.metrics["a"] for t in study.front] == sorted(t.metrics["a"] for t in study.front)
    assert study.best == study.front[0]
    results = study.results().to_dict()
    assert [one["trial"] for one in results["front"]] == [trial.id for trial in study.front]
    assert json.loads(json.dumps(results)) == results
    study.close()
    with rp.open(out, objective=two) as again:
        assert again.settings.goal == Goal((Objective("a"), Objective("b")))
        assert again.finished
        assert again.front == study.front
        page = again.report(tmp_path / "page.html").read_text()
    assert 'id="front"' in page
    assert "The front holds" in page


def test_a_trial_that_breaks_a_limit_is_never_best():
    limits = {"b": ("<=", 0.6), "a": (">=", 0.2)}
    study = rp.search(two, SPACE, metric="a", constraints=limits, trials=40)
    kept = [t for t in study.trials if t.metrics["b"] <= 0.6 and t.metrics["a"] >= 0.2]
    assert 0 < len(kept) < 40
    assert study.best.metrics["a"] == min(trial.metrics["a"] for trial in kept)
    assert study.best.metrics["a"] > min(trial.metrics["a"] for trial in study.trials)
    assert study.results().best.trial == study.best.id
    assert study.settings.limits == (Limit("b", "<=", 0.6), Limit("a", ">=", 0.2))


def test_where_none_keeps_the_limits_there_is_no_best_and_a_page_that_says_so(tmp_path):
    study = rp.search(two, SPACE, metric="a", constraints=["b<=-1"], trials=5)
    with pytest.raises(StudyError, match="none of 5 trials keeps the limits") as caught:
        _ = study.best
    assert "b<=-1" in caught.value.where
    assert study.results().best is None
    assert "None of 5 trials keeps the limits" in study.report(tmp_path / "p.html").read_text()


def test_directions_are_one_for_all_or_one_for_each():
    study = rp.search(two, SPACE, metric=["a", "b"], direction=["minimize", "maximize"], trials=3)
    assert study.settings.goal.objectives[1] == Objective("b", "maximize")
    with pytest.raises(StudyError, match="1 directions for 2 metrics"):
        rp.search(two, SPACE, metric=["a", "b"], direction=["minimize"], trials=3)
    with pytest.raises(SearchError, match="stands twice"):
        rp.search(two, SPACE, metric=["a", "a"], trials=3)


def test_a_function_that_leaves_out_a_metric_is_a_failed_trial():
    study = rp.search(lambda config: {"a": config.x}, SPACE, metric=["a", "b"], trials=2)
    assert "the metric 'b' was not reported" in study.trials[0].error
    assert study.front == ()


@pytest.mark.parametrize("scheduler", ["hyperband", "asha", "halving", "median", "pbt"])
def test_every_scheduler_but_one_takes_several_metrics(scheduler):
    def curve(config, report):
        for epoch in range(report.start, report.epochs):
            report(epoch=epoch + 1, **{n: v + 1 / (epoch + 1) for n, v in two(config).items()})

    study = rp.search(
        curve, SPACE, metric=["a", "b"], constraints=["b<=1.5"], scheduler=scheduler,
        epochs=9, trials=12,
    )  # fmt: skip
    assert max(trial.epochs for trial in study.trials) == 9
    assert study.finished
    with pytest.raises(SearchError, match="freeze-thaw"):
        rp.search(curve, SPACE, metric=["a", "b"], scheduler="freezethaw", trials=3)


def test_costs_are_metrics_of_every_row(tmp_path, factory, arrays, space):
    study = rp.tune(
        factory, arrays, space, metric=["log_loss", "parameters"],
        constraints={"latency_ms": ("<=", 1e4), "accuracy": (">=", 0.0)},
        trials=4, epochs=3, workers=1, out=tmp_path / "study", progress=False,
    )  # fmt: skip
    for trial in study.trials:
        hidden = trial.config.hidden
        assert [row["parameters"] for row in trial.history] == [
            3 * hidden + hidden + 2 * hidden + 2
        ] * len(trial.history)
        assert trial.metrics["latency_ms"] > 0.0
    assert study.settings.goal.metrics == ("log_loss", "parameters", "latency_ms", "accuracy")
    assert len(study.front) >= 1
    study.close()
    with rp.open(tmp_path / "study", model=factory, data=arrays) as again:
        assert again.finished
        assert again.ensemble().weights is not None


def test_several_metrics_of_ones_own_are_passed_again(tmp_path, factory, arrays, space):
    def errors(y, predictions):
        return float((predictions.argmax(axis=1) != y).sum())

    own = rp.Metric(errors, direction="minimize")
    options = {"trials": 2, "epochs": 1, "workers": 1, "progress": False}
    out = tmp_path / "study"
    study = rp.tune(factory, arrays, space, metric=["log_loss", own], out=out, **options)
    assert {"errors", "log_loss"} <= set(study.best.metrics)
    study.close()
    with pytest.raises(StudyError, match="was a Python object"):
        rp.open(out, model=factory, data=arrays)
    with rp.open(out, model=factory, data=arrays, metric=["log_loss", own]) as again:
        assert again.finished
