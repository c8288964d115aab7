import numpy as np
import pytest
from torch import nn

import ripieno as rp
from ripieno.errors import DataError, RecipeError, StudyError
from ripieno.recipes import mlp
from ripieno.study import read_values
from ripieno.study.fixing import fix_values, weigh_classes

RNG = np.random.default_rng(0)
X = RNG.normal(size=(80, 3))
DATA = {
    "classification": rp.Data.from_arrays(X, (X[:, 0] > 0).astype(int)),
    "multilabel": rp.Data.from_arrays(X, (X > 0).astype(int)),
    "regression": rp.Data.from_arrays(X, X[:, 0] + 0.5),
}
OWN = rp.Recipe(lambda c: nn.Linear(3, 2), space=rp.Space(hidden=rp.Int(4, 8), lr=rp.Float(0.1, 1)))


def test_texts_become_the_values_that_they_look_like():
    texts = ["lr=1e-2", "batch_size=64", "optimizer = adamw", "nesterov=True", "loss=none"]
    assert read_values(texts) == {
        "lr": 0.01, "batch_size": 64, "optimizer": "adamw", "nesterov": True, "loss": None,
    }  # fmt: skip
    assert type(read_values(["batch_size=64"])["batch_size"]) is int


@pytest.mark.parametrize("text", ["lr", "=3", "lr=", "a-b=3"])
def test_a_text_of_another_form_is_refused(text):
    with pytest.raises(StudyError, match="fixes no hyperparameter"):
        read_values([text])


def test_two_values_of_one_name_are_refused():
    with pytest.raises(StudyError, match=r"'lr' is fixed twice, to 0\.1 and to 0\.2"):
        read_values(["lr=0.1", "lr=0.2"])


def test_weights_go_to_the_knob_of_the_task():
    assert weigh_classes("balanced", {"lr": 1}, DATA["classification"]) == {
        "lr": 1, "class_weights": "balanced",
    }  # fmt: skip
    assert weigh_classes("none", {}, DATA["multilabel"]) == {"pos_weight": None}
    assert weigh_classes(None, {}, DATA["regression"]) == {}
    with pytest.raises(StudyError, match="there are no classes to weigh"):
        weigh_classes("balanced", {}, DATA["regression"])
    with pytest.raises(StudyError, match="is no way of weighing classes"):
        weigh_classes("balance", {}, DATA["classification"])


def test_knobs_and_what_the_recipe_knows_can_be_fixed():
    data = DATA["classification"]
    recipe = mlp(data)
    fixed = fix_values(
        recipe.space, {"width": 9, "mixup": 0.2, "depth": 1}, recipe=recipe, data=data
    )
    config = fixed.default()
    assert (config.width, config.mixup, config.depth) == (9, 0.2, 1)


def test_a_name_that_nothing_reads_is_refused_with_the_closest_one():
    data = DATA["classification"]
    with pytest.raises(StudyError, match="'hiden' is neither a knob") as found:
        fix_values(OWN.space, {"hiden": 3}, recipe=OWN, data=data)
    assert found.value.fix == "did you mean 'hidden'?"
    recipe = mlp(data)
    with pytest.raises(RecipeError, match="the mlp recipe has no hyperparameter 'widht'"):
        fix_values(recipe.space, {"widht": 3}, recipe=recipe, data=data)


@pytest.mark.parametrize(
    ("task", "values"),
    [
        ("regression", {"label_smoothing": 0.1}),
        ("classification", {"huber_delta": 2.0}),
        ("classification", {"loss": "focal", "label_smoothing": 0.1}),
    ],
)
def test_an_option_that_no_loss_reads_is_refused(task, values):
    recipe = mlp(DATA[task])
    with pytest.raises(StudyError, match="no loss of this search reads it"):
        fix_values(recipe.space, values, recipe=recipe, data=DATA[task])
    wanted = {"loss": "huber", "huber_delta": 2.0}
    regression = mlp(DATA["regression"])
    fix_values(regression.space, wanted, recipe=regression, data=DATA["regression"])


def test_every_trial_of_a_study_has_the_fixed_values(tmp_path):
    study = rp.tune(
        "mlp", DATA["classification"], fixed={"lr": 0.02, "width": 8}, class_weights="balanced",
        trials=3, epochs=1, workers=1, scheduler="full", out=tmp_path / "s", progress=False,
    )  # fmt: skip
    found = {(t.config.lr, t.config.width, t.config.class_weights) for t in study.trials}
    assert found == {(0.02, 8, "balanced")}
    study.close()


def test_weights_of_another_task_in_a_space_are_refused():
    space = rp.Space(lr=rp.Float(0.1, 1), class_weights=rp.Categorical(None, "balanced"))
    with pytest.raises(RecipeError, match="class_weights is for classification"):
        rp.tune("mlp", DATA["regression"], space)


def test_data_that_are_read_already_are_not_told_how():
    with pytest.raises(DataError, match="groups = 'g' is given, but the data are read already"):
        rp.tune("mlp", DATA["regression"], groups="g")
