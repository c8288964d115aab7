import pytest

from ripieno.errors import ReportError
from ripieno.reports import Scores, Selection
from ripieno.reports.figures import ensemble_weights, gain, style


def test_bars_are_the_weights_largest_first_and_the_best_trial_is_marked():
    figure = ensemble_weights(Selection((4, 9, 2), (0.2, 0.5, 0.3)), best=2)
    (bars,) = figure.data
    assert bars.y == ("trial 9", "trial 2", "trial 4")
    assert bars.x == (0.5, 0.3, 0.2)
    assert bars.marker.color == (style.ENSEMBLE, style.SINGLE, style.ENSEMBLE)
    assert "the best single trial is marked" in figure.layout.title.subtitle.text


def test_the_title_says_how_many_equal_votes_the_weights_are_worth():
    figure = ensemble_weights(Selection((0, 1), (0.5, 0.5)))
    assert figure.layout.title.text == "2 trials vote, as much as 2.0 with equal weights"
    figure = ensemble_weights(Selection((0, 1), (0.9, 0.1)))
    assert "as much as 1.2 with" in figure.layout.title.text
    assert "marked" not in figure.layout.title.subtitle.text


def test_a_bar_shows_the_config_as_text():
    (bars,) = ensemble_weights(Selection((0,), (1.0,)), configs={0: "act <i>"}).data
    assert bars.customdata == ("act &lt;i&gt;",)


def test_members_beyond_the_thirtieth_share_a_bar():
    (bars,) = ensemble_weights(Selection(tuple(range(50)), (0.02,) * 50)).data
    assert len(bars.x) == 31
    assert bars.y[-1] == "20 others"
    assert bars.x[-1] == pytest.approx(0.4)


SINGLE = Scores({"log_loss": 0.30, "accuracy": 0.90, "train_loss": 0.1}, {"log_loss": 0.32})
ENSEMBLE = Scores({"log_loss": 0.25, "accuracy": 0.92}, {"log_loss": 0.28})
MEMBERS = (Scores({"log_loss": 0.31}, {"log_loss": 0.33}), Scores({"log_loss": 0.35}))


def test_each_metric_that_both_have_is_a_panel_of_values_by_part():
    figure = gain(SINGLE, ENSEMBLE, members=MEMBERS)
    values = {(t.name, t.xaxis): dict(zip(t.y, t.x, strict=True)) for t in figure.data}
    assert values["best single model", "x"] == {"test": 0.32, "validation": 0.30}
    assert values["ensemble", "x"] == {"test": 0.28, "validation": 0.25}
    assert values["ensemble", "x2"] == {"validation": 0.92}
    members = next(t for t in figure.data if t.name == "members")
    assert members.x == (0.33, 0.31, 0.35)
    assert members.y == ("test", "validation", "validation")
    assert {axis.title.text for axis in figure.select_xaxes()} == {
        "log loss (nats)", "accuracy (share of rows)",
    }  # fmt: skip


def test_the_title_compares_on_the_test_rows_if_there_are_any():
    assert gain(SINGLE, ENSEMBLE).layout.title.text == (
        "Log loss on test rows: 0.28 of the ensemble, 0.32 of the best single model"
    )
    figure = gain(Scores(SINGLE.validation), ENSEMBLE)
    assert figure.layout.title.text.startswith("Log loss on validation rows: 0.25")
    assert figure.layout.title.subtitle.text == "Measured on the validation rows."


def test_models_without_a_common_metric_cannot_be_compared():
    with pytest.raises(ReportError, match="no metric in common"):
        gain(Scores({"log_loss": 1.0}), Scores({"accuracy": 0.9}))
    with pytest.raises(ReportError, match="no metric in common"):
        gain(Scores({"log_loss": float("nan")}), Scores({"log_loss": 1.0}))
