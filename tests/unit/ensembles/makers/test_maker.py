"""What holds of every maker, on every task that it is for."""

from dataclasses import fields, replace

import numpy as np
import pytest
import torch
from torch import nn

import ripieno as rp
from ripieno import ensembles
from ripieno.ensembles import Ensemble, Maker
from ripieno.errors import EnsembleError
from ripieno.recipes import Data, Recipe

MAKERS = {
    "DeepEnsemble": {"members": 2},
    "Bagging": {"members": 2},
    "Snapshot": {"members": 2},
    "Swa": {},
    "Ema": {"decay": 0.9},
    "Soup": {"members": 2, "barrier": 10.0},
    "AdaBoost": {"members": 2},
    "GradientBoosting": {"members": 2, "rate": 0.8},
    "SoftGradientBoosting": {"members": 2, "rate": 0.8},
    "NegativeCorrelation": {"members": 2},
    "HyperDeep": {"members": 2},
    "FastGeometric": {"members": 2},
    "Fusion": {"members": 2},
    "Adversarial": {"members": 2},
}
TASKS = ("classification", "multilabel", "regression")
NOT_FOR = {("AdaBoost", "multilabel")}
CONFIG = rp.Config({"lr": 0.05, "batch_size": 16})


def make(name, **changes):
    return getattr(ensembles, name)(**{**MAKERS[name], **changes})


@pytest.fixture(scope="module")
def sets():
    """One set a task whose targets are linear in three features, but for noise."""
    rng = np.random.default_rng(3)
    x = rng.normal(size=(90, 3)).astype(np.float32)
    said = x @ rng.normal(size=(3, 3)) + 0.3 * rng.normal(size=(90, 3))
    return {
        "classification": Data.from_arrays(x, said.argmax(1)),
        "multilabel": Data.from_arrays(x, (said > 0).astype(int), task="multilabel"),
        "regression": Data.from_arrays(x, 100 + 10 * said[:, 0]),
    }


def build(config):
    outputs = config.get("outputs", 3)
    return nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, outputs))


def recipe_of(task):
    def model(config):
        return build({"outputs": 1 if task == "regression" else 3})

    return Recipe(model=model, epochs=8)


@pytest.mark.parametrize(
    ("name", "task"),
    [(name, task) for name in MAKERS for task in TASKS if (name, task) not in NOT_FOR],
)
def test_an_ensemble_says_more_than_a_constant_and_comes_back_from_its_folder(
    tmp_path, sets, name, task
):
    data, recipe = sets[task], recipe_of(task)
    made = make(name).make(recipe, data, CONFIG, seed=1)
    score = made.score(data.test)
    y = data.test.y
    if task == "regression":
        assert score["rmse"] < 0.8 * np.std(y)
    elif task == "multilabel":
        assert score["log_loss"] < 0.9 * np.log(2)
    else:
        assert score["accuracy"] > np.bincount(y).max() / len(y)
    made.save(tmp_path)
    again = Ensemble.load(tmp_path, recipe.model)
    np.testing.assert_array_equal(again.predictions(data.test).probabilities,
                                  made.predictions(data.test).probabilities)  # fmt: skip
    np.testing.assert_array_equal(again.predict(data.test), made.predict(data.test))


@pytest.mark.parametrize("name", MAKERS)
def test_the_seed_decides_everything(sets, name):
    data, recipe = sets["classification"], Recipe(model=build, epochs=2)
    one, same, other = (
        make(name).make(recipe, data, CONFIG, seed=seed).predict_proba(data.test)
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, same)
    assert np.abs(one - other).max() > 1e-4


@pytest.mark.parametrize("name", MAKERS)
def test_a_maker_is_plain_numbers_and_refuses_none_of_its_members(name):
    maker = make(name)
    assert isinstance(maker, Maker)
    plain = (int, float, str, bool, type(None))
    assert all(isinstance(getattr(maker, f.name), plain) for f in fields(maker))
    with pytest.raises(EnsembleError, match="members = 0 makes no ensemble"):
        replace(maker, members=0)


class Items(torch.utils.data.Dataset):
    """A data set that is read row by row."""

    def __len__(self):
        return 60

    def __getitem__(self, row):
        return torch.full((3,), float(row % 7)), row % 2


def test_makers_of_members_that_read_all_from_one_stream_take_it_and_others_refuse_it():
    data = Data.from_dataset(Items(), in_memory=False)
    recipe = Recipe(model=lambda config: build({"outputs": 2}), epochs=2)
    made = make("DeepEnsemble").make(recipe, data, CONFIG)
    assert made.predict_proba(data.test).shape == (len(data.test), 2)
    for name in ("Bagging", "Ema", "GradientBoosting"):
        with pytest.raises(EnsembleError, match="is a stream"):
            make(name).make(recipe, data, CONFIG)


@pytest.mark.parametrize("name", ["Ema", "Adversarial"])
def test_an_independent_member_that_diverges_is_left_out_with_a_warning(sets, name):
    recipe = Recipe(model=lambda config: nn.Linear(3, 1), epochs=3)
    configs = [rp.Config({"lr": lr, "optimizer": "sgd"}) for lr in (1e30, 0.01)]
    with pytest.warns(RuntimeWarning, match="member 0 diverged and is left out"):
        made = make(name, members=2).make(recipe, sets["regression"], configs)
    assert [told["id"] for told in made.facts["members"]] == ["1"]


def test_the_numbers_of_a_maker_are_searched_like_any_others(sets):
    data, recipe = sets["classification"], Recipe(model=build, epochs=2)
    space = rp.Space(members=rp.Int(1, 3), sample_share=rp.Float(0.3, 1.0))

    def objective(config, report):
        made = ensembles.Bagging(**config).make(recipe, data, CONFIG)
        report(epoch=1, log_loss=made.score(data.validation)["log_loss"])

    study = rp.search(
        objective, space, metric="log_loss", scheduler="full", trials=4, epochs=1, progress=False
    )
    frame = study.to_dataframe()
    assert len(frame) == 4
    assert frame["log_loss"].nunique() > 1


def test_every_maker_of_the_door_is_here():
    assert set(MAKERS) == {
        name
        for name in ensembles.__all__
        if name != "Maker" and hasattr(getattr(ensembles, name), "make")
    }
