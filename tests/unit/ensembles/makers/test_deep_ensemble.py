from dataclasses import replace

import numpy as np
import pytest
import torch

import ripieno as rp
from ripieno.ensembles import Ensemble
from ripieno.ensembles.makers import Bagging, DeepEnsemble, Maker
from ripieno.errors import EnsembleError
from ripieno.ledger import MemoryArtifacts
from ripieno.recipes import Data, TrainerRunner, mlp
from ripieno.records import Order

CONFIG = rp.Config({"lr": 0.02})


def test_members_equal_those_that_were_trained_one_by_one(
    recipe, blobs, trained_alone, assert_equal_members
):
    made = DeepEnsemble(members=3).make(recipe, blobs, CONFIG, seed=7)
    assert_equal_members(made, trained_alone(recipe, blobs, [CONFIG] * 3))
    assert made.weights == pytest.approx([1 / 3] * 3)


def test_no_two_members_begin_alike(recipe, blobs):
    made = DeepEnsemble(members=3).make(recipe, blobs, rp.Config({"lr": 1e-12}), seed=7)
    first = [member[0].weight for member in made.members]
    assert all((first[a] - first[b]).abs().max() > 0.01 for a, b in ((0, 1), (0, 2), (1, 2)))


def test_members_may_differ_in_architecture_and_loss(
    recipe, blobs, trained_alone, assert_equal_members
):
    configs = [CONFIG, rp.Config({"lr": 0.02, "hidden": 4, "loss": "focal"})]
    made = DeepEnsemble(members=4).make(recipe, blobs, configs, seed=7)
    assert [len(member[0].bias) for member in made.members] == [8, 4, 8, 4]
    assert_equal_members(made, trained_alone(recipe, blobs, configs * 2))


def test_every_member_keeps_its_best_epoch(recipe, blobs):
    # torchensemble 0.2.0 answers with the last epoch after keeping the best on disk.
    configs = [rp.Config({"lr": 0.8, "restore": "best"})] * 2
    made = DeepEnsemble(members=2).make(recipe, blobs, configs, seed=7)
    store = MemoryArtifacts()
    orders = [Order(n, config, 0, recipe.epochs) for n, config in enumerate(configs)]
    for member, outcome in zip(
        made.members, TrainerRunner(recipe, blobs, 7).run(orders, store, lambda: False), strict=True
    ):
        best = min(row["log_loss"] for row in outcome.metrics)
        alone = Ensemble([member], [1.0], classes=blobs.classes)
        # Probabilities are float32.
        assert alone.score(blobs.validation)["log_loss"] == pytest.approx(best, rel=1e-5)


def test_a_member_that_diverges_is_left_out_with_a_warning(recipe, line):
    recipe = rp.Recipe(model=lambda config: torch.nn.Linear(3, 1), epochs=3)
    configs = [rp.Config({"lr": lr, "optimizer": "sgd"}) for lr in (0.01, 1e20)]
    with pytest.warns(RuntimeWarning, match="member 1 diverged and is left out"):
        made = DeepEnsemble(members=2).make(recipe, line, configs)
    assert len(made.members) == 1
    with pytest.warns(RuntimeWarning), pytest.raises(EnsembleError, match="all 1 members"):
        DeepEnsemble(members=1).make(recipe, line, configs[1:])


def test_a_combiner_chooses_on_the_validation_part(recipe, blobs):
    class Second:
        def fit(self, library):
            assert library.rows == len(blobs.validation)
            return [0.0, 1.0, 0.0]

    made = DeepEnsemble(members=3, combiner=Second()).make(recipe, blobs, CONFIG)
    assert [told["id"] for told in made.facts["members"]] == ["1"]


def test_folds_and_bad_numbers_are_refused(recipe, blobs):
    assert isinstance(DeepEnsemble(), Maker)
    with pytest.raises(EnsembleError, match="members = 0 makes no ensemble"):
        DeepEnsemble(members=0)
    with pytest.raises(EnsembleError, match="no config to train"):
        DeepEnsemble().make(recipe, blobs, [])
    x = np.random.default_rng(0).normal(size=(30, 5))
    folded = Data.from_arrays(x, np.arange(30) % 3, folds=2)
    with pytest.raises(EnsembleError, match="is 2 folds"):
        DeepEnsemble().make(recipe, folded, CONFIG)


def test_an_ensemble_of_a_built_in_recipe_comes_back_from_its_folder(tmp_path, blobs):
    config = rp.Config({"depth": 1, "width": 4, "lr": 0.01})
    recipe = rp.Recipe(model=mlp(blobs).model, epochs=1, name="mlp")
    made = DeepEnsemble(members=2).make(recipe, blobs, config)
    made.save(tmp_path)
    again = Ensemble.load(tmp_path)
    np.testing.assert_array_equal(again.predict_proba(blobs.test), made.predict_proba(blobs.test))


@pytest.mark.parametrize("maker", [DeepEnsemble(members=2), Bagging(members=2, feature_share=0.6)])
def test_members_that_are_added_are_those_of_a_larger_ensemble(
    recipe, blobs, maker, assert_equal_members
):
    configs = [CONFIG, rp.Config({"lr": 0.03, "hidden": 4}), rp.Config({"lr": 0.01})]
    told = {"recipe": recipe, "data": blobs, "configs": configs, "seed": 7}
    made = maker.make(recipe, blobs, configs, seed=7)
    grown = maker.fit_more(maker.fit_more(made, 1, **told), 2, **told)
    whole = replace(maker, members=5).make(recipe, blobs, configs, seed=7)
    assert_equal_members(grown, [member.state_dict() for member in whole.members])
    assert grown.facts == whole.facts
    assert len(made.members) == 2


def test_the_number_of_a_member_that_was_left_out_is_not_given_again(line):
    recipe = rp.Recipe(model=lambda config: torch.nn.Linear(3, 1), epochs=2)
    configs = [rp.Config({"lr": lr, "optimizer": "sgd"}) for lr in (0.01, 1e20, 0.02)]
    maker = DeepEnsemble(members=2)
    with pytest.warns(RuntimeWarning, match="member 1 diverged and is left out"):
        made = maker.make(recipe, line, configs)
    grown = maker.fit_more(made, 1, recipe=recipe, data=line, configs=configs)
    assert [told["id"] for told in grown.facts["members"]] == ["0", "2"]


def test_an_ensemble_of_another_kind_cannot_be_added_to(recipe, blobs):
    other = Ensemble([torch.nn.Linear(5, 3)], [1.0], classes=blobs.classes)
    with pytest.raises(EnsembleError, match="independent of each other"):
        DeepEnsemble().fit_more(other, 1, recipe=recipe, data=blobs, configs=CONFIG)
