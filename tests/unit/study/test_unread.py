import warnings

import numpy as np
import pytest
import torch
from torch import nn

import ripieno as rp
from ripieno.errors import RipienoWarning
from ripieno.recipes import mlp
from ripieno.study.unread import find_unread

X = np.random.default_rng(0).normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)


def build(config):
    return nn.Sequential(nn.Linear(3, config.hidden), nn.ReLU(), nn.Linear(config.hidden, 2))


def recipe(model=build, **domains):
    return rp.Recipe(model, space=rp.Space(hidden=rp.Int(2, 8), **domains))


@pytest.mark.parametrize(
    ("name", "knob"),
    [("learning_rate", "lr"), ("wd", "weight_decay"), ("batchsize", "batch_size"),
     ("scheduler", "schedule"), ("class_weight", "class_weights"),
     ("labelsmoothing", "label_smoothing")],
)  # fmt: skip
def test_what_is_another_name_of_a_knob_and_is_not_read_is_found(name, knob):
    assert find_unread(recipe(**{name: rp.Float(0.1, 1.0)})) == {name: knob}


def test_what_the_model_reads_is_its_own():
    def model(config):
        return nn.Sequential(nn.Dropout(config["smoothing"]), build(config))

    assert find_unread(recipe(model, smoothing=rp.Float(0.1, 0.5))) == {}
    unpacked = recipe(lambda config: build(rp.Config({**config})), wd=rp.Float(0.1, 0.5))
    assert find_unread(unpacked) == {}


def test_what_the_model_reads_under_a_condition_is_its_own():
    def model(config):
        first = nn.Dropout(config.rate) if config.kind == "b" else nn.Identity()
        return nn.Sequential(first, build(config))

    kinds = {"kind": rp.Categorical("a", "b"), "rate": rp.Float(0.1, 0.5).when(kind="b")}
    assert find_unread(recipe(model, **kinds)) == {}


def test_names_of_ones_own_knobs_and_a_model_that_cannot_be_built_are_left_alone():
    assert find_unread(recipe(lr=rp.Float(0.1, 1.0), colour=rp.Categorical("red", "blue"))) == {}
    broken = recipe(lambda config: nn.Linear(config.absent, 2), wd=rp.Float(0.1, 1.0))
    assert find_unread(broken) == {}
    decayed = recipe(optimizer=rp.Categorical("torch.optim.Adagrad"), lr_decay=rp.Float(0.1, 1.0))
    assert find_unread(decayed) == {}


def test_a_recipe_that_refuses_unknown_names_is_not_asked():
    assert find_unread(mlp(rp.Data.from_arrays(X, Y))) == {}


def test_the_look_leaves_random_numbers_alone():
    torch.manual_seed(3)
    expected = torch.rand(1)
    torch.manual_seed(3)
    find_unread(recipe(wd=rp.Float(0.1, 1.0)))
    assert torch.rand(1) == expected


def test_a_search_warns_of_it_and_of_nothing_else(tmp_path):
    small = {"trials": 1, "epochs": 1, "workers": 1, "progress": False}
    wrong = rp.Space(hidden=rp.Int(2, 8), learning_rate=rp.Float(0.1, 1.0))
    with pytest.warns(RipienoWarning, match=r"'learning_rate'.*knob of training is called 'lr'"):
        rp.tune(build, (X, Y), wrong, out=tmp_path / "wrong", **small).close()
    right = rp.Space(hidden=rp.Int(2, 8), lr=rp.Float(0.1, 1.0))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rp.tune(build, (X, Y), right, out=tmp_path / "right", **small).close()
