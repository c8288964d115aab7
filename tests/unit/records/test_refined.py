import math

from ripieno.records import Change, Config, Objective, Trial, TrialStatus, refined_trials


def trial(number, value, status=TrialStatus.PAUSED, **config):
    return Trial(number, Config(config), status, ({"accuracy": value},))


def test_a_gain_follows_the_direction_and_is_none_where_a_trial_has_no_value():
    new = [Config({"lr": 0.3, "depth": 2}), Config({"lr": 0.4, "depth": 2})]
    changes = [
        Change(),
        Change(enqueued=(Config({"lr": 9.0}),)),
        Change((), tuple(new), (0, 1)),
    ]
    trials = [
        trial(0, 0.5, lr=0.1, depth=2), trial(1, 0.75, lr=0.2, depth=2),
        trial(2, 0.25, lr=0.3, depth=2), trial(3, 0.1, TrialStatus.DIVERGED, lr=0.4, depth=2),
    ]  # fmt: skip
    more = refined_trials(trials, changes, Objective("accuracy", "maximize"))
    assert [(one.trial, one.origin, one.gain) for one in more] == [(2, 0, -0.25), (3, 1, None)]
    assert more[0].changed == {"lr": [0.1, 0.3]}
    assert (more[1].before, more[1].after) == (0.75, None)
    (less, _) = refined_trials(trials, changes, Objective("accuracy"))
    assert less.gain == 0.25


def test_a_trial_is_no_refinement_of_a_later_one_nor_of_itself():
    same = Config({"lr": 0.1})
    changes = [Change(enqueued=(same,), origins=(0,))]
    assert refined_trials([trial(0, 0.5, lr=0.1)], changes, Objective("accuracy")) == ()
    assert refined_trials([trial(0, math.nan, lr=0.1)], [], Objective("accuracy")) == ()
