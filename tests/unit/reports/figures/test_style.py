import math

import numpy as np
import pytest

from ripieno.records import Objective
from ripieno.reports.figures import style


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.034, "0.034"), (0.98611, "0.9861"), (1.2345, "1.23"), (12.345, "12.3"),
        (1234.5, "1,234"), (99999.4, "99,999"), (123456.7, "1.23e5"), (0.00004567, "4.57e-5"),
        (1e-6, "1e-6"), (-0.5, "-0.5"), (0.0, "0"), (math.nan, "nan"), (math.inf, "inf"),
        (7, "7"), (9999, "9999"), (12345, "12,345"), (True, "True"), (None, "None"),
        ("adam", "adam"), (np.float32(0.25), "0.25"), (np.int64(12345), "12,345"),
    ],
)  # fmt: skip
def test_numbers_are_written_with_the_digits_that_matter(value, text):
    assert style.number(value) == text


def test_titles_show_tags_as_text():
    figure = style.blank("<b>a</b> & b", "<script>")
    assert figure.layout.title.text == "&lt;b&gt;a&lt;/b&gt; &amp; b"
    assert figure.layout.title.subtitle.text == "&lt;script&gt;"


def test_axis_titles_carry_the_unit_where_it_is_known():
    assert style.axis_title("log_loss") == "log loss (nats)"
    assert style.axis_title("f1_<macro>") == "f1 &lt;macro&gt;"


def test_few_lengths_make_a_group_each_from_light_to_dark(trial):
    trials = [trial(i, *[1.0] * epochs) for i, epochs in enumerate([3, 1, 9, 1, 3, 1])]
    groups = style.by_epochs(trials)
    assert [group.label for group in groups] == [
        "1 epoch (3 trials)", "3 epochs (2 trials)", "9 epochs (1 trial)",
    ]  # fmt: skip
    assert [[t.id for t in group.trials] for group in groups] == [[1, 3, 5], [0, 4], [2]]
    assert len({group.color for group in groups}) == 3


def test_many_lengths_make_at_most_six_groups_that_hold_every_trial_once(trial):
    trials = [trial(i, *[1.0] * (i + 1)) for i in range(40)]
    groups = style.by_epochs(trials)
    assert 3 <= len(groups) <= 6
    assert [t.id for group in groups for t in group.trials] == list(range(40))
    assert len({group.color for group in groups}) == len(groups)
    assert groups[-1].label == ("22 to 40 epochs (19 trials)")


def test_trials_of_one_epoch_each_are_just_trials(trial):
    assert [group.label for group in style.by_epochs([trial(0, 1.0)])] == ["1 trial"]
    assert style.by_epochs([]) == []


def test_spread_keeps_the_first_and_the_last():
    assert style.spread(5, 9) == [0, 1, 2, 3, 4]
    assert style.spread(100, 5) == [0, 24, 49, 74, 99]
    assert style.spread(3, 1) == [0]


def test_a_loss_over_decades_wants_a_log_scale_and_an_accuracy_does_not():
    assert style.wants_log([0.01, 1.0])
    assert not style.wants_log([0.5, 1.0])
    assert not style.wants_log([0.0, 1.0])
    assert not style.wants_log([-1.0, 1.0])
    assert not style.wants_log([])
    assert not style.wants_log([0.01, 1.0], Objective("accuracy", "maximize"))
    assert style.wants_log([0.01, math.inf, 1.0, math.nan])


@pytest.mark.parametrize(
    ("low", "high", "ticks"),
    [
        (0.01, 1.0, [0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0]),
        (1e-6, 1e-2, [1e-6, 3e-6, 1e-5, 3e-5, 1e-4, 3e-4, 1e-3, 3e-3, 1e-2]),
        (1.0, 2.0, [1.0, 1.2, 1.5, 2.0]),
        (1e-12, 1e12, [1e-12, 1e-9, 1e-6, 1e-3, 1.0, 1e3, 1e6, 1e9, 1e12]),
    ],
)
def test_log_ticks_are_round_and_few(low, high, ticks):
    assert style.log_ticks(low, high) == pytest.approx(ticks)


def test_a_log_axis_writes_every_tick_in_full_and_survives_one_value():
    axis = style.log_axis([0.02, 0.5, math.nan])
    assert axis["ticktext"] == ["0.02", "0.05", "0.1", "0.2", "0.5"]
    single = style.log_axis([0.3])
    assert single["range"][0] < math.log10(0.3) < single["range"][1]
