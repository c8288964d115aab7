"""Ensembles whose members were trained on different folds: each reads rows in its own way."""

import json

import numpy as np
import pytest
import torch
from torch import nn

from ripieno.ensembles import Ensemble
from ripieno.errors import ArtifactError, DataError, EnsembleError
from ripieno.recipes import Preprocess, Split, predict_probabilities

READS = (0, 2, 1, 2)
WEIGHTS = (0.4, 0.3, 0.2, 0.1)


@pytest.fixture(scope="module")
def raw():
    return np.random.default_rng(0).normal(5, 2, size=(30, 3))


@pytest.fixture(scope="module")
def preprocesses(raw):
    return [Preprocess.fit(raw[start : start + 10]) for start in (0, 10, 20)]


def model(config):
    return nn.Linear(3, 2)


@pytest.fixture
def ensemble(preprocesses):
    torch.manual_seed(0)
    facts = {
        "input_shape": [3],
        "members": [{"id": str(i), "recipe": "mine", "config": {}} for i in range(4)],
    }
    return Ensemble(
        [model(None) for _ in READS], WEIGHTS,
        classes=("a", "b"), preprocess=preprocesses, reads=READS, facts=facts,
    )  # fmt: skip


@pytest.fixture
def expected(ensemble, preprocesses, raw):
    votes = [
        weight * predict_probabilities(member, preprocesses[number].apply(raw))
        for weight, member, number in zip(WEIGHTS, ensemble.members, READS, strict=True)
    ]
    return np.sum(votes, axis=0)


def test_each_member_reads_raw_rows_by_its_own_preprocessing(ensemble, expected, raw):
    np.testing.assert_allclose(ensemble.predict_proba(raw), expected, rtol=1e-5)
    assert ensemble.predict(raw).tolist() == [("a", "b")[i] for i in expected.argmax(1)]


def test_forward_takes_the_rows_by_every_preprocessing(ensemble, expected, preprocesses, raw):
    views = [torch.from_numpy(each.apply(raw)) for each in preprocesses]
    with torch.no_grad():
        found = ensemble(*views).exp().numpy()
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    with pytest.raises(EnsembleError, match="1 tensor is given to members of 3 prep") as error:
        ensemble(views[0])
    assert "ensemble.preprocesses" in error.value.fix


def test_a_split_is_read_by_its_raw_rows(ensemble, expected, preprocesses, raw):
    y = np.zeros(30, dtype=np.int64)
    split = Split(preprocesses[0].apply(raw), y, raw)
    np.testing.assert_allclose(ensemble.predict_proba(split), expected, rtol=1e-5)
    assert ensemble.score(split)["accuracy"] == (expected.argmax(1) == 0).mean()
    with pytest.raises(EnsembleError, match="standardised once, and the members read 3"):
        ensemble.predict_proba(Split(preprocesses[0].apply(raw), y))


def test_it_comes_back_from_its_folder(ensemble, expected, raw, tmp_path):
    ensemble.save(tmp_path)
    assert json.loads((tmp_path / "ensemble.json").read_text())["version"] == 2
    loaded = Ensemble.load(tmp_path, model)
    assert (loaded.reads, loaded.preprocesses) == (READS, ensemble.preprocesses)
    assert np.array_equal(loaded.predict_proba(raw), ensemble.predict_proba(raw))


def test_one_preprocessing_is_stored_as_it_always_was(preprocesses, tmp_path):
    facts = {"input_shape": [3], "members": [{"id": "0", "recipe": "mine", "config": {}}]}
    plain = Ensemble(
        [model(None)], [1.0], classes=("a", "b"), preprocess=preprocesses[0], facts=facts
    )
    plain.save(tmp_path)
    tree = json.loads((tmp_path / "ensemble.json").read_text())
    assert list(tree) == ["version", "checksum", "weights", "classes", "preprocess", "facts"]
    assert (tree["version"], tree["preprocess"]) == (1, preprocesses[0].to_json())
    assert Ensemble.load(tmp_path, model).preprocesses == (preprocesses[0],)


def test_reads_that_name_no_preprocessing_are_refused(preprocesses):
    for reads in ((0, 3), (0,), (0, -1)):
        with pytest.raises(EnsembleError, match="does not name one of 3 preprocessings"):
            Ensemble(
                [model(None), model(None)], [0.5, 0.5],
                classes=("a", "b"), preprocess=preprocesses, reads=reads,
            )  # fmt: skip


def test_reads_that_were_tampered_with_are_refused(ensemble, tmp_path):
    ensemble.save(tmp_path)
    path = tmp_path / "ensemble.json"
    tree = json.loads(path.read_text())
    path.write_text(json.dumps({**tree, "reads": [9, 0, 0, 0]}))
    with pytest.raises((ArtifactError, EnsembleError), match="does not name one of 3"):
        Ensemble.load(tmp_path, model)


def test_rows_of_another_shape_are_refused(ensemble):
    with pytest.raises(DataError, match="do not fit"):
        ensemble.predict_proba(np.zeros((4, 2)))
