import itertools
import math

import pytest
import torch
from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes import Architecture
from ripieno.recipes.convolutions import convolve, plan

SAME = list(itertools.product((1, 2, 3, 4, 5), (1, 2, 3), (1, 2), (5, 8)))


@pytest.mark.parametrize(("kernel", "stride", "dilation", "side"), SAME)
def test_same_padding_shrinks_by_the_stride_alone(kernel, stride, dilation, side):
    layers = nn.Sequential(
        *convolve(1, 2, kernel, stride=stride, dilation=dilation, padding="same", bias=True)
    )
    wanted = math.ceil(side / stride)
    assert layers(torch.ones(1, 1, side, side + 1)).shape[2] == wanted


@pytest.mark.parametrize("kernel", [1, 3, 5])
def test_same_padding_is_torchs_own(kernel):
    torch.manual_seed(0)
    (layer,) = convolve(2, 3, kernel, dilation=2, bias=True)
    own = nn.Conv2d(2, 3, kernel, padding="same", dilation=2)
    own.load_state_dict(layer.state_dict())
    x = torch.randn(2, 2, 7, 6)
    assert torch.equal(layer(x), own(x))


def sizes(shape=(1, 12, 12), **config):
    layers = plan(Architecture.read(config, "cnn"), shape)
    return [layer.pooled for layer in layers]


def test_the_maps_that_are_planned_are_those_that_torch_makes():
    kernels, strides, dilations = (1, 2, 3, 4), (1, 2), (1, 2)
    pools = [("max", 2), ("average", 3), ("stride", 2), ("none", 2)]
    tried = 0
    for kernel, stride, dilation in itertools.product(kernels, strides, dilations):
        for padding, (pool, pool_size) in itertools.product(("same", "valid"), pools):
            config = {
                "kernel": kernel, "stride": stride, "dilation": dilation, "padding": padding,
                "pool": pool, "pool_size": pool_size, "depth": 1,
            }  # fmt: skip
            by = stride * pool_size if pool == "stride" else stride
            layers = convolve(
                1, 1, kernel, stride=by, dilation=dilation, padding=padding, bias=False
            )
            if pool in {"max", "average"}:
                layers.append(nn.MaxPool2d(pool_size))
            made = nn.Sequential(*layers)(torch.ones(1, 1, 11, 13))
            assert sizes((1, 11, 13), **config) == [tuple(made.shape[2:])], config
            tried += 1
    assert tried == 128


def test_a_valid_kernel_on_a_smaller_map_is_refused_by_its_layer():
    with pytest.raises(RecipeError) as caught:
        sizes((1, 12, 12), kernel=3, kernel_3=5, padding="valid", depth=3)
    # 12 -> 10 -> 5 -> 3 -> 1
    assert "layer 2" not in caught.value.problem
    assert caught.value.problem == ("layer 3 reads 5 x 5 pixels at once, and gets a map of 1 x 1.")
    assert "kernel = 5" in caught.value.where
    assert "padding = 'same'" in caught.value.fix


def test_a_dilated_kernel_reaches_further():
    assert sizes((1, 5, 5), kernel=3, dilation=2, padding="valid", depth=1, pool="none") == [(1, 1)]
    with pytest.raises(RecipeError, match="reads 7 x 7 pixels"):
        sizes((1, 5, 5), kernel=3, dilation=3, padding="valid", depth=1, pool="none")


def test_a_pooling_that_empties_the_map_is_refused_by_its_layer():
    with pytest.raises(RecipeError, match="the pooling of layer 4 leaves nothing") as caught:
        sizes((1, 12, 12), depth=4)
    assert "a depth of at most 3" in caught.value.fix
    assert sizes((1, 12, 12), depth=4, pool_4="none") == [(6, 6), (3, 3), (1, 1), (1, 1)]


def test_residual_connections_need_same_padding():
    with pytest.raises(RecipeError, match="layer 1 makes the map smaller than its residual"):
        sizes(padding="valid", residual=True, depth=1)
