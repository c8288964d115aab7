import json
import math

import numpy as np
import pytest
import torch
from sklearn.ensemble import VotingClassifier
from sklearn.preprocessing import LabelEncoder

from ripieno.ensembles import (
    COMBINERS,
    RULES,
    Combination,
    Costs,
    GreedySelection,
    Limits,
    Predictions,
    SoftRule,
    fit_combiner,
    greedy_selection,
    log_loss,
    make_combiner,
    nested_answers,
    nested_gain,
)
from ripieno.ensembles.fitted import answers_of, scores_of
from ripieno.errors import EnsembleError
from ripieno.recipes import measure

TASKS = {
    "classification": set(COMBINERS) - {"median", "mixture"},
    "multilabel": set(COMBINERS) - {"median", "mixture"},
    "regression": {"greedy", "soft", "weighted", "stacking", "median", "mixture"},
}
PAIRS = [(task, name) for task, names in TASKS.items() for name in sorted(names)]


@pytest.mark.parametrize(("task", "method"), PAIRS)
def test_every_combiner_beats_the_mean_member_on_new_rows(library, task, method):
    seen, new = library(task, seed=0), library(task, seed=1)
    found = fit_combiner(make_combiner(method), seen)
    answers = found.answer(new)
    assert answers.shape == (new.rows, new.classes)
    if method == "hard":  # its shares are no probabilities to be measured by a log loss

        def loss(p):
            right = (
                p.argmax(axis=1) == new.targets
                if task == "classification"
                else ((p > 0.5) == new.targets)
            )
            return 1 - right.mean()
    else:

        def loss(p):
            return next(iter(measure(p, new.targets, task=task).values()))

    assert loss(answers) < np.mean([loss(p) for p in new.probabilities])
    assert found.weights.shape == (6,)
    assert found.weights.sum() == pytest.approx(1)
    assert found.ids == tuple(f"m{member}" for member in found.members)


@pytest.mark.parametrize(("task", "method"), PAIRS)
def test_every_rule_is_rebuilt_from_plain_options_and_tensors(library, task, method):
    seen, new = library(task, seed=0), library(task, seed=1, rows=20)
    found = fit_combiner(make_combiner(method), seen)
    options = json.loads(json.dumps(found.rule.options()))
    again = RULES[found.rule.name](**options, **found.rule.tensors())
    twin = Combination(found.members, again)
    np.testing.assert_array_equal(twin.answer(new), found.answer(new))


@pytest.mark.parametrize(("task", "method"), PAIRS)
def test_every_rule_computes_in_single_precision_too(library, task, method):
    seen = library(task)
    found = fit_combiner(make_combiner(method), seen)
    part = seen.subset(list(found.members))
    with torch.no_grad():
        scores = found.rule(scores_of(part.probabilities, task).float())
    assert scores.dtype == torch.float32
    np.testing.assert_allclose(answers_of(scores, task), found.answer(seen), atol=2e-5)


class _Fixed:
    """A fitted classifier with given probabilities, for scikit-learn's voting."""

    def __init__(self, p):
        self.p = p

    def predict_proba(self, x):
        return self.p

    def predict(self, x):
        return self.p.argmax(axis=1)


@pytest.mark.parametrize("voting", ["soft", "hard"])
def test_votes_are_scikit_learns(library, voting):
    seen = library()
    weights = np.array([0.3, 0.1, 0.2, 0.1, 0.2, 0.1])
    reference = VotingClassifier([(n, None) for n in seen.ids], voting=voting, weights=weights)
    reference.estimators_ = [_Fixed(p) for p in seen.probabilities]
    reference.le_ = LabelEncoder().fit(seen.targets)
    reference.classes_ = reference.le_.classes_
    rule = RULES[voting](weights)
    answers = Combination(tuple(range(6)), rule).answer(seen)
    if voting == "soft":
        np.testing.assert_allclose(answers, reference.predict_proba(None), atol=1e-12)
    np.testing.assert_array_equal(answers.argmax(axis=1), reference.predict(None))


def test_a_geometric_vote_is_the_normalised_product(library):
    seen = library()
    weights = np.array([0.5, 0.1, 0.1, 0.1, 0.1, 0.1])
    answers = Combination(tuple(range(6)), RULES["geometric"](weights)).answer(seen)
    product = np.prod(seen.probabilities ** weights[:, None, None], axis=0)
    np.testing.assert_allclose(answers, product / product.sum(axis=1, keepdims=True), atol=1e-12)


@pytest.mark.parametrize("members", [3, 4])
def test_a_median_is_numpys(library, members):
    seen = library("regression", members=members)
    found = fit_combiner(make_combiner("median"), seen)
    np.testing.assert_allclose(found.answer(seen), np.median(seen.probabilities, axis=0))


def test_a_greedy_combination_is_the_selection(library):
    seen = library()
    weights = greedy_selection(seen)
    found = fit_combiner(GreedySelection(), seen)
    np.testing.assert_allclose(found.weights, weights, atol=1e-15)
    np.testing.assert_allclose(found.answer(seen), seen.mean(weights), atol=1e-12)


def test_a_limit_of_members_keeps_the_best_selection_of_so_many(library):
    seen = library(members=12, rows=400)
    free = fit_combiner(GreedySelection(), seen)
    assert len(free.members) > 2
    limited = fit_combiner(make_combiner("greedy", size=2), seen)
    assert len(limited.members) <= 2
    heaviest = set(np.argsort(-free.weights)[:2])
    assert set(limited.members) <= heaviest
    assert log_loss(limited.answer(seen), seen.targets) < min(
        log_loss(p, seen.targets) for p in seen.probabilities
    )


def test_limits_on_parameters_and_time_hold_for_the_whole_ensemble(library):
    seen = library(members=8)
    parameters = [100, 900, 300, 200, 5_000, 400, 100, 50]
    times = [1.0, 2.0, 9.0, 1.0, 1.0, 1.0, 1.0, 1.0]
    combiner = GreedySelection(
        limits=Limits(parameters=1_000, latency_ms=3.0), costs=Costs(parameters, times)
    )
    found = fit_combiner(combiner, seen)
    assert sum(parameters[m] for m in found.members) <= 1_000
    assert sum(times[m] for m in found.members) <= 3.0
    assert len(found.members) > 1


def test_limits_that_nothing_meets_and_unknown_costs_are_refused(library):
    seen = library()
    with pytest.raises(EnsembleError, match="none of 6 models is within"):
        fit_combiner(GreedySelection(limits=Limits(parameters=5), costs=Costs([9] * 6)), seen)
    with pytest.raises(EnsembleError, match="the cost of 0 of 6 models is known"):
        fit_combiner(GreedySelection(limits=Limits(latency_ms=5)), seen)
    with pytest.raises(EnsembleError, match="members = 0 leaves no model"):
        Limits(members=0)


class Best:
    """A user's own: the member with the lowest log loss."""

    def fit(self, library):
        losses = [log_loss(p, library.targets) for p in library.probabilities]
        return np.arange(library.members) == np.argmin(losses)


def test_a_users_combiner_is_one_method_that_returns_weights(library):
    seen = library()
    found = fit_combiner(make_combiner(Best()), seen)
    (member,) = found.members
    np.testing.assert_allclose(found.answer(seen), seen.probabilities[member], atol=1e-12)


def test_a_users_combiner_may_return_a_rule(library):
    class Equal:
        def fit(self, library):
            return SoftRule(np.ones(library.members), task=library.task)

    seen = library("regression")
    found = fit_combiner(Equal(), seen)
    np.testing.assert_allclose(found.answer(seen), seen.probabilities.mean(axis=0))


@pytest.mark.parametrize("returned", [None, [1.0], [-1.0] * 6, [0.0] * 6, [math.nan] * 6, "all"])
def test_what_is_no_combination_is_refused_with_the_combiners_name(library, returned):
    class Wrong:
        def fit(self, library):
            return returned

    with pytest.raises(EnsembleError, match="neither weights of 6 members") as caught:
        fit_combiner(Wrong(), library())
    assert "Wrong.fit" in caught.value.where


def test_members_are_found_by_their_names(library):
    seen, new = library(seed=0), library(seed=1)
    found = fit_combiner(make_combiner("soft", size=3), seen)
    shuffled = new.subset([3, 5, 0, 1, 4, 2])
    np.testing.assert_array_equal(found.answer(shuffled), found.answer(new))
    with pytest.raises(EnsembleError, match="is not there"):
        found.answer(new.subset([m for m in range(6) if m != found.members[0]]))


def test_a_gain_on_the_rows_that_chose_is_refused(library):
    seen, new = library(seed=0), library(seed=1)
    found = fit_combiner(make_combiner("greedy"), seen)
    with pytest.raises(EnsembleError, match="its gain on them is no gain"):
        found.gain(seen, single="m0")
    gain = found.gain(new, single=seen.ids[int(found.weights.argmax())])
    assert gain.metric == "log_loss"
    assert gain.value > 0


def test_nested_answers_are_not_as_good_as_those_on_the_rows_that_chose(library):
    seen = library(rows=40, members=20, noise=3.0)
    combiner = make_combiner("weighted", size=None)
    flattering = log_loss(fit_combiner(combiner, seen).answer(seen), seen.targets)
    assert log_loss(nested_answers(combiner, seen), seen.targets) > flattering + 0.01
    gain = nested_gain(combiner, seen)
    assert gain.low < gain.value < gain.high


def test_folds_that_the_rows_do_not_allow_are_refused(library):
    with pytest.raises(EnsembleError, match="4 rows cannot be divided into 5 folds"):
        nested_answers(make_combiner("soft"), library(rows=4))


def test_copies_of_one_model_gain_nothing_and_the_interval_says_so(library):
    one = library(members=1)
    copies = Predictions(
        np.repeat(one.probabilities, 4, 0), one.targets, tuple("abcd"), one.fingerprint
    )
    gain = nested_gain(make_combiner("greedy"), copies)
    assert gain.value == pytest.approx(0, abs=1e-9)
    assert not gain.is_clear or abs(gain.value) < 1e-9


def test_names_and_tasks_that_do_not_fit_are_refused(library):
    with pytest.raises(EnsembleError, match="no method 'best'"):
        make_combiner("best")
    with pytest.raises(EnsembleError, match="with size = 3 is no combiner"):
        make_combiner(Best(), size=3)
    with pytest.raises(EnsembleError, match="median does not combine answers of classification"):
        fit_combiner(make_combiner("median"), library())
    with pytest.raises(EnsembleError, match="geometric does not combine answers of regression"):
        fit_combiner(make_combiner("geometric"), library("regression"))
    found = fit_combiner(make_combiner("soft"), library())
    with pytest.raises(EnsembleError, match="is given predictions of regression"):
        found.answer(library("regression"))
