import math

import numpy as np
import pytest

from ripieno.records import Config, Objective, Trial, TrialStatus
from ripieno.reports import Answers, Summary, findings
from ripieno.reports.words import config_words
from ripieno.space import Float, Int, Space

SPACE = Space(lr=Float(1e-4, 1.0, log=True))


def summary(trials, space=SPACE, **fields):
    return Summary("t", Objective("log_loss"), tuple(trials), space, **fields)


def texts(found, kind=None):
    return [finding.text for finding in found if kind in {None, finding.kind}]


def test_the_best_trial_is_named_with_its_value_epochs_and_config(trial):
    trials = [trial(0, 2.0), trial(1, 1.0, 0.25, config={"lr": 0.01, "act": "relu"})]
    assert texts(findings(summary(trials)))[0] == (
        "Trial 1 is the best of 2: log loss 0.25 after 2 epochs, with lr 0.01, act relu."
    )


def test_the_best_value_of_a_trial_of_several_models_is_told_with_their_spread(trial):
    rows = ({"log_loss": 0.25, "log_loss_spread": 0.03125},)
    (first, *_) = texts(findings(summary([trial(0, 1.0, history=rows)])))
    assert "log loss 0.25 ± 0.0312, with" in first


def test_a_search_without_epochs_does_not_speak_of_them(trial):
    found = texts(findings(summary([trial(0, 2.0, config={"lr": 0.5})])))
    assert found == ["Trial 0 is the only one: log loss 2, with lr 0.5."]


def test_a_search_without_a_value_says_so(trial):
    assert texts(findings(summary([trial(0), trial(1)]))) == ["None of 2 trials has a value."]


def test_lost_trials_are_counted_and_the_first_error_is_quoted(trial):
    trials = [
        trial(0, 1.0),
        trial(1, status=TrialStatus.DIVERGED, error="the loss is nan"),
        trial(2, status=TrialStatus.FAILED, error="KeyError: 'depth'\n  File model.py"),
        trial(3, status=TrialStatus.FAILED, error="another"),
    ]
    assert texts(findings(summary(trials)), "warning") == [
        "Of 4 trials 1 diverged and 2 failed; trial 2 with: KeyError: 'depth'"
    ]


def test_a_lost_trial_without_an_error_is_counted_too_and_a_long_error_is_cut(trial):
    for error in (None, " \n"):
        lost = trial(0, status=TrialStatus.DIVERGED, error=error)
        assert "no reason was recorded" in texts(findings(summary([lost])), "warning")[1]
    long = trial(0, status=TrialStatus.FAILED, error="x" * 1000)
    assert len(texts(findings(summary([long])), "warning")[1]) < 300


def fitted(trial, training, validation):
    rows = ({"train_loss": training, "log_loss": validation},)
    return texts(findings(summary([trial(0, history=rows, status=TrialStatus.PAUSED)])))[1]


def test_the_best_trials_fit_is_told_by_its_two_losses(trial):
    assert fitted(trial, 0.1, 0.4).startswith(
        "The best trial overfits: its loss is 0.1 on training rows, 0.4 on validation rows."
    )
    assert fitted(trial, 0.4, 0.4).startswith("The best trial does not overfit")
    assert fitted(trial, 0.3, 0.4).startswith("The best trial fits about right")
    # Twice a loss that is next to nothing is no overfitting.
    assert fitted(trial, 0.001, 0.004).startswith("The best trial fits about right")


@pytest.mark.parametrize(
    ("curve", "improving"),
    [
        ([1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1], True),
        ([1.0, 0.5, 0.4, 0.35, 0.301, 0.3, 0.3, 0.3], False),
        ([1.0, 0.8, 0.6, 0.5, 0.4, 0.3, 0.1, 0.2], False),
        ([1.0, 0.1], False),
        ([math.nan, 0.8, 0.6, 0.5, 0.4, 0.3, 0.2, 0.1], False),
    ],
)
def test_a_best_curve_that_has_not_levelled_off_is_noticed(trial, curve, improving):
    found = texts(findings(summary([trial(0, *curve)])), "advice")
    assert [text.startswith("The best trial was still improving") for text in found] == (
        [True] * improving
    )
    if improving:
        assert "log loss 0.3 at epoch 6, 0.1 at epoch 8" in found[0]


def at_units(units, space=SPACE):
    """One trial a position on the axis; the earlier ones are the better ones."""
    return [
        Trial(i, space.decode(np.array([unit])), TrialStatus.PAUSED, ({"log_loss": 1.0 + i},))
        for i, unit in enumerate(units)
    ]


def test_a_hyperparameter_at_the_end_of_its_range_is_noticed():
    middle = np.linspace(0.05, 0.85, 30)
    found = texts(findings(summary(at_units([0.97, 0.93, 0.99, *middle]))), "advice")
    assert found == [
        "lr is at the upper end of its range in 3 of the best 4 trials: they lie in the outer "
        "tenth, which ends at 1. Widen the range there if it can be."
    ]
    found = texts(findings(summary(at_units([0.02, 0.01, 0.05, *middle]))), "advice")
    assert "lower end" in found[0]
    assert "ends at 0.0001" in found[0]


def test_good_values_all_over_the_range_are_no_edge():
    assert texts(findings(summary(at_units(np.random.default_rng(0).random(40)))), "advice") == []


def test_few_trials_show_no_edge():
    assert texts(findings(summary(at_units([0.99] * 9))), "advice") == []


def test_a_crowd_that_is_no_majority_is_no_edge():
    # 30 of the best 100 in the outer tenth is no accident, yet most of the best are elsewhere.
    units = [*[0.95] * 30, *np.linspace(0.2, 0.8, 70), *np.linspace(0.1, 0.8, 900)]
    assert texts(findings(summary(at_units(units))), "advice") == []


def test_the_end_of_a_short_list_of_whole_numbers_is_no_edge():
    space = Space(depth=Int(1, 4))
    trials = at_units([0.99] * 10 + [0.1] * 30, space)
    assert texts(findings(summary(trials, space)), "advice") == []


def test_an_edge_of_a_conditional_hyperparameter_looks_at_the_trials_that_have_it():
    trials = [
        Trial(
            i, Config({"lr": 0.99} if i < 4 else {}), TrialStatus.PAUSED, ({"log_loss": 1.0 + i},)
        )
        for i in range(40)
    ]
    assert "4 of the best 4" in texts(findings(summary(trials)), "advice")[0]


def answers(gain, rows=400, part="test"):
    rng = np.random.default_rng(0)
    y = rng.integers(3, size=rows)
    single = rng.dirichlet(np.ones(3), rows) + 0.3 * np.eye(3)[y]
    single /= single.sum(axis=1, keepdims=True)
    other = (1 - abs(gain)) * single + abs(gain) * np.eye(3)[y]
    pair = (single, other) if gain > 0 else (other, single)
    return Answers(y, *pair, part=part)


def test_a_gain_is_told_with_its_interval_and_the_rows_answered_right(trial):
    found = texts(findings(summary([trial(0, 1.0)], answers=answers(0.3))))
    assert found[1].startswith("Gain: the ensemble's test log loss is ")
    assert " lower than that of the best single model (95 % interval of the gain " in found[1]
    assert "chance" not in found[1]
    assert " of 400 test rows right, the ensemble " in found[2]


def test_a_loss_and_an_unclear_difference_are_told_as_no_gain(trial):
    found = texts(findings(summary([trial(0, 1.0)], answers=answers(-0.3))))
    assert found[1].startswith("No gain: the ensemble's test log loss is ")
    assert " higher than that of the best single model" in found[1]
    pair = answers(0.3)
    noisy = Answers(pair.targets, pair.single, np.roll(pair.single, 3, axis=0))
    found = texts(findings(summary([trial(0, 1.0)], answers=noisy)))
    assert found[1].startswith("No gain: the ensemble's test log loss is ")
    same = Answers(pair.targets, pair.single, pair.single)
    found = texts(findings(summary([trial(0, 1.0)], answers=same)))
    assert found[1] == "No gain: the ensemble answers every row as the best single model does."


def test_a_difference_whose_interval_holds_zero_is_said_to_be_chance(trial):
    rng = np.random.default_rng(0)
    y = rng.integers(2, size=50)
    pair = Answers(y, rng.dirichlet(np.ones(2), 50), rng.dirichlet(np.ones(2), 50))
    found = texts(findings(summary([trial(0, 1.0)], answers=pair)))
    assert found[1].startswith("No gain: ")
    assert found[1].endswith("which holds zero: it may be chance).")


def test_a_gain_on_rows_that_chose_the_ensemble_is_said_to_flatter(trial):
    found = texts(findings(summary([trial(0, 1.0)], answers=answers(0.3, part="validation"))))
    assert "so it flatters" in found[1]


def test_answers_of_a_single_model_tell_of_no_gain(trial):
    one = answers(0.3)
    found = findings(summary([trial(0, 1.0)], answers=Answers(one.targets, one.single)))
    assert len(found) == 1


def test_a_config_is_told_in_the_order_of_its_names():
    config = Config({"lr": 0.012345, "batch_norm": True, "schedule": None, "width": 12345})
    assert config_words(config) == "lr 0.0123, batch_norm True, schedule None, width 12,345"
