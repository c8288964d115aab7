"""The models of a search are put together anew, and trained anew."""

import gc
from pathlib import Path

import numpy as np
import pytest
import torch

import ripieno as rp
from ripieno.recipes import from_splits
from ripieno.records import config_by_epoch
from ripieno.study import Models, refit

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 4))
Y = (X[:, 0] > 0).astype(int)
SPACE = rp.Space(
    lr=rp.Float(1e-3, 0.1, log=True),
    depth=rp.Constant(1),
    width=rp.Constant(8),
    restore=rp.Categorical("last", "best"),
)


def search(**options):
    return rp.tune(
        "mlp", (X, Y), SPACE, tier="loop", workers=1, out=":memory:", progress=False,
        **{"trials": 3, "epochs": 5, "scheduler": "full", **options},
    )  # fmt: skip


@pytest.fixture(scope="module")
def study():
    return search()


def weights_of(ensemble):
    return ensemble.state_dict()


def test_the_models_of_a_trial_answer_alone(study):
    alone = Models.of(study).ensemble({study.best.id: 1.0})
    data = study.job.data
    accuracy = alone.score(data.validation)["accuracy"]
    assert accuracy == pytest.approx(study.best.metrics["accuracy"])


def test_training_once_more_on_the_same_rows_gives_the_same_weights(study):
    numbers = [trial.id for trial in study.trials]
    again = refit(study, study.job.data, numbers)
    weights = dict.fromkeys(numbers, 1.0)
    expected = weights_of(Models.of(study).ensemble(weights))
    for name, tensor in weights_of(again.ensemble(weights)).items():
        assert torch.equal(tensor, expected[name]), name


def test_processes_train_the_same_weights(study):
    alone, together = (
        refit(study, study.job.data, [0, 1], workers=workers).ensemble({0: 1.0, 1: 1.0})
        for workers in (1, 2)
    )
    for name, tensor in weights_of(together).items():
        assert torch.equal(tensor, weights_of(alone)[name]), name


def test_other_rows_give_other_weights_of_as_many_epochs(study):
    rows = np.arange(len(Y))
    whole = from_splits(X, Y, [(rows, rows)])
    again = refit(study, whole, [0])
    assert again.trials[0].epochs == study.trials[0].metrics.get("best_epoch", 5)
    assert len(whole.train) == 60
    first, other = (weights_of(models.ensemble({0: 1.0})) for models in (Models.of(study), again))
    assert any(not torch.equal(first[name], other[name]) for name in first)


def test_a_schedule_that_a_population_found_is_followed():
    population = search(scheduler="pbt", trials=6, epochs=8)
    fork = population.trials[-1]
    assert fork.parent is not None
    epochs = int(fork.metrics.get("best_epoch", fork.epochs))
    again = refit(population, population.job.data, [fork.id]).trials[fork.id]
    assert again.epochs == epochs
    assert again.config.lr == config_by_epoch(population.trials, fork.id)[epochs - 1].lr


def test_a_trial_that_cannot_be_trained_again_says_why(study):
    rows = np.arange(len(Y))
    strange = from_splits(X[:, :3], Y, [(rows, rows)])
    with pytest.raises(rp.RipienoError, match="failed when it was trained once more"):
        refit(study, strange, [0])


def test_a_function_has_no_models():
    with pytest.raises(rp.RipienoError, match="has none"):
        Models.of(rp.search(lambda config: config.x, rp.Space(x=rp.Float(0, 1)), trials=1))


def test_a_study_in_memory_leaves_no_file_behind(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    study = search(trials=1)
    folder = Path(study.artifacts._folder)  # noqa: SLF001 - nobody else need know it
    assert list(folder.iterdir())
    assert study.folder is None
    del study
    gc.collect()
    assert not folder.exists()
    assert not list(tmp_path.iterdir())
