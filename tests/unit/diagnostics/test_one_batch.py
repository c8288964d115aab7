import pytest
from torch import nn

import ripieno as rp
from ripieno.diagnostics import OneBatch, overfit_one_batch
from ripieno.diagnostics.one_batch import cannot_fit, outputs_fit_the_loss
from ripieno.errors import RecipeError
from ripieno.recipes import Recipe


def batch(**changes):
    values = {"rows": 32, "steps": 100, "rate": 0.01, "first": 1.1, "last": 0.01}
    return OneBatch(**{**values, "accuracy": 1.0, "commonest": 0.4, **changes})


def test_a_healthy_network_learns_one_batch_in_spite_of_dropout(recipe, data):
    found = overfit_one_batch(recipe, data, rp.Config({"dropout": 0.9}), rate=0.03)
    assert found.accuracy > 0.9
    assert found.last < 0.3 * found.first
    assert outputs_fit_the_loss(found) + cannot_fit(found) == []


@pytest.mark.parametrize(
    ("last", "word"),
    [(nn.Softmax(dim=1), "probabilities"), (nn.Sigmoid(), "between 0 and 1"), (nn.ReLU(), "relu")],
)
def test_outputs_that_are_no_logits_are_found(data, last, word):
    model = Recipe(
        lambda config: nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3), last)
    )
    (finding,) = outputs_fit_the_loss(overfit_one_batch(model, data, rp.Config({}), rate=0.01))
    assert finding.kind == "wrong_loss"
    assert word in finding.sentence


def test_a_loss_that_falls_while_answers_stay_wrong_is_the_wrong_one():
    (finding,) = outputs_fit_the_loss(batch(accuracy=0.3))
    assert finding.kind == "wrong_loss"
    assert "30%" in finding.sentence


def test_a_network_that_is_cut_off_does_not_learn_a_batch(data):
    class Cut(nn.Module):
        def __init__(self):
            super().__init__()
            self.last = nn.Linear(6, 3)

        def forward(self, x):
            return self.last(0.0 * x)

    found = overfit_one_batch(Recipe(lambda config: Cut()), data, rp.Config({}), rate=0.01)
    (finding,) = cannot_fit(found)
    assert finding.evidence["last"] > 0.9


def test_a_model_that_raises_is_told_in_three_parts(data):
    wrong = Recipe(lambda config: nn.Linear(7, 3), name="wrong")
    with pytest.raises(RecipeError, match="cannot be trained: RuntimeError") as error:
        overfit_one_batch(wrong, data, rp.Config({}), rate=0.01)
    assert "'wrong'" in error.value.where
