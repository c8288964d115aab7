import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.utils.class_weight import compute_class_weight

from ripieno.recipes.losses import balanced_weights, cross_entropy, reduce


def batch(rows=40, classes=5):
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(rows, classes, dtype=torch.float64, generator=generator) * 3
    return logits, torch.randint(classes, (rows,), generator=generator)


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_reduced_loss_equals_torchs_mean(smoothing, weighted):
    logits, y = batch()
    weights = torch.tensor([0.5, 2.0, 1.0, 0.1, 3.0], dtype=torch.float64) if weighted else None
    losses = cross_entropy(logits, y, label_smoothing=smoothing, class_weights=weights)
    expected = F.cross_entropy(logits, y, weights, label_smoothing=smoothing)
    assert losses[0].shape == losses[1].shape == y.shape
    assert torch.allclose(reduce(*losses), expected, rtol=1e-14)


def test_the_loss_is_the_negative_log_probability_of_the_class():
    logits, y = batch()
    losses, weights = cross_entropy(logits, y)
    probabilities = logits.exp() / logits.exp().sum(1, keepdim=True)
    right = probabilities[torch.arange(len(y)), y]
    assert torch.allclose(losses, -right.log())
    assert torch.equal(weights, torch.ones_like(losses))


def test_reduce_works_row_by_row_of_a_stack():
    generator = torch.Generator().manual_seed(1)
    losses = torch.rand(3, 10, generator=generator)
    weights = torch.rand(3, 10, generator=generator)
    alone = [losses[i].sum() / weights[i].sum() for i in range(3)]
    assert torch.allclose(reduce(losses, weights), torch.stack(alone))


def test_balanced_weights_equal_scikit_learns():
    y = np.random.default_rng(0).choice(4, 200, p=[0.6, 0.2, 0.15, 0.05])
    expected = compute_class_weight("balanced", classes=np.arange(4), y=y)
    assert np.allclose(balanced_weights(y, 4), expected)


def test_a_class_without_rows_weighs_nothing():
    assert balanced_weights(np.array([0, 0, 2]), 3).tolist() == [0.5, 0.0, 1.0]
