import pytest
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.checkpoint import checkpoint

from ripieno.recipes import DropoutMode, draws
from ripieno.recipes.dropout import backward

KEY = draws.key_tensor(draws.fold(1, 2))


def mask(shape, p, layer=0):
    return draws.keep_mask(KEY, shape, p=p, layer=layer).double() / (1 - p)


def test_dropout_takes_its_masks_from_the_key_layer_by_layer():
    x = torch.randn(16, 30, dtype=torch.float64)
    model = nn.Sequential(nn.Dropout(0.3), nn.Tanh(), nn.Dropout(0.6))
    with DropoutMode(KEY):
        out = model(x)
    expected = (x * mask((16, 30), 0.3)).tanh() * mask((16, 30), 0.6, layer=1)
    assert torch.allclose(out, expected, rtol=1e-15)


def test_the_gradient_passes_through_the_same_mask():
    x = torch.randn(16, 30, dtype=torch.float64, requires_grad=True)
    with DropoutMode(KEY):
        F.dropout(x, 0.3).sum().backward()
    assert torch.allclose(x.grad, mask((16, 30), 0.3))


@pytest.mark.parametrize(
    ("function", "shape", "drawn"),
    [
        (F.dropout1d, (8, 5, 7), (8, 5, 1)),
        (F.dropout1d, (8, 5), (8, 1)),
        (F.dropout2d, (8, 5, 7, 3), (8, 5, 1, 1)),
        (F.dropout3d, (8, 5, 7, 3, 2), (8, 5, 1, 1, 1)),
    ],
)
def test_feature_dropout_drops_whole_maps(function, shape, drawn):
    x = torch.ones(shape, dtype=torch.float64)
    with DropoutMode(KEY):
        out = function(x, 0.4)
    assert torch.allclose(out, mask(drawn, 0.4).expand(shape))


def test_the_functions_of_torch_and_in_place_are_covered_too():
    ones = torch.ones(16, 30, dtype=torch.float64)
    for call in (
        lambda x: torch.dropout(x, 0.3, True),
        lambda x: torch.dropout(x, p=0.3, train=True),
        lambda x: torch.dropout_(x, 0.3, True),
        lambda x: F.dropout(x, 0.3, inplace=True),
    ):
        x = ones.clone()
        with DropoutMode(KEY):
            out = call(x)
        assert torch.allclose(out, mask((16, 30), 0.3))
    with DropoutMode(KEY):
        in_place = ones.clone()
        F.dropout(in_place, 0.3, inplace=True)
    assert torch.allclose(in_place, mask((16, 30), 0.3))


def test_dropout_without_effect_draws_nothing_and_counts_no_layer():
    x = torch.ones(16, 30, dtype=torch.float64)
    with DropoutMode(KEY):
        assert F.dropout(x, 0.3, training=False) is x
        assert torch.equal(F.dropout(x, 0.0), x)
        assert torch.allclose(F.dropout(x, 0.3), mask((16, 30), 0.3, layer=0))


def test_dropping_everything_gives_zeros_and_no_nan():
    with DropoutMode(KEY):
        assert torch.equal(F.dropout(torch.ones(4, 4), 1.0), torch.zeros(4, 4))


def test_an_impossible_rate_is_refused_in_torchs_words():
    with DropoutMode(KEY), pytest.raises(ValueError, match="between 0 and 1"):
        F.dropout(torch.ones(3, 3), 1.5)


def test_float32_and_float64_get_the_same_mask():
    x = torch.ones(64, 64)
    with DropoutMode(KEY):
        single = F.dropout(x, 0.37)
    with DropoutMode(KEY):
        double = F.dropout(x.double(), 0.37)
    assert torch.equal(single != 0, double != 0)


@pytest.mark.parametrize("reentrant", [False, True])
def test_a_checkpointed_region_gets_the_masks_of_its_first_run(reentrant):
    torch.manual_seed(0)
    first, second = nn.Linear(20, 20).double(), nn.Linear(20, 20).double()
    x = torch.randn(8, 20, dtype=torch.float64, requires_grad=True)

    def block(layer):
        return lambda x: F.dropout(layer(F.dropout(x, 0.4)).tanh(), 0.4)

    def gradient(run):
        x.grad = None
        with DropoutMode(KEY):
            out = run(block(second), run(block(first), x))
            backward(out.square().sum())
        return x.grad

    plain = gradient(lambda function, x: function(x))
    kept = gradient(lambda function, x: checkpoint(function, x, use_reentrant=reentrant))
    assert torch.equal(plain, kept)
