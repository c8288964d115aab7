import numpy as np
import pytest
import torch
from sklearn.ensemble import AdaBoostRegressor
from torch import nn

from ripieno.ensembles import AdditiveRule, Ensemble, WeightedMedianRule
from ripieno.errors import EnsembleError
from ripieno.recipes import Coding


def test_the_weighted_median_is_that_of_scikit_learn():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(100, 2))
    model = AdaBoostRegressor(n_estimators=7, random_state=0).fit(x, x[:, 0] ** 3)
    said = np.stack([tree.predict(x) for tree in model.estimators_])
    rule = WeightedMedianRule(model.estimator_weights_[: len(said)])
    found = rule(torch.from_numpy(said).unsqueeze(-1))
    np.testing.assert_array_equal(found[:, 0].numpy(), model.predict(x))


def test_the_median_of_equal_weights_is_the_lower_middle_and_a_heavy_member_decides():
    values = torch.tensor([[[3.0]], [[1.0]], [[2.0]], [[4.0]]])
    assert WeightedMedianRule([1, 1, 1, 1])(values).item() == 2.0
    assert WeightedMedianRule([1, 5, 1, 1])(values).item() == 1.0
    assert WeightedMedianRule([1, 5, 1, 1]).keep([0, 3])(values[[0, 3]]).item() == 3.0


def test_a_sum_of_log_probabilities_is_a_sum_of_outputs():
    torch.manual_seed(0)
    outputs = torch.randn(3, 5, 4).double()
    rule = AdditiveRule([0.3, 0.2, 0.1], [0.5, 0.0, -0.5, 0.1])
    total = (outputs * torch.tensor([0.3, 0.2, 0.1])[:, None, None]).sum(0)
    wanted = torch.log_softmax(total + torch.tensor([0.5, 0.0, -0.5, 0.1]), -1)
    torch.testing.assert_close(rule(torch.log_softmax(outputs, -1)), wanted)
    assert rule.shares == pytest.approx((1 / 2, 1 / 3, 1 / 6))


def test_a_sum_keeps_its_first_members_alone():
    rule = AdditiveRule([0.3, 0.2], [1.0], task="regression")
    values = torch.tensor([[[2.0]], [[10.0]]])
    assert rule.keep([0])(values[:1]).item() == pytest.approx(1.6)
    with pytest.raises(EnsembleError, match="boosted on others before them"):
        rule.keep([1])


@pytest.mark.parametrize(
    "rule",
    [
        AdditiveRule([0.5, 0.25], [2.0], task="regression"),
        WeightedMedianRule([0.75, 0.25]),
    ],
)
def test_rules_come_back_from_a_folder(tmp_path, rule):
    factory = lambda config: nn.Linear(3, 1)  # noqa: E731 - the smallest factory
    told = [{"id": str(n), "recipe": "own", "config": {}} for n in range(2)]
    made = Ensemble(
        [factory(None), factory(None)], classes=("y",), rule=rule,
        coding=Coding("regression", (1.0,), (2.0,)),
        facts={"input_shape": [3], "members": told},
    )  # fmt: skip
    made.save(tmp_path)
    x = np.random.default_rng(0).normal(size=(4, 3)).astype(np.float32)
    again = Ensemble.load(tmp_path, factory)
    np.testing.assert_array_equal(again.predict(x), made.predict(x))
