"""The losses of labels and values against torch's own, or worked out by hand."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from sklearn.metrics import mean_pinball_loss

from ripieno.errors import RecipeError
from ripieno.recipes import LOSSES, find_loss, loss_name
from ripieno.recipes.losses import reduce


def drawn(rows=40, columns=5, seed=0):
    generator = torch.Generator().manual_seed(seed)
    outputs = torch.randn(rows, columns, dtype=torch.float64, generator=generator) * 3
    values = torch.randn(rows, columns, dtype=torch.float64, generator=generator)
    labels = (torch.rand(rows, columns, generator=generator) < 0.3).double()
    classes = torch.randint(columns, (rows,), generator=generator)
    return outputs, values, labels, classes


WEIGHTS = torch.tensor([0.5, 2.0, 1.0, 0.1, 3.0], dtype=torch.float64)


@pytest.mark.parametrize("pos_weight", [None, WEIGHTS])
def test_binary_cross_entropy_is_torchs_with_logits(pos_weight):
    outputs, _, y, _ = drawn()
    losses, weights = LOSSES["binary_cross_entropy"](outputs, y, pos_weight=pos_weight)
    expected = F.binary_cross_entropy_with_logits(outputs, y, pos_weight=pos_weight)
    torch.testing.assert_close(reduce(losses, weights), expected, rtol=1e-13, atol=0)
    assert losses.shape == (40,)


@pytest.mark.parametrize("name", ["mse", "l1"])
def test_mse_and_l1_are_torchs(name):
    outputs, y, _, _ = drawn()
    expected = {"mse": F.mse_loss, "l1": F.l1_loss}[name](outputs, y)
    torch.testing.assert_close(reduce(*LOSSES[name](outputs, y)), expected, rtol=1e-13, atol=0)


@pytest.mark.parametrize("delta", [0.2, 1.0, 5.0])
def test_huber_is_torchs(delta):
    outputs, y, _, _ = drawn()
    found = reduce(*LOSSES["huber"](outputs, y, huber_delta=delta))
    torch.testing.assert_close(found, F.huber_loss(outputs, y, delta=delta), rtol=1e-13, atol=0)


@pytest.mark.parametrize("level", [0.1, 0.5, 0.9])
def test_quantile_is_scikit_learns_pinball(level):
    outputs, y, _, _ = drawn()
    found = reduce(*LOSSES["quantile"](outputs, y, quantile_level=level))
    expected = mean_pinball_loss(y.numpy(), outputs.numpy(), alpha=level)
    assert float(found) == pytest.approx(expected, rel=1e-13)


def test_the_constant_that_minimizes_quantile_is_the_quantile():
    y = torch.arange(1.0, 101.0, dtype=torch.float64)[:, None]
    values = [reduce(*LOSSES["quantile"](torch.full_like(y, v), y, quantile_level=0.9))
              for v in range(1, 101)]  # fmt: skip
    assert 1 + int(np.argmin(values)) in {90, 91}


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
@pytest.mark.parametrize("weights", [None, WEIGHTS])
def test_focal_of_classes_is_the_papers_formula(gamma, weights):
    outputs, _, _, y = drawn()
    losses, counted = LOSSES["focal"](outputs, y, focal_gamma=gamma, class_weights=weights)
    p = outputs.softmax(1)[torch.arange(40), y].numpy()
    alpha = np.ones(40) if weights is None else weights[y].numpy()
    np.testing.assert_allclose(losses, -alpha * (1 - p) ** gamma * np.log(p), rtol=1e-10)
    np.testing.assert_allclose(counted, alpha)


@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_of_labels_is_the_papers_formula(gamma):
    outputs, _, y, _ = drawn()
    losses, _ = LOSSES["focal"](outputs, y, focal_gamma=gamma, pos_weight=WEIGHTS)
    p = outputs.sigmoid().numpy()
    truth = np.where(y.numpy() == 1, p, 1 - p)
    alpha = np.where(y.numpy() == 1, WEIGHTS.numpy(), 1.0)
    expected = (-alpha * (1 - truth) ** gamma * np.log(truth)).mean(axis=1)
    np.testing.assert_allclose(losses, expected, rtol=1e-9)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("gamma", [0.0, 0.5, 2.0])
def test_focal_has_finite_gradients_where_an_answer_is_certain(gamma, dtype):
    outputs = torch.tensor([[200.0, -200.0], [-200.0, 200.0]], dtype=dtype, requires_grad=True)
    labels = torch.tensor([[1.0, 0.0], [1.0, 0.0]], dtype=dtype)
    for y in (torch.tensor([0, 0]), labels):
        (gradient,) = torch.autograd.grad(
            reduce(*LOSSES["focal"](outputs, y, focal_gamma=gamma)), outputs
        )
        assert torch.isfinite(gradient).all()


@pytest.mark.parametrize("name", sorted(set(LOSSES) - {"cross_entropy"}))
def test_a_stack_has_the_losses_that_its_rows_have_alone(name):
    outputs = torch.stack([drawn(seed=s)[0] for s in range(3)])
    kind = {"focal": 2, "binary_cross_entropy": 2}.get(name, 1)
    y = torch.stack([drawn(seed=s)[kind] for s in range(3)])
    numbers = {"focal_gamma": [0.5, 1.0, 2.0], "huber_delta": [0.2, 1.0, 3.0],
               "quantile_level": [0.1, 0.5, 0.9]}  # fmt: skip
    options = {o: torch.tensor(v).double() for o, v in numbers.items() if o in LOSSES[name].options}
    if "pos_weight" in LOSSES[name].options:
        options["pos_weight"] = torch.stack([WEIGHTS, 2 * WEIGHTS, WEIGHTS**2])
    losses, _ = LOSSES[name](outputs, y, **options)
    for row in range(3):
        own = {o: v[row] if v.ndim > 1 else float(v[row]) for o, v in options.items()}
        expected, _ = LOSSES[name](outputs[row], y[row], **own)
        torch.testing.assert_close(losses[row], expected, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize(
    "function",
    [F.mse_loss, torch.nn.MSELoss(reduction="none"), lambda o, y: ((o - y) ** 2).mean(1)],
)
def test_a_users_own_loss_is_one_number_an_example_or_their_mean(function):
    outputs, y, _, _ = drawn()
    losses, weights = find_loss(function)(outputs, y)
    assert losses.shape == weights.shape == (40,)
    torch.testing.assert_close(reduce(losses, weights), F.mse_loss(outputs, y))


@pytest.mark.parametrize(
    ("function", "problem"),
    [(lambda o, y: 3.0, "returned 3.0"), (lambda o, y: (o - y)[:7], r"returned shape \(7, 5\)")],
)
def test_what_is_no_loss_is_refused(function, problem):
    outputs, y, _, _ = drawn()
    with pytest.raises(RecipeError, match=problem):
        find_loss(function)(outputs, y)


def test_losses_have_names_and_an_unknown_one_gets_the_list():
    assert loss_name(F.mse_loss) == "mse_loss"
    assert loss_name(torch.nn.HuberLoss()) == "HuberLoss"
    with pytest.raises(RecipeError, match="no loss 'hinge'") as caught:
        find_loss("hinge")
    assert "quantile" in caught.value.where
