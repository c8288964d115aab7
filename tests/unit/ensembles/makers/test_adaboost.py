import numpy as np
import pytest
import torch
from torch import nn

import ripieno as rp
from ripieno.ensembles.makers import AdaBoost, samme
from ripieno.errors import EnsembleError

CONFIG = rp.Config({"lr": 0.1, "optimizer": "sgd", "batch_size": 16})


def test_members_are_trained_on_weights_as_in_a_plain_loop(
    recipe, blobs, plain, assert_equal_members
):
    made = AdaBoost(members=3, rate=0.5).make(recipe, blobs, CONFIG, seed=7)
    u, states, weights = np.full(60, 1 / 60), [], []
    first = plain(recipe, blobs, CONFIG).state
    for trial in range(3):
        alone = plain(recipe, blobs, CONFIG, trial=trial)
        alone.model.load_state_dict(first)
        w = torch.from_numpy(60 * u)
        for epoch in range(4):
            for rows in alone.batches(epoch):
                losses = nn.functional.cross_entropy(
                    alone.model(alone.x[rows]), alone.y[rows], reduction="none"
                )
                alone.step((w[rows] * losses).mean())
        right = (alone.model(alone.x).argmax(1) == alone.y).numpy()
        done = samme(u, right, classes=3, rate=0.5)
        states.append(alone.state)
        weights.append(done.weight)
        u = done.rows
    assert_equal_members(made, states)
    assert made.weights == pytest.approx(np.array(weights) / sum(weights))
    assert len(made.facts["errors"]) == 3
    votes = np.stack([m(torch.from_numpy(blobs.test.x).double()).argmax(1) for m in made.members])
    score = np.stack([(np.array(weights)[:, None] * (votes == k)).sum(0) for k in range(3)])
    np.testing.assert_array_equal(made.predict(blobs.test), score.argmax(0))


def test_samme_r_answers_with_the_mean_of_log_probabilities(recipe, blobs):
    made = AdaBoost(members=3, variant="samme.r").make(recipe, blobs, CONFIG, seed=7)
    x = torch.from_numpy(blobs.test.x).double()
    logs = torch.stack([torch.log_softmax(member(x), -1) for member in made.members])
    # sum_m (K - 1) (ln p_k - mean_j ln p_j), whose order of classes is that of the mean.
    scores = (2 * (logs - logs.mean(-1, keepdim=True))).sum(0)
    np.testing.assert_array_equal(made.predict(blobs.test), scores.argmax(1).numpy())


def test_boosting_of_values_ends_where_a_member_is_no_better_than_chance(line):
    recipe = rp.Recipe(model=lambda config: nn.Linear(3, 1), epochs=8, dtype="float64")
    made = AdaBoost(members=4).make(recipe, line, CONFIG, seed=7)
    assert made.rule.name == "weighted_median"
    assert 1 <= len(made.members) <= 4
    assert all(error < 0.5 for error in made.facts["errors"])
    errors = np.array(made.facts["errors"])
    wanted = np.log((1 - errors) / errors)
    assert made.weights == pytest.approx(wanted / wanted.sum())


def test_a_perfect_member_ends_boosting(blobs, recipe):
    recipe = rp.Recipe(model=recipe.model, epochs=40)
    config = rp.Config({"lr": 0.05, "hidden": 128})
    made = AdaBoost(members=5).make(recipe, blobs, config)
    assert made.facts["errors"][-1] == 0.0
    assert len(made.members) < 5


@pytest.mark.parametrize(("start", "alike"), [("same", True), ("warm", True), ("new", False)])
def test_members_start_as_they_are_told(line, start, alike):
    recipe = rp.Recipe(model=lambda config: nn.Linear(3, 1), epochs=1, dtype="float64")
    still = rp.Config({"lr": 1e-12, "optimizer": "sgd"})
    made = AdaBoost(members=2, start=start).make(recipe, line, still, seed=1)
    one, other = (member.weight for member in made.members)
    assert torch.allclose(one, other) is alike


def test_a_variant_of_another_task_is_refused(recipe, blobs, line):
    with pytest.raises(EnsembleError, match="'r2' is not for classification"):
        AdaBoost(variant="r2").make(recipe, blobs, CONFIG)
    with pytest.raises(EnsembleError, match="'samme' is not for regression"):
        AdaBoost(variant="samme").make(recipe, line, CONFIG)
