import numpy as np
import pytest
import torch
from sklearn.neighbors import NearestNeighbors

from ripieno.ensembles import DynamicSelection, Predictions, accuracy, fit_combiner
from ripieno.errors import EnsembleError


def halves(rows=200, seed=0):
    """Two members: each knows one half of a line, and guesses on the other."""
    rng = np.random.default_rng(seed)
    x, y = rng.uniform(-1, 1, rows), rng.integers(2, size=rows)
    sure = np.eye(2)[y] * 0.8 + 0.1
    guess = np.eye(2)[rng.integers(2, size=rows)] * 0.8 + 0.1
    left = (x < 0)[:, None]
    p = np.stack([np.where(left, sure, guess), np.where(left, guess, sure)])
    return Predictions(p, y, ("left", "right"), f"rows {seed}"), x[:, None]


@pytest.mark.parametrize("kind", ["knora_e", "knora_u", "local_accuracy"])
def test_members_answer_where_they_know_better(kind):
    seen, x = halves()
    new, places = halves(seed=1)
    found = fit_combiner(DynamicSelection(kind, neighbours=9, embedding=x), seen)
    answers = found.answer(new, embedding=places)
    vote = accuracy(new.mean([0.5, 0.5]), new.targets)
    assert accuracy(answers, new.targets) > max(0.93, vote + 0.1)


def reference(kind, right, distances, neighbours):
    """Shares of the members for one row, by the papers' own loops."""
    near = np.argsort(distances, kind="stable")[:neighbours]
    if kind == "local_accuracy":
        local = right[:, near].mean(axis=1)
        chosen = (local == local.max()).astype(float)
    elif kind == "knora_u":
        chosen = right[:, near].sum(axis=1)
    else:
        chosen = np.zeros(len(right))
        for size in range(neighbours, 0, -1):
            chosen = right[:, near[:size]].all(axis=1).astype(float)
            if chosen.any():
                break
    return chosen / chosen.sum() if chosen.any() else np.full(len(right), 1 / len(right))


@pytest.mark.parametrize("kind", ["knora_e", "knora_u", "local_accuracy"])
def test_shares_are_those_of_the_papers_loops(library, kind):
    seen = library(members=5, rows=80)
    rng = np.random.default_rng(0)
    places, new = rng.normal(size=(80, 3)), rng.normal(size=(30, 3))
    rule = fit_combiner(DynamicSelection(kind, neighbours=7, size=None, embedding=places), seen)
    order = list(rule.members)
    found = rule.rule.weights_at(torch.from_numpy(new)).numpy()
    right = seen.probabilities[order].argmax(axis=2) == seen.targets
    finder = NearestNeighbors(n_neighbors=80).fit(places)
    for row, (distances, ranks) in enumerate(zip(*finder.kneighbors(new), strict=True)):
        own = np.empty(80)
        own[ranks] = distances
        np.testing.assert_allclose(found[row], reference(kind, right, own, 7), atol=1e-12)


def test_output_profiles_need_nothing_but_predictions():
    seen, _ = halves(400)
    new, _ = halves(400, seed=1)
    found = fit_combiner(DynamicSelection(), seen)
    assert not found.rule.reads_embedding
    assert found.answer(new).shape == (400, 2)


def test_values_are_left_to_the_member_with_the_smallest_local_error(library):
    seen = library("regression", members=3)
    places = np.linspace(0, 1, seen.rows)[:, None]
    found = fit_combiner(DynamicSelection("local_accuracy", neighbours=1, embedding=places), seen)
    order = list(found.members)
    errors = ((seen.probabilities[order] - seen.targets) ** 2).mean(axis=2)
    expected = seen.probabilities[order][errors.argmin(axis=0), np.arange(seen.rows)]
    np.testing.assert_allclose(found.answer(seen, embedding=places), expected)


def test_what_cannot_be_selected_is_refused(library):
    with pytest.raises(EnsembleError, match="values are never quite right"):
        fit_combiner(DynamicSelection(), library("regression"))
    with pytest.raises(EnsembleError, match="300 neighbours are asked for among 200"):
        fit_combiner(DynamicSelection(neighbours=300), library())
    with pytest.raises(EnsembleError, match=r"the embedding has the shape \(3, 1\)"):
        fit_combiner(DynamicSelection(embedding=np.zeros((3, 1))), library())
    with pytest.raises(EnsembleError, match="kind = 'meta' is not known"):
        fit_combiner(DynamicSelection("meta"), library())
    seen, x = halves()
    found = fit_combiner(DynamicSelection(embedding=x), seen)
    with pytest.raises(EnsembleError, match="none is given"):
        found.answer(seen)
