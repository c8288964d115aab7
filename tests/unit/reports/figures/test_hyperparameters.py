import pytest

from ripieno.errors import ReportError
from ripieno.records import Config, Objective, Trial, TrialStatus
from ripieno.reports.figures import parallel_coordinates
from ripieno.reports.figures.hyperparameters import axis_ticks
from ripieno.space import Categorical, Constant, Float, Int, Space


def drawn(number, loss, **config):
    rows = ({"log_loss": loss},)
    return Trial(number, Config(config), TrialStatus.PAUSED, rows)


def trace(figure, start):
    (found,) = [trace for trace in figure.data if trace.name.startswith(start)]
    return found


def labels(figure, place):
    return {a.text: a.y for a in figure.layout.annotations if a.x == place}


def test_values_lie_where_their_domain_has_them_and_the_best_value_on_top(minimize):
    space = Space(lr=Float(1e-4, 1.0, log=True), dropout=Float(0.0, 0.5))
    trials = [drawn(0, 1.0, lr=0.01, dropout=0.1), drawn(1, 2.0, lr=1.0, dropout=0.5)]
    figure = parallel_coordinates(trials, minimize, space)
    best = trace(figure, "trial 0, the best")
    assert best.x == (0, 1, 2, None)
    assert best.y == pytest.approx((0.5, 0.2, 1.0, None), nan_ok=True)
    assert trace(figure, "worse half").y == (1.0, 1.0, 0.0, None)


def test_the_best_value_is_on_top_where_the_metric_is_maximised_too():
    space = Space(x=Float(0.0, 1.0))
    trials = [drawn(0, 1.0, x=0.5), drawn(1, 2.0, x=0.5)]
    figure = parallel_coordinates(trials, Objective("log_loss", "maximize"), space)
    assert trace(figure, "trial 1, the best").y[1] == 1.0
    assert labels(figure, 1)["2"] == 1.0
    assert labels(figure, 1)["1"] == 0.0


def test_an_inactive_hyperparameter_passes_below_its_axis_at_a_tick_of_its_own(minimize):
    space = Space(
        optimizer=Categorical("sgd", "adam"), momentum=Float(0.0, 1.0).when(optimizer="sgd")
    )
    figure = parallel_coordinates([drawn(0, 1.0, optimizer="adam")], minimize, space)
    assert trace(figure, "trial 0").y[1] < 0
    assert labels(figure, 1)["inactive"] < 0
    assert "inactive" not in labels(figure, 0)


def test_lines_that_meet_on_a_choice_are_fanned_out_within_it(minimize):
    space = Space(kind=Categorical("a", "b"))
    trials = [drawn(i, 1.0 + i, kind="a" if i % 2 else "b") for i in range(20)]
    figure = parallel_coordinates(trials, minimize, space)
    at = [y for line in figure.data for x, y in zip(line.x, line.y, strict=True) if x == 0]
    assert len(set(at)) == 20
    assert sum(0.05 < y < 0.45 for y in at) == 10
    assert sum(0.55 < y < 0.95 for y in at) == 10


def test_the_ranking_is_drawn_worst_first(minimize):
    space = Space(x=Float(0.0, 1.0))
    figure = parallel_coordinates([drawn(i, 1.0 + i, x=0.5) for i in range(40)], minimize, space)
    assert [line.name for line in figure.data] == [
        "worse half", "better half", "best tenth", "trial 0, the best",
    ]  # fmt: skip
    assert [line.x.count(None) for line in figure.data] == [20, 16, 3, 1]


def test_what_is_worse_than_nine_tenths_lies_on_the_foot_of_the_axis(minimize):
    space = Space(x=Float(0.0, 1.0))
    trials = [drawn(i, 1.0 + 0.01 * i, x=0.5) for i in range(20)] + [drawn(20, 1e6, x=0.5)]
    figure = parallel_coordinates(trials, minimize, space)
    assert trace(figure, "worse half").y[-2] == 0.0
    assert labels(figure, 1)["1.18 or worse"] == 0.0


def test_lost_trials_are_there_but_hidden_and_have_no_value(minimize):
    space = Space(x=Float(0.0, 1.0))
    broken = Trial(1, Config({"x": 0.25}), TrialStatus.DIVERGED, ({"log_loss": 9.0},))
    figure = parallel_coordinates([drawn(0, 1.0, x=0.5), broken], minimize, space)
    line = trace(figure, "diverged or failed (1 trial)")
    assert line.visible == "legendonly"
    assert line.y == (0.25, None)


def test_too_many_lines_are_thinned_and_the_caption_says_so(minimize):
    space = Space(x=Float(0.0, 1.0))
    figure = parallel_coordinates(
        [drawn(i, 1.0 + i, x=0.5) for i in range(500)], minimize, space, most=100
    )
    assert sum(line.x.count(None) for line in figure.data) == 100
    assert "100 of 500 trials" in figure.layout.title.subtitle.text


def test_constants_have_no_axis(minimize):
    space = Space(fixed=Constant(3), x=Float(0.0, 1.0))
    figure = parallel_coordinates([drawn(0, 1.0, fixed=3, x=0.5)], minimize, space)
    assert [shape.x0 for shape in figure.layout.shapes] == [0, 1]
    with pytest.raises(ReportError, match="constants only"):
        parallel_coordinates([drawn(0, 1.0, fixed=3)], minimize, Space(fixed=Constant(3)))


def test_there_is_nothing_to_draw_without_a_value(minimize):
    with pytest.raises(ReportError, match="no trial has a value"):
        parallel_coordinates([], minimize, Space(x=Float(0, 1)))


def test_choices_and_metrics_show_tags_as_text():
    space = Space(kind=Categorical("<b>", "plain"))
    rows = ({"<i>": 1.0},)
    trial = Trial(0, Config({"kind": "<b>"}), TrialStatus.PAUSED, rows)
    figure = parallel_coordinates([trial], Objective("<i>"), space)
    assert set(labels(figure, 0)) == {"kind", "&lt;b&gt;", "plain"}
    assert "&lt;i&gt;" in labels(figure, 1)


def test_a_long_name_is_broken_into_lines(minimize):
    space = Space(weight_decay_of_the_head=Float(0, 1), x=Float(0, 1))
    trial = drawn(0, 1.0, weight_decay_of_the_head=0.5, x=0.1)
    heads = labels(parallel_coordinates([trial], minimize, space), 0)
    assert "weight<br>decay of<br>the head" in heads


@pytest.mark.parametrize(
    ("domain", "ticks"),
    [
        (Categorical("a", "b"), [(0.25, "a"), (0.75, "b")]),
        (Categorical(True, None), [(0.25, "True"), (0.75, "None")]),
        (Int(1, 3), [(1 / 6, "1"), (0.5, "2"), (5 / 6, "3")]),
        (Float(0.0, 1.0), [(0, "0"), (0.2, "0.2"), (0.4, "0.4"), (0.6, "0.6"), (0.8, "0.8"),
                           (1, "1")]),
        (Float(1e-4, 1.0, log=True),
         [(0, "0.0001"), (0.25, "0.001"), (0.5, "0.01"), (0.75, "0.1"), (1, "1")]),
        (Float(0.0, 0.99), [(0, "0"), (0.2 / 0.99, "0.2"), (0.4 / 0.99, "0.4"), (0.6 / 0.99, "0.6"),
                            (0.8 / 0.99, "0.8"), (1, "0.99")]),
        (Float(2.0, 2.0), [(0.5, "2")]),
        (Float(0.0, 1.0, step=0.5), [(1 / 6, "0"), (0.5, "0.5"), (5 / 6, "1")]),
    ],
)  # fmt: skip
def test_axes_have_round_ticks_and_both_ends(domain, ticks):
    found = axis_ticks(domain)
    assert [label for _, label in found] == [label for _, label in ticks]
    assert [place for place, _ in found] == pytest.approx([place for place, _ in ticks])


def test_a_step_between_ticks_is_a_whole_number_for_whole_numbers():
    found = axis_ticks(Int(8, 100))
    assert [label for _, label in found] == ["8", "20", "40", "60", "80", "100"]
    assert all(0 <= place <= 1 for place, _ in found)


def test_many_choices_are_not_all_written():
    assert len(axis_ticks(Categorical(*map(str, range(100))))) <= 12
