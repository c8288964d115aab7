import pytest
import torch

from ripieno.population.losses import STACKED_LOSSES
from ripieno.recipes import LOSSES
from ripieno.recipes import smooth_cross_entropy as cross_entropy


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothed", [False, True])
def test_a_row_has_the_losses_that_it_has_alone(weighted, smoothed):
    torch.manual_seed(0)
    logits = torch.randn(3, 7, 4, dtype=torch.float64)
    y = torch.randint(4, (3, 7))
    smoothing = torch.tensor([0.0, 0.1, 1.0], dtype=torch.float64) if smoothed else None
    scales = torch.rand(3, 4, dtype=torch.float64) if weighted else None
    losses, weights = cross_entropy(logits, y, label_smoothing=smoothing, class_weights=scales)
    for row in range(3):
        expected = LOSSES["cross_entropy"](
            logits[row],
            y[row],
            label_smoothing=float(smoothing[row]) if smoothed else 0.0,
            class_weights=scales[row] if weighted else None,
        )
        torch.testing.assert_close(losses[row], expected[0], rtol=1e-12, atol=1e-14)
        torch.testing.assert_close(weights[row], expected[1])


def test_every_stacked_loss_is_one_of_the_recipes():
    assert set(STACKED_LOSSES) <= set(LOSSES)
