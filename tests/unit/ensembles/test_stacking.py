import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression, Ridge

from ripieno.ensembles import (
    Blending,
    GreedySelection,
    Predictions,
    Stacking,
    fit_combiner,
    log_loss,
)
from ripieno.errors import EnsembleError


def test_an_unbound_logistic_stack_is_scikit_learns(library):
    seen = library(members=3, rows=300)
    found = fit_combiner(Stacking(non_negative=False, l2=1e-4), seen)
    order = list(found.members)
    features = np.log(seen.probabilities[order]).transpose(1, 0, 2).reshape(300, -1)
    reference = LogisticRegression(C=1e4, tol=1e-10, max_iter=5_000).fit(features, seen.targets)
    np.testing.assert_allclose(found.answer(seen), reference.predict_proba(features), atol=2e-3)


@pytest.mark.parametrize("non_negative", [False, True])
def test_a_ridge_stack_is_scikit_learns_about_an_equal_vote(library, non_negative):
    seen = library("regression", members=4, noise=0.7)
    l2 = 5.0
    stacking = Stacking("ridge", l2=l2, non_negative=non_negative, size=None, towards="equal")
    found = fit_combiner(stacking, seen)
    if len(found.members) < 4:
        pytest.fail("a member was left out, and the reference has all")
    order = list(found.members)
    for column in range(2):
        x, y = seen.probabilities[order, :, column].T, seen.targets[:, column]
        middle = x.mean(axis=1)
        # Ridge shrinks to zero, so it is given what an equal vote leaves over.
        reference = Ridge(alpha=l2 * y.var()).fit(x, y - middle)
        answers = found.answer(seen)[:, column]
        if not non_negative or (reference.coef_ + 0.25 > 0).all():
            np.testing.assert_allclose(answers, reference.predict(x) + middle, rtol=1e-8)


def test_infinitely_held_weights_are_an_equal_vote(library):
    seen = library(rows=60)
    found = fit_combiner(Stacking(l2=1e9, towards="equal"), seen)
    np.testing.assert_allclose(found.weights, 1 / 6, atol=1e-4)


@pytest.mark.parametrize("kind", ["logistic", "ridge"])
@pytest.mark.parametrize("task", ["classification", "multilabel", "regression"])
def test_infinitely_held_weights_are_those_of_greedy_selection(library, kind, task):
    seen = library(task, rows=60, members=5)
    stacked = fit_combiner(Stacking(kind, l2=1e9), seen)
    greedy = fit_combiner(GreedySelection(), seen)
    np.testing.assert_allclose(stacked.weights, greedy.weights, atol=1e-4)


def _nearly_all_right(rows, seed):
    """What eight members say of rows that they answer rightly but for a few in a hundred."""
    rng = np.random.default_rng(seed)
    y = rng.integers(0, 5, rows)
    hard = rng.normal(size=(rows, 5)) * 1.5
    own = rng.normal(size=(8, rows, 5)) * np.linspace(1.0, 2.5, 8)[:, None, None]
    scores = 6.0 * np.eye(5)[y] + hard + own
    p = np.exp(scores - scores.max(axis=2, keepdims=True))
    names = tuple(f"m{number}" for number in range(8))
    return Predictions(p / p.sum(axis=2, keepdims=True), y, names, f"rows {seed}")


def test_few_errors_teach_little_and_do_no_harm():
    seen, new = _nearly_all_right(200, 0), _nearly_all_right(5_000, 1)

    def loss(combiner):
        return log_loss(fit_combiner(combiner, seen).answer(new), new.targets)

    voted, stacked = loss(GreedySelection()), loss(Stacking())
    assert stacked < 1.02 * voted
    assert loss(Stacking(l2=1e-2, towards="equal")) > 1.5 * stacked


@pytest.mark.parametrize("kind", ["logistic", "ridge"])
def test_a_non_negative_stack_leaves_out_a_member_that_is_always_wrong(library, kind):
    seen = library(members=3, rows=400)
    lying = seen.probabilities.copy()
    lying[1] = np.roll(lying[1], 1, axis=1)
    wrong = type(seen)(lying, seen.targets, seen.ids, seen.fingerprint)
    found = fit_combiner(Stacking(kind, l2=0.1), wrong)
    assert 1 not in found.members
    assert log_loss(found.answer(wrong), seen.targets) < min(
        log_loss(p, seen.targets) for p in lying
    )


def test_a_stack_of_classes_gives_probabilities_whatever_the_kind(library):
    for kind in ("logistic", "ridge"):
        answers = fit_combiner(Stacking(kind, non_negative=False), library()).answer(library())
        assert answers.min() >= 0
        np.testing.assert_allclose(answers.sum(axis=1), 1)


def test_a_blend_is_calibrated_on_rows_that_its_weights_have_not_seen(library):
    seen, new = (
        library(rows=60, members=8, classes=4, seed=0),
        library(rows=2_000, members=8, classes=4, seed=1),
    )
    free = Stacking(non_negative=False, l2=1e-3, size=None)
    stacked = fit_combiner(free, seen)
    blended = fit_combiner(Blending(free), seen)
    assert blended.rule.temperature > 1.5
    assert log_loss(blended.answer(new), new.targets) < log_loss(stacked.answer(new), new.targets)


def test_what_cannot_be_stacked_or_blended_is_refused(library):
    with pytest.raises(EnsembleError, match="l2 = 0 describe no stack"):
        Stacking(l2=0)
    with pytest.raises(EnsembleError, match="kind = 'tree'"):
        Stacking("tree")
    with pytest.raises(EnsembleError, match="towards = 'best'"):
        Stacking(towards="best")
    with pytest.raises(EnsembleError, match=r"share = 1.0"):
        Blending(share=1.0)
    with pytest.raises(EnsembleError, match="of regression cannot be blended"):
        fit_combiner(Blending(), library("regression"))
    rule = fit_combiner(Stacking(non_negative=False), library()).rule
    with pytest.raises(EnsembleError, match="cannot be taken out"):
        rule.keep([0])
