import numpy as np
import pytest
import torch
from sklearn.ensemble import BaggingRegressor
from sklearn.linear_model import LinearRegression
from torch import nn

import ripieno as rp
from ripieno.ensembles import Ensemble
from ripieno.ensembles.makers import Bagging, in_subspaces
from ripieno.errors import EnsembleError

CONFIG = rp.Config({"lr": 0.02})


def test_members_equal_those_that_were_trained_one_by_one_on_their_rows(
    recipe, blobs, trained_alone, assert_equal_members
):
    bagging = Bagging(members=3, sample_share=0.7)
    samples = {n: torch.from_numpy(s) for n, s in enumerate(bagging.samples(blobs, seed=7))}
    assert len({len(sample) for sample in samples.values()}) == 1
    made = bagging.make(recipe, blobs, CONFIG, seed=7)
    assert_equal_members(made, trained_alone(recipe, blobs, [CONFIG] * 3, samples=samples))


def test_values_and_out_of_bag_values_are_those_of_scikit_learn_on_its_samples(line):
    # Least squares: a full-batch descent to the end equals scikit-learn's own solution.
    x, y = line.train.x.astype(np.float64), line.train.y
    reference = BaggingRegressor(
        LinearRegression(), n_estimators=12, oob_score=True, random_state=0
    ).fit(x, y)

    class SameSamples(Bagging):
        def samples(self, data, *, seed=0):
            return [np.asarray(sample) for sample in reference.estimators_samples_]

    recipe = rp.Recipe(model=lambda config: nn.Linear(3, 1), epochs=150, dtype="float64")
    config = rp.Config({"lr": 0.2, "optimizer": "sgd", "momentum": 0.6, "batch_size": len(x)})
    bagging = SameSamples(members=12)
    made = bagging.make(recipe, line, config)
    wanted = reference.predict(line.test.x.astype(np.float64))
    np.testing.assert_allclose(made.predict(line.test), wanted, rtol=0, atol=1e-6)
    bag = bagging.out_of_bag(made, line)
    np.testing.assert_array_equal(bag.rows, np.arange(len(x)))
    np.testing.assert_allclose(bag.answers[:, 0], reference.oob_prediction_, rtol=0, atol=1e-6)
    assert made.facts["out_of_bag"]["r2"] == pytest.approx(reference.oob_score_, abs=1e-6)


def test_rows_that_every_member_saw_are_not_out_of_bag(recipe, blobs):
    bagging = Bagging(members=2, sample_share=0.9, bootstrap=False)
    made = bagging.make(recipe, blobs, CONFIG, seed=3)
    seen = [set(sample.tolist()) for sample in bagging.samples(blobs, seed=3)]
    bag = bagging.out_of_bag(made, blobs, seed=3)
    assert set(bag.rows.tolist()) == set(range(len(blobs.train))) - (seen[0] & seen[1])
    row = next(int(row) for row in bag.rows if row in seen[0])
    said = made.predictions(blobs.train).probabilities[1, row]
    np.testing.assert_allclose(bag.answers[bag.rows.tolist().index(row)], said, rtol=1e-6)


def test_random_subspaces_look_at_their_features_alone(
    recipe, blobs, trained_alone, assert_equal_members
):
    bagging = Bagging(members=4, bootstrap=False, feature_share=0.4)
    made = bagging.make(recipe, blobs, CONFIG, seed=7)
    masks = torch.stack([member.mask for member in made.members])
    assert masks.sum(1).tolist() == [2.0] * 4
    assert len({tuple(mask.tolist()) for mask in masks}) > 1
    x = torch.from_numpy(blobs.test.x).double()
    for member, mask in zip(made.members, masks, strict=True):
        changed = torch.where(mask.bool(), x, 100.0)
        torch.testing.assert_close(member(changed), member(x))
    narrow = in_subspaces(recipe, blobs, 0.4)
    assert_equal_members(made, trained_alone(narrow, blobs, [CONFIG] * 4))
    assert "out_of_bag" not in made.facts


def test_an_ensemble_of_subspaces_comes_back_with_its_factory(tmp_path, recipe, blobs):
    made = Bagging(members=2, feature_share=0.5).make(recipe, blobs, CONFIG)
    made.save(tmp_path)
    again = Ensemble.load(tmp_path, in_subspaces(recipe, blobs, 0.5).model)
    torch.testing.assert_close(again.members[1].mask, made.members[1].mask, check_dtype=False)


def test_out_of_bag_answers_need_rows_that_were_not_seen(recipe, blobs):
    whole = Bagging(members=2, bootstrap=False)
    made = whole.make(recipe, blobs, CONFIG)
    with pytest.raises(EnsembleError, match="has seen every row"):
        whole.out_of_bag(made, blobs)
    with pytest.raises(EnsembleError, match="was not made by"):
        Bagging(members=1).out_of_bag(made, blobs)
    with pytest.raises(EnsembleError, match="feature_share = 0"):
        Bagging(feature_share=0)
