import numpy as np
import pytest

from ripieno.errors import ReportError
from ripieno.reports import Answers, findings, write_page


def values(columns=1):
    rng = np.random.default_rng(0)
    y = rng.normal(size=(80, columns))
    single, ensemble = y + 0.5 * rng.normal(size=y.shape), y + 0.1 * rng.normal(size=y.shape)
    names = tuple("abc"[:columns])
    return Answers(y, single, ensemble, names, task="regression")


def marks():
    rng = np.random.default_rng(0)
    y = (rng.random((80, 3)) < 0.4).astype(int)
    single = np.clip(rng.random((80, 3)) * 0.8 + 0.3 * y, 0, 1)
    return Answers(y, single, np.clip(single * 0.5 + 0.5 * y, 0, 1), ("a", "b", "c"),
                   task="multilabel")  # fmt: skip


def test_a_regression_is_told_in_rmse_and_typical_errors(study):
    answers = values()
    texts = [found.text for found in findings(study(answers=answers))]
    assert any(t.startswith("Gain: the ensemble's test RMSE is") for t in texts)
    typical = np.median(np.abs(answers.single - answers.targets))
    (said,) = [t for t in texts if t.startswith("Half of the test values")]
    assert f"within {typical:.4g} by the best single model" in said
    both = [found.text for found in findings(study(answers=values(2)))]
    assert any("values (a, b) are predicted within" in text for text in both)


def test_labels_are_told_in_log_loss_and_rows_that_are_right_in_all(study):
    answers = marks()
    texts = [found.text for found in findings(study(answers=answers))]
    assert any(t.startswith("Gain: the ensemble's test log loss is") for t in texts)
    right = [int(((p > 0.5) == answers.targets).all(1).sum())
             for p in (answers.single, answers.ensemble)]  # fmt: skip
    assert (
        f"The best single model has every label of {right[0]} of 80 test rows right, "
        f"the ensemble {right[1]}."
    ) in texts


@pytest.mark.parametrize(
    ("answers", "there", "absent"),
    [
        (values(), ("predicted", "residuals"), ("confusion", "reliability", "labels")),
        (marks(), ("labels",), ("confusion", "reliability", "predicted")),
    ],
)
def test_a_page_draws_what_suits_the_task_alone(study, tmp_path, answers, there, absent):
    page = write_page(study(answers=answers), tmp_path / "page.html").read_text()
    assert all(f'<figure id="{key}">' in page for key in there)
    assert not any(f'<figure id="{key}">' in page for key in absent)


def test_losses_that_cannot_be_compared_are_not(study, tmp_path):
    summary = study(fit_metric=None)
    page = write_page(summary, tmp_path / "page.html").read_text()
    assert '<figure id="fit">' not in page
    assert not any("fit" in found.text for found in findings(summary))


def test_the_tiles_of_a_regression_are_its_own_metrics(study, tmp_path):
    from ripieno.reports import Scores

    summary = study(single=Scores(test={"rmse": 1.5, "mae": 1.25, "r2": 0.5}), answers=values())
    page = write_page(summary, tmp_path / "page.html").read_text()
    assert "test RMSE" in page
    assert "test MAE" in page
    assert "test R\N{SUPERSCRIPT TWO}" not in page


@pytest.mark.parametrize("task", ["multilabel", "regression"])
def test_answers_and_targets_of_columns_have_one_shape(task):
    with pytest.raises(ReportError, match="targets of shape"):
        Answers(np.zeros(9), np.zeros((9, 1)), task=task)
