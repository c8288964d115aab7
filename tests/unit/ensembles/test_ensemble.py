import io

import numpy as np
import pytest
import torch
from torch import nn

from ripieno.ensembles import Ensemble, Predictions, accuracy, log_loss
from ripieno.errors import DataError, EnsembleError
from ripieno.recipes import Preprocess, Split, predict_probabilities

CLASSES = ("bird", "cat", "dog")


def linear(seed, features=4, classes=3):
    torch.manual_seed(seed)
    return nn.Linear(features, classes)


def rows(count=50, features=4, seed=0):
    return np.random.default_rng(seed).normal(3.0, 2.0, (count, features))


def make(weights=(0.2, 0.3, 0.5), *, members=None, **options):
    members = members or [linear(seed) for seed in range(len(weights))]
    return Ensemble(members, weights, classes=CLASSES, **options)


def test_forward_is_the_logarithm_of_the_weighted_mean_probability():
    ensemble = make()
    x = torch.randn(7, 4)
    expected = sum(
        weight * torch.softmax(member(x), dim=1)
        for weight, member in zip((0.2, 0.3, 0.5), ensemble.members, strict=True)
    )
    torch.testing.assert_close(ensemble(x).exp(), expected)
    torch.testing.assert_close(ensemble(x).exp().sum(dim=1), torch.ones(7))


def test_forward_neither_underflows_nor_overflows():
    class Sure(nn.Module):
        def forward(self, x):
            return x.new_tensor([[3e4, -3e4, 0.0]]).expand(len(x), 3)

    ensemble = make((0.5, 0.5), members=[Sure(), Sure()])
    expected = torch.tensor([[0.0, -6e4, -3e4]])
    torch.testing.assert_close(ensemble(torch.zeros(1, 4)), expected)


def test_gradients_reach_every_member():
    ensemble = make()
    nn.functional.nll_loss(ensemble(torch.randn(6, 4)), torch.tensor([0, 1, 2, 0, 1, 2])).backward()
    assert all(parameter.grad.abs().sum() > 0 for parameter in ensemble.parameters())


def test_weights_are_divided_by_their_sum_and_shares_are_kept_bit_for_bit():
    assert make((1, 1, 2)).weights == (0.25, 0.25, 0.5)
    shares = tuple(np.random.default_rng(0).dirichlet(np.ones(3)).tolist())
    assert make(shares).weights == shares


@pytest.mark.parametrize("weights", [(0.5, 0.5, 0.0), (1.0, -0.5, 0.5), (np.nan, 0.5, 0.5)])
def test_weights_that_are_not_positive_are_refused(weights):
    with pytest.raises(EnsembleError, match="one positive number for each of 3 members"):
        make(weights)


def test_another_number_of_weights_than_of_members_is_refused():
    with pytest.raises(EnsembleError, match="for each of 1 members"):
        make((0.5, 0.5), members=[linear(0)])
    with pytest.raises(EnsembleError, match="for each of 0 members"):
        Ensemble([], (), classes=CLASSES)


@pytest.mark.parametrize("classes", [("cat",), ("cat", "cat"), ("cat", None), ("cat", ("dog",))])
def test_classes_that_cannot_be_named_are_refused(classes):
    with pytest.raises(EnsembleError, match="the class"):
        Ensemble([linear(0)], (1.0,), classes=classes)


def test_numpy_labels_become_plain_ones():
    ensemble = Ensemble([linear(0)], (1.0,), classes=np.array([3, 5, 8]))
    assert ensemble.classes == (3, 5, 8)
    assert {type(name) for name in ensemble.classes} == {int}


def test_a_member_that_answers_in_another_shape_is_refused_with_its_number():
    ensemble = make((0.5, 0.5), members=[linear(0), linear(1, classes=4)])
    with pytest.raises(EnsembleError, match=r"member 1 answers in the shape \(2, 4\)"):
        ensemble(torch.zeros(2, 4))


def test_predict_proba_applies_the_preprocessing_to_raw_rows():
    raw = rows()
    preprocess = Preprocess.fit(raw)
    ensemble = make(preprocess=preprocess)
    standardised = torch.from_numpy(preprocess.apply(raw))
    expected = ensemble(standardised).exp().detach().numpy()
    probabilities = ensemble.predict_proba(raw)
    assert probabilities.dtype == np.float32
    np.testing.assert_allclose(probabilities, expected, rtol=1e-6)


def test_a_split_is_standardised_already():
    raw = rows()
    preprocess = Preprocess.fit(raw)
    ensemble = make(preprocess=preprocess)
    y = np.arange(50) % 3
    split = Split(preprocess.apply(raw), y)
    np.testing.assert_array_equal(ensemble.predict_proba(split), ensemble.predict_proba(raw))
    assert ensemble.score(split) == ensemble.score(raw, np.array(CLASSES)[y])


def test_the_answer_equals_the_mean_of_the_members_stored_predictions():
    x = rows().astype(np.float32)
    members = [linear(seed) for seed in range(3)]
    stored = np.stack([predict_probabilities(member, x) for member in members])
    weights = np.array([0.2, 0.3, 0.5])
    predictions = Predictions(stored, np.zeros(50, dtype=int), tuple("abc"), "rows")
    answer = make(weights, members=members).predict_proba(x)
    np.testing.assert_allclose(answer, predictions.mean(weights), atol=1e-6)


def test_predict_names_the_likeliest_class():
    ensemble = make()
    x = rows().astype(np.float32)
    expected = [CLASSES[i] for i in ensemble.predict_proba(x).argmax(axis=1)]
    assert ensemble.predict(x).tolist() == expected


def test_score_measures_against_the_names_of_the_classes():
    ensemble = make()
    x = rows().astype(np.float32)
    y = np.arange(50) % 3
    probabilities = ensemble.predict_proba(x)
    assert ensemble.score(x, np.array(CLASSES)[y]) == {
        "accuracy": accuracy(probabilities, y),
        "log_loss": log_loss(probabilities, y),
    }


def test_a_class_that_is_not_known_and_missing_targets_are_refused():
    with pytest.raises(EnsembleError, match="'horse' is not a class of this ensemble"):
        make().score(rows(2), ["cat", "horse"])
    with pytest.raises(EnsembleError, match="no targets"):
        make().score(rows(2))


def test_rows_go_through_in_batches_of_1024_with_one_answer_each():
    sizes = []

    class Counting(nn.Linear):
        def forward(self, x):
            sizes.append(len(x))
            return super().forward(x)

    ensemble = Ensemble([Counting(4, 3)], (1.0,), classes=CLASSES)
    x = rows(2500).astype(np.float32)
    whole = ensemble(torch.from_numpy(x)).exp().detach().numpy()
    sizes.clear()
    np.testing.assert_allclose(ensemble.predict_proba(x), whole, rtol=1e-5)
    assert sizes == [1024, 1024, 452]
    assert ensemble.predict_proba(x[:0]).shape == (0, 3)


def test_prediction_runs_in_evaluation_mode_and_leaves_every_mode_as_it_was():
    members = [
        nn.Sequential(nn.BatchNorm1d(4), nn.Dropout(0.9), linear(0)),
        nn.Sequential(nn.BatchNorm1d(4), linear(1)),
    ]
    ensemble = make((0.5, 0.5), members=members).train()
    members[1][0].eval()  # a frozen batch norm stays frozen
    before = [module.training for module in ensemble.modules()]
    first, second = ensemble.predict_proba(rows()), ensemble.predict_proba(rows())
    np.testing.assert_array_equal(first, second)
    assert [module.training for module in ensemble.modules()] == before
    assert members[0][0].num_batches_tracked.item() == 0


def test_modes_are_restored_after_an_error_too():
    ensemble = make().train()
    with pytest.raises(EnsembleError, match=r"cannot read rows of shape \(5,\)"):
        ensemble.predict_proba(rows(features=5))
    assert all(module.training for module in ensemble.modules())


def test_rows_of_other_features_are_refused_by_the_preprocessing():
    ensemble = make(preprocess=Preprocess.fit(rows()))
    with pytest.raises(DataError, match="do not fit"):
        ensemble.predict_proba(rows(features=5))


def test_read_only_and_reversed_rows_are_read():
    x = rows().astype(np.float32)
    expected = make().predict_proba(x)
    locked = x.copy()
    locked.flags.writeable = False
    np.testing.assert_array_equal(make().predict_proba(locked), expected)
    np.testing.assert_array_equal(make().predict_proba(x[::-1]), expected[::-1])


def test_members_of_double_precision_are_given_double_precision():
    ensemble = make(members=[linear(seed).double() for seed in range(3)])
    np.testing.assert_allclose(
        ensemble.predict_proba(rows()), make().predict_proba(rows()), rtol=1e-5
    )


def test_an_ensemble_can_be_a_member_of_another():
    inner = make((0.5, 0.5))
    outer = Ensemble([inner, linear(2)], (2 / 3, 1 / 3), classes=CLASSES)
    x = rows()
    np.testing.assert_allclose(outer.predict_proba(x), make((1, 1, 1)).predict_proba(x), rtol=1e-5)


def test_a_state_dict_holds_the_members_alone_and_fits_a_twin():
    ensemble = make()
    assert {name.split(".")[0] for name in ensemble.state_dict()} == {"members"}
    twin = make(members=[linear(seed + 9) for seed in range(3)])
    twin.load_state_dict(ensemble.state_dict())
    np.testing.assert_array_equal(twin.predict_proba(rows()), ensemble.predict_proba(rows()))


def test_an_ensemble_can_be_exported():
    ensemble = make().eval()
    x = torch.randn(5, 4)
    exported = torch.export.export(ensemble, (x,)).module()
    torch.testing.assert_close(exported(x), ensemble(x))


def test_facts_are_copied_and_checked():
    facts = {
        "input_shape": (4,),
        "members": [{"id": str(i), "recipe": "mine", "config": {"width": i}} for i in range(3)],
        "study": "digits",
    }
    ensemble = make(facts=facts)
    facts["members"][0]["config"]["width"] = 99
    assert ensemble.facts["members"][0]["config"] == {"width": 0}
    assert ensemble.facts["input_shape"] == [4]
    assert ensemble.facts["study"] == "digits"
    with pytest.raises(EnsembleError, match="tell of 3 members, and there are 2"):
        make((0.5, 0.5), facts=facts)


@pytest.mark.parametrize(
    "wrong",
    [
        {},
        {"input_shape": [4]},
        {"members": []},
        {"input_shape": [4], "members": [{"id": 0, "recipe": "mine"}] * 3},
        {"input_shape": [4], "members": [{"id": 0, "recipe": "mine", "config": {"a": []}}] * 3},
        {"input_shape": [4], "members": 3},
        {"input_shape": "x", "members": []},
        {"input_shape": [4], "members": [], "seconds": float("nan")},
        {"input_shape": [4], "members": [], "model": nn.ReLU()},
    ],
)
def test_facts_that_cannot_rebuild_an_ensemble_are_refused(wrong):
    with pytest.raises(EnsembleError, match="facts"):
        make(facts=wrong)


def test_saving_without_facts_is_refused_before_anything_is_written(tmp_path):
    with pytest.raises(EnsembleError, match="without facts"):
        make().save(tmp_path / "ensemble")
    assert not (tmp_path / "ensemble").exists()


def test_torch_can_save_the_state_without_pickling_code():
    buffer = io.BytesIO()
    torch.save(make().state_dict(), buffer)
    buffer.seek(0)
    assert torch.load(buffer, weights_only=True).keys() == make().state_dict().keys()
