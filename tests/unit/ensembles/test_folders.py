import json
import os
import stat
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from ripieno.ensembles import Ensemble
from ripieno.errors import ArtifactError, EnsembleError
from ripieno.recipes import CnnFactory, MlpFactory, Preprocess, cnn, mlp
from ripieno.recipes import load as load_data
from ripieno.space import Config

CLASSES = ("bird", "cat", "dog")


def factory(config):
    return nn.Sequential(
        nn.Linear(4, config.width), nn.BatchNorm1d(config.width), nn.ReLU(),
        nn.Linear(config.width, 3),
    )  # fmt: skip


def raw(count=40):
    return np.random.default_rng(0).normal(3.0, 2.0, (count, 4))


def facts(*widths, recipe="mine"):
    return {
        "input_shape": [4],
        "members": [
            {"id": str(i), "recipe": recipe, "config": {"width": width}}
            for i, width in enumerate(widths)
        ],
    }


def make(weights=(0.3, 0.7), widths=(5, 8), **changes):
    torch.manual_seed(0)
    members = [factory(Config({"width": width})) for width in widths]
    for member in members:
        member(torch.randn(64, 4))  # running statistics other than 0 and 1
    options = {
        "classes": CLASSES,
        "preprocess": Preprocess.fit(raw()),
        "facts": facts(*widths),
        **changes,
    }
    return Ensemble(members, weights, **options)


@pytest.fixture
def folder(tmp_path):
    make().save(tmp_path / "ensemble")
    return tmp_path / "ensemble"


def test_a_loaded_ensemble_answers_bit_for_bit_as_the_saved_one(folder):
    saved, loaded = make(), Ensemble.load(folder, factory)
    np.testing.assert_array_equal(loaded.predict_proba(raw()), saved.predict_proba(raw()))
    assert loaded.weights == saved.weights
    assert loaded.classes == saved.classes
    assert loaded.facts == saved.facts
    assert loaded.preprocess == saved.preprocess
    assert not any(module.training for module in loaded.modules())


def test_loading_leaves_the_global_random_state_as_it_was(folder):
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    Ensemble.load(folder, factory)
    torch.testing.assert_close(torch.rand(3), expected)


def test_an_ensemble_without_preprocessing_comes_back_without(tmp_path):
    make(preprocess=None).save(tmp_path)
    assert Ensemble.load(tmp_path, factory).preprocess is None


def test_weights_survive_many_rounds_of_saving(tmp_path):
    weights = tuple(np.random.default_rng(3).dirichlet(np.ones(2)).tolist())
    ensemble = make(weights)
    for _ in range(3):
        ensemble.save(tmp_path)
        ensemble = Ensemble.load(tmp_path, factory)
    assert ensemble.weights == weights


def test_members_of_double_precision_stay_so(tmp_path):
    make().double().save(tmp_path)
    loaded = Ensemble.load(tmp_path, factory)
    assert {parameter.dtype for parameter in loaded.parameters()} == {torch.float64}
    expected = make().double().predict_proba(raw())
    np.testing.assert_array_equal(loaded.predict_proba(raw()), expected)


def test_tied_weights_are_saved_and_tied_again(tmp_path):
    class Tied(nn.Module):
        def __init__(self):
            super().__init__()
            self.first = nn.Linear(4, 3)
            self.second = nn.Linear(4, 3)
            self.second.weight = self.first.weight

        def forward(self, x):
            return self.first(x) + self.second(x)

    ensemble = Ensemble([Tied()], (1.0,), classes=CLASSES, facts=facts(1))
    ensemble.save(tmp_path)
    loaded = Ensemble.load(tmp_path, lambda _: Tied())
    np.testing.assert_array_equal(loaded.predict_proba(raw()), ensemble.predict_proba(raw()))
    assert loaded.members[0].first.weight is loaded.members[0].second.weight


def test_the_built_in_recipes_need_no_factory(tmp_path):
    data = load_data("digits")
    shape, classes = data.shape, len(data.classes)
    builders = {"cnn": (cnn, CnnFactory), "mlp": (mlp, MlpFactory)}
    configs = {name: recipe(data).space.default() for name, (recipe, _) in builders.items()}
    members = [build(shape, classes)(configs[name]) for name, (_, build) in builders.items()]
    ensemble = Ensemble(
        members,
        (0.5, 0.5),
        classes=data.classes,
        preprocess=data.preprocess,
        facts={
            "input_shape": list(shape),
            "members": [
                {"id": name, "recipe": name, "config": dict(config)}
                for name, config in configs.items()
            ],
        },
    )
    ensemble.save(tmp_path)
    loaded = Ensemble.load(tmp_path)
    np.testing.assert_array_equal(
        loaded.predict_proba(data.test), ensemble.predict_proba(data.test)
    )


def test_a_users_recipe_needs_the_factory_and_the_message_says_so(folder):
    with pytest.raises(EnsembleError, match="'0' was built by 'mine', which is not stored") as e:
        Ensemble.load(folder)
    assert "Ensemble.load(folder, model)" in e.value.fix


def test_a_factory_of_other_shapes_is_refused_with_the_member_and_the_tensor(folder):
    def other(config):
        return factory(config)[:3]

    with pytest.raises(EnsembleError, match=r"'0' does not fit its stored tensors: .*3\.weight"):
        Ensemble.load(folder, other)


def test_a_factory_that_raises_is_named_with_its_error(folder):
    def broken(config):
        raise KeyError("depth")

    with pytest.raises(EnsembleError, match="'0' cannot be built: KeyError: 'depth'"):
        Ensemble.load(folder, broken)


def test_a_factory_that_returns_no_module_is_refused(folder):
    with pytest.raises(EnsembleError, match="returned a str"):
        Ensemble.load(folder, lambda _: "a model")


def test_saving_leaves_two_files_and_no_half_ones(folder):
    assert sorted(path.name for path in folder.iterdir()) == [
        "ensemble.json",
        "members.safetensors",
    ]


def test_saving_again_replaces_the_ensemble(folder):
    make((0.5, 0.5)).save(folder)
    assert Ensemble.load(folder, factory).weights == (0.5, 0.5)


def test_the_json_is_versioned_and_read_by_anyone(folder):
    tree = json.loads((folder / "ensemble.json").read_text())
    assert tree["version"] == 1
    assert tree["weights"] == [0.3, 0.7]
    assert tree["classes"] == list(CLASSES)
    assert tree["facts"]["members"][1]["config"] == {"width": 8}


@pytest.mark.parametrize("name", ["ensemble.json", "members.safetensors"])
def test_a_missing_file_is_named(folder, name):
    (folder / name).unlink()
    with pytest.raises(ArtifactError, match=f"there is no ensemble: {name} is missing"):
        Ensemble.load(folder, factory)


def test_a_folder_that_does_not_exist_holds_no_ensemble(tmp_path):
    with pytest.raises(ArtifactError, match="there is no ensemble"):
        Ensemble.load(tmp_path / "nowhere", factory)


def test_tensors_of_another_ensemble_are_noticed(folder, tmp_path):
    make(widths=(5, 8), weights=(0.5, 0.5)).save(tmp_path / "other")
    changed = (tmp_path / "other" / "members.safetensors").read_bytes()[:-1] + b"\x01"
    (folder / "members.safetensors").write_bytes(changed)
    with pytest.raises(ArtifactError, match=r"not the file that ensemble\.json was written with"):
        Ensemble.load(folder, factory)


@pytest.mark.parametrize("cut", [0, 7, 100])
def test_a_truncated_file_of_tensors_is_damaged(folder, cut):
    path = folder / "members.safetensors"
    path.write_bytes(path.read_bytes()[:cut])
    with pytest.raises(ArtifactError, match="cannot be read"):
        Ensemble.load(folder, factory)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "3",
        "null",
        "{}",
        '{"version": 2}',
        "[" * 100_000,
        b"\xff\xfe\x00".decode("latin1"),
    ],
)
def test_a_damaged_json_is_told_in_three_parts(folder, text):
    (folder / "ensemble.json").write_text(text, encoding="latin1")
    with pytest.raises(ArtifactError, match="the ensemble cannot be read") as caught:
        Ensemble.load(folder, factory)
    assert caught.value.where == str(folder)
    assert caught.value.fix


@pytest.mark.parametrize(
    "change",
    [
        {"weights": [0.3]},
        {"weights": "ab"},
        {"weights": None},
        {"classes": ["cat"]},
        {"classes": 3},
        {"facts": None},
        {"facts": {"input_shape": [4], "members": [{"id": "0"}]}},
        {"checksum": None},
    ],
)
def test_a_json_whose_parts_do_not_match_is_damaged(folder, change):
    path = folder / "ensemble.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **change}))
    with pytest.raises(ArtifactError, match="cannot be read"):
        Ensemble.load(folder, factory)


def test_a_missing_part_is_damage_too(folder):
    path = folder / "ensemble.json"
    tree = json.loads(path.read_text())
    for name in tree:
        path.write_text(json.dumps({key: value for key, value in tree.items() if key != name}))
        with pytest.raises(ArtifactError, match="cannot be read"):
            Ensemble.load(folder, factory)


def test_a_folder_that_is_a_file_cannot_be_written(tmp_path):
    (tmp_path / "taken").write_text("")
    with pytest.raises(ArtifactError, match="cannot be written"):
        make().save(tmp_path / "taken")
    with pytest.raises(ArtifactError, match="cannot be written"):
        make().save(tmp_path / "taken" / "below")


def test_a_save_that_fails_half_way_leaves_no_half_files(tmp_path):
    (tmp_path / "members.safetensors").mkdir()
    with pytest.raises(ArtifactError, match="cannot be written"):
        make().save(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["members.safetensors"]


def test_a_read_only_folder_cannot_be_written(tmp_path):
    tmp_path.chmod(stat.S_IRUSR | stat.S_IXUSR)
    # Root may write everywhere but into the kernel's own folders.
    locked = Path("/proc") if os.geteuid() == 0 else tmp_path
    with pytest.raises(ArtifactError, match="cannot be written"):
        make().save(locked / "ensemble")


def test_a_state_that_is_no_tensor_is_refused(tmp_path):
    class Extra(nn.Linear):
        def get_extra_state(self):
            return {"calls": 3}

        def set_extra_state(self, state):
            pass

    ensemble = Ensemble([Extra(4, 3)], (1.0,), classes=CLASSES, facts=facts(1))
    with pytest.raises(EnsembleError, match="'0/_extra_state', which is a dict"):
        ensemble.save(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.fixture
def of_columns(tmp_path):
    """The folder of an ensemble of one network over two numbers and one embedded column."""
    config = Config({"depth": 1, "width": 8})
    network = MlpFactory((3,), 2, numbers=2, cardinalities=(5,))(config)
    facts = {
        "input_shape": [3], "numbers": 2, "cardinalities": [5],
        "members": [{"id": "0", "recipe": "mlp", "config": dict(config)}],
    }  # fmt: skip
    Ensemble([network], [1.0], classes=("a", "b"), facts=facts).save(tmp_path)
    return tmp_path


def changed(folder, change):
    tree = json.loads((folder / "ensemble.json").read_text())
    change(tree["facts"])
    (folder / "ensemble.json").write_text(json.dumps(tree))


@pytest.mark.parametrize(("name", "value"), [("depth", 10**7), ("width", 10**6)])
def test_a_config_cannot_ask_for_more_memory_than_the_stored_tensors_have(of_columns, name, value):
    changed(of_columns, lambda facts: facts["members"][0]["config"].update({name: value}))
    with pytest.raises(EnsembleError, match="asks for a larger network than their"):
        Ensemble.load(of_columns)


@pytest.mark.parametrize("value", [3, [None], ["5"], [-1], "5"])
def test_columns_that_are_no_counts_are_refused(of_columns, value):
    changed(of_columns, lambda facts: facts.update(cardinalities=value))
    with pytest.raises(EnsembleError, match="the columns of the members"):
        Ensemble.load(of_columns)


@pytest.mark.parametrize(("name", "value"), [("recipe", []), ("recipe", None), ("id", {})])
def test_a_member_whose_names_are_none_is_damage(of_columns, name, value):
    changed(of_columns, lambda facts: facts["members"][0].update({name: value}))
    with pytest.raises(ArtifactError, match="is no name"):
        Ensemble.load(of_columns)


@pytest.mark.parametrize("shape", [["3"], [3.0]])
def test_a_shape_is_read_as_integers(of_columns, shape):
    changed(of_columns, lambda facts: facts.update(input_shape=shape))
    assert Ensemble.load(of_columns).facts["input_shape"] == [3]


def test_words_are_refused_where_the_members_read_numbers(of_columns):
    with pytest.raises(EnsembleError, match="read numbers as they are"):
        Ensemble.load(of_columns).predict([["a", "b", "c"]])


def test_a_number_of_more_digits_than_a_float_holds_is_damage(of_columns):
    tree = json.loads((of_columns / "ensemble.json").read_text())
    text = json.dumps({**tree, "weights": [10**400]})
    (of_columns / "ensemble.json").write_text(text)
    with pytest.raises(ArtifactError, match="cannot be read: OverflowError"):
        Ensemble.load(of_columns)
