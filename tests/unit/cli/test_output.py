import json

from ripieno.cli.output import print_results
from ripieno.study import BestTrial, EnsembleResult, Results


def results(**changes):
    best = BestTrial(3, {"lr": 0.12345, "depth": 2}, {"log_loss": 0.5, "accuracy": 0.75},
                     {"log_loss": 0.625, "accuracy": 0.5})  # fmt: skip
    ensemble = EnsembleResult(
        [3, 1], [0.75, 0.25], {"log_loss": 0.4375, "accuracy": 0.75},
        {"log_loss": 0.5, "accuracy": 0.625}, {"log_loss": 0.125, "low": 0.0625, "high": 0.1875},
    )  # fmt: skip
    values = {"trials": 9, "epochs": 27, "seconds": 1.5, "best": best, "ensemble": ensemble}
    return Results(**{**values, "out": "study", "finished": True, **changes})


def test_json_is_one_object_with_null_for_what_json_cannot_say(capsys):
    nan = BestTrial(0, {}, {"value": float("nan")})
    print_results(results(best=nan), as_json=True)
    read = json.loads(capsys.readouterr().out)
    assert read["best"]["validation"] == {"value": None}
    assert read["ensemble"]["members"] == [3, 1]


def test_people_get_each_number_under_its_name(capsys):
    print_results(results(), as_json=False)
    text = capsys.readouterr().out
    lines = text.splitlines()
    assert lines[0] == "9 trials, 27 epochs, 1.5 s"
    assert lines[1].split() == ["validation", "validation", "test", "test"]
    assert lines[3].split()[-4:] == ["0.5000", "0.7500", "0.6250", "0.5000"]
    assert lines[4].split()[-4:] == ["0.4375", "0.7500", "0.5000", "0.6250"]
    assert "lr=0.123, depth=2" in text
    assert "0.1250 lower" in text


def test_no_gain_is_said_where_the_interval_holds_zero(capsys):
    unclear = EnsembleResult([3], [1.0], {}, {}, {"log_loss": 0.0, "low": -0.1, "high": 0.1})
    print_results(results(ensemble=unclear, best=None), as_json=False)
    assert "no certain gain" in capsys.readouterr().out
    alone = EnsembleResult([3], [1.0], {}, {}, {"log_loss": 0.0, "low": -4e-18, "high": 3e-18})
    print_results(results(ensemble=alone, best=None), as_json=False)
    said = " ".join(capsys.readouterr().out.split())
    assert "the test log loss of the ensemble is that of the best trial" in said


def test_a_functions_own_metrics_are_shown_by_their_own_names(capsys):
    best = BestTrial(0, {"x": 1}, {"value": 0.25})
    print_results(results(best=best, ensemble=None, out=None), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].split() == ["value"]
    assert lines[2].split()[-1] == "0.2500"


def test_folds_and_seeds_are_told_with_the_spread_of_their_models(capsys):
    best = BestTrial(3, {}, {"log_loss": 0.5, "log_loss_spread": 0.25, "accuracy": 0.75})
    print_results(results(best=best, ensemble=None, folds=5, seeds=3), as_json=False)
    lines = capsys.readouterr().out.splitlines()
    assert lines[1] == "15 models a trial (5 folds x 3 seeds); ± is their standard deviation"
    assert lines[-3].split()[-4:] == ["0.5000", "±", "0.2500", "0.7500"]
    print_results(results(folds=5), as_json=False)
    assert "5 models a trial (5 folds);" in capsys.readouterr().out
