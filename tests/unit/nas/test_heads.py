import numpy as np
import pytest
import torch
from torch import nn

from ripieno.errors import SpaceError
from ripieno.nas import (
    ArchitectureFactory,
    CellNetwork,
    Enas,
    Supernet,
    cell_space,
    darts_space,
    macro_space,
    nas,
    search_supernet,
    suited,
)
from ripieno.nas.heads import Head, halved
from ripieno.recipes import Data
from ripieno.space import Categorical, Config, Constant

MAKERS = {"cell": cell_space, "darts": darts_space, "macro": macro_space}


@pytest.mark.parametrize("name", MAKERS)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 7), (2, 2, 2)])
def test_a_head_without_pooling_reads_every_pixel_of_the_last_maps(name, shape):
    space = MAKERS[name](global_pool="none")
    factory = ArchitectureFactory(shape, 3)
    for config in space.sample(np.random.default_rng(0), 4):
        network = factory(config)
        modules = list(network.modules())
        assert not any("Adaptive" in type(module).__name__ for module in modules)
        # A linear layer refuses any other number of pixels than those that arrive.
        assert network(torch.randn(4, *shape)).shape == (4, 3)
        assert isinstance(modules[-1], nn.Linear)


def test_without_pooling_a_network_knows_where_something_stands_on_its_maps():
    x = torch.zeros(2, 1, 8, 8)
    x[0, 0, 1, 1] = x[1, 0, 6, 5] = 1.0
    skips = {f"edge_{s}_{t}": "skip_connect" for t in (1, 2, 3) for s in range(t)}
    apart = {}
    for pool in ("average", "max", "none"):
        torch.manual_seed(0)
        config = cell_space(filters=2, stages=1, global_pool=pool).config(skips)
        network = CellNetwork(config, shape=(1, 8, 8), classes=2).eval()
        outputs = network(x)
        apart[pool] = float((outputs[0] - outputs[1]).abs().max().detach())
    # One stage of shortcuts sees a point of 3 x 3 pixels alone: moved, it has the same mean.
    assert apart["average"] < 1e-6
    assert apart["max"] < 1e-6
    assert apart["none"] > 1e-3


def test_dropout_stands_before_the_last_layer_where_the_config_names_it():
    space = cell_space(filters=2)
    plain = CellNetwork(space.default(), shape=(1, 8, 8), classes=2)
    assert not any(isinstance(m, nn.Dropout) for m in plain.modules())
    for rate in (0.0, 0.4):
        config = Config({**space.default(), "dropout": rate})
        head = CellNetwork(config, shape=(1, 8, 8), classes=2).trunk.head
        assert isinstance(head[-2], nn.Dropout)
        assert head[-2].p == rate


def test_halving_rounds_up():
    assert halved((1, 28, 7), 2) == (7, 2)
    assert halved((3, 1, 9), 3) == (1, 2)


@pytest.mark.parametrize(
    "config",
    [
        {"global_pool": "median"},
        {"global_pool": 3},
        {"dropout": 1.0},
        {"dropout": True},
        {"dropout": "much"},
    ],
)
def test_a_head_that_does_not_exist_is_refused(config):
    with pytest.raises(SpaceError, match="builds no head"):
        Head.read(config)
    with pytest.raises(SpaceError, match="builds no head"):
        CellNetwork({**cell_space().default(), **config}, shape=(1, 8, 8), classes=2)


@pytest.mark.parametrize("make", MAKERS.values())
def test_the_pooling_is_a_hyperparameter_of_every_space(make):
    assert make()["global_pool"] == Constant("average")
    assert make(global_pool=("none", "max"))["global_pool"] == Categorical("none", "max")
    assert make(global_pool=("none", "max")).size == 2 * make().size
    with pytest.raises(SpaceError, match="'sum' builds no head"):
        make(global_pool=("none", "sum"))


@pytest.mark.parametrize("method", ["darts", Enas(steps=1, draws=2, candidates=2)])
def test_a_supernet_has_the_default_head_and_finds_configs_with_it(few_digits, method):
    space = cell_space(filters=2, stages=2, global_pool=("none", "average"))
    net = Supernet(space, shape=(1, 8, 8), classes=10)
    assert net.trunk.head[-1].in_features == 4 * 4 * 4
    found = search_supernet(space, few_digits, method, epochs=1)
    assert found.config["global_pool"] == "none"
    assert space.config(found.config) == found.config


def test_small_images_keep_their_positions_by_default(few_digits):
    space = nas(few_digits).space
    assert space["global_pool"] == Categorical("none", "average")
    assert space["stages"] == Constant(2)
    assert space.default()["dropout"] == 0.5
    x = np.zeros((40, 20, 20), dtype=np.float32)
    large = Data.from_arrays(x, np.arange(40) % 2, test_share=0, validation_share=0.5, name="large")
    space = nas(large).space
    assert space["global_pool"] == Constant("average")
    assert space["stages"] == Constant(3)
    assert suited("darts", (1, 8, 8)) == suited("macro", (1, 8, 8))
    assert suited("darts", (3, 32, 32)) == {}
