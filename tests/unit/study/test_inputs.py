import numpy as np
import pytest
import torch

import ripieno as rp
from ripieno.errors import RecipeError
from ripieno.recipes import Data, Recipe
from ripieno.study.inputs import read_recipe


def table(rows):
    x = np.random.default_rng(0).normal(size=(rows, 3)).astype(np.float32)
    return Data.from_arrays(x, (x[:, 0] > 0).astype(int), test_share=0)


@pytest.fixture(scope="module")
def pictures():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(60, 6, 6)).astype(np.float32)
    return x, (x[:, :3].sum((1, 2)) > x[:, 3:].sum((1, 2))).astype(int)


def read(model, data, space=None, *, epochs=None, epoch_rows=None, minutes=None):
    asked = {"epochs": epochs, "epoch_rows": epoch_rows, "minutes": minutes}
    return read_recipe(model, data, space=space, **asked)[0]


@pytest.mark.parametrize("model", [None, lambda config: None])
@pytest.mark.parametrize(
    ("rows", "epochs", "epoch_rows"), [(300, 81, None), (3_000, 27, None), (30_000, 27, 10_000)]
)
def test_the_length_of_a_training_follows_from_the_data(model, rows, epochs, epoch_rows):
    recipe = read(model, table(rows), rp.Space(lr=rp.Float(0.1, 1.0)))
    assert (recipe.epochs, recipe.epoch_rows) == (epochs, epoch_rows)


@pytest.mark.parametrize("model", ["mlp", lambda config: None])
def test_a_search_that_has_time_goes_through_many_rows_more_often(model, factory):
    space = rp.Space(lr=rp.Float(0.1, 1.0))
    assert read(model, table(30_000), space, minutes=20).epochs == 81
    assert read(model, table(30_000), space, minutes=20, epochs=9).epochs == 9
    own = Recipe(factory, epochs=5, space=space)
    assert read(own, table(30_000), minutes=20).epochs == 5


def test_what_is_asked_for_stands_before_the_recipe_and_that_before_the_data(factory, space):
    own = Recipe(factory, epochs=5, epoch_rows=50, space=space)
    data = table(300)
    assert (read(own, data).epochs, read(own, data).epoch_rows) == (5, 50)
    asked = read(own, data, epochs=7, epoch_rows=70)
    assert (asked.epochs, asked.epoch_rows) == (7, 70)
    assert read(Recipe(factory, space=space), table(30_000)).epoch_rows == 10_000


def test_a_search_without_numbers_is_one_full_hyperband_of_the_recipes_epochs(tmp_path, factory):
    from ripieno.schedulers import hyperband_trials

    assert [hyperband_trials(epochs) for epochs in (1, 3, 9, 27, 81)] == [1, 5, 17, 49, 143]
    space = rp.Space(hidden=rp.Constant(2), dropout=rp.Constant(0.0), lr=rp.Float(0.1, 0.2))
    with rp.tune(
        factory, table(60), space, target=100.0, workers=1, out=tmp_path / "s", progress=False
    ) as study:
        assert (study.settings.epochs, study.settings.trials) == (81, 143)


def test_the_space_of_a_recipe_leaves_out_what_cannot_be_built(pictures):
    data = Data.from_arrays(*pictures)
    space = rp.Space(kernel=rp.Categorical(3, 5), padding=rp.Constant("valid"), depth=rp.Int(1, 3))
    searched = read("cnn", data, space).space
    # 6 -> 4 -> 2 with a kernel of 3, 6 -> 2 -> 1 with one of 5: no second layer.
    assert {(c.kernel, c.depth) for c in searched.grid()} == {(3, 1), (5, 1)}


@pytest.mark.parametrize("model", ["cnn", "mlp", "resnet"])
def test_a_misspelled_name_is_refused_at_once(model, pictures):
    with pytest.raises(RecipeError, match=f"{model} recipe has no hyperparameter 'activaton'"):
        read(model, Data.from_arrays(*pictures), rp.Space(activaton=rp.Constant("relu")))


def test_augmentation_of_a_table_is_refused_at_once():
    with pytest.raises(RecipeError, match="'cutout' changes images") as caught:
        read(None, table(60), rp.Space(cutout=rp.Float(0.0, 0.5)))
    assert "leave 'cutout' out" in caught.value.fix


@pytest.mark.parametrize("model", ["cnn", "mlp", "resnet"])
def test_a_built_in_recipe_is_tuned_from_its_default_and_its_ensemble_loads(
    model, pictures, tmp_path
):
    with rp.tune(
        model, pictures, trials=2, epochs=1, workers=1, out=tmp_path / "study", progress=False
    ) as study:
        assert study.trials[0].config == study.space.default()
        study.finish()
        loaded = rp.Ensemble.load(study.folder.ensemble)
        x = torch.from_numpy(study.job.data.test.x)
        torch.testing.assert_close(loaded.eval()(x), study.ensemble().eval()(x))


def test_a_study_whose_space_was_narrowed_goes_on_with_the_same_trials(pictures, tmp_path):
    space = rp.Space(
        kernel=rp.Int(2, 6), padding=rp.Categorical("valid", "same"), depth=rp.Int(1, 3),
        filters=rp.Constant(2), width=rp.Constant(4), flip=rp.Float(0.0, 1.0),
        crop_padding=rp.Int(0, 2), lr=rp.Float(1e-3, 1e-1, log=True),
    )  # fmt: skip
    options = {
        "trials": 6, "epochs": 2, "scheduler": "full", "workers": 1, "progress": False,
        "tier": "loop",
    }  # fmt: skip
    with rp.tune("cnn", pictures, space, out=tmp_path / "whole", **options) as whole:
        expected = whole.to_dataframe()
        assert set(expected.status) == {"paused"}  # none failed
        rules = whole.space.constraints
        assert rules
    rp.tune("cnn", pictures, space, out=tmp_path / "part", target=100.0, **options).close()
    for given in (None, space):
        with rp.open(tmp_path / "part", model="cnn", data=pictures, space=given) as part:
            assert part.space.constraints == rules
    with rp.open(tmp_path / "part", data=pictures) as part:
        assert not part.finished
        object.__setattr__(part.settings, "target", None)
        part.run(workers=1, progress=False)
        columns = [c for c in expected if c != "seconds"]
        assert part.to_dataframe()[columns].equals(expected[columns])
