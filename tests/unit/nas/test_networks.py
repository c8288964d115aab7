import os
from pathlib import Path

import numpy as np
import pytest
import torch

from ripieno.errors import RecipeError, SpaceError
from ripieno.ledger import MemoryArtifacts
from ripieno.nas import (
    ArchitectureFactory,
    CellNetwork,
    cell_space,
    darts_space,
    from_cell_string,
    macro_space,
    nas,
)
from ripieno.population import PopulationRunner
from ripieno.recipes import Recipe, TrainerRunner
from ripieno.records import Order
from ripieno.space import Config

SMALL = {
    "cell": cell_space(filters=2),
    "darts": darts_space(filters=2, cells=3),
    "macro": macro_space(depth=4, filters=(2, 3), kernels=(3, 5)),
}
TABLE = Path(os.environ.get("RIPIENO_DATA", "../shared/data")) / "hpo/nasbench201.npz"


def count(module):
    return sum(parameter.numel() for parameter in module.parameters())


@pytest.mark.parametrize("name", SMALL)
@pytest.mark.parametrize("shape", [(1, 8, 8), (3, 5, 7), (2, 2, 2)])
def test_every_config_gives_one_output_a_class_and_uses_all_its_parameters(name, shape):
    factory = ArchitectureFactory(shape, 3)
    for config in SMALL[name].sample(np.random.default_rng(0), 8):
        network = factory(config)
        out = network(torch.randn(4, *shape))
        assert out.shape == (4, 3)
        out.sum().backward()
        assert all(parameter.grad is not None for parameter in network.parameters())


def test_an_edge_that_leads_nowhere_is_left_out():
    text = "|nor_conv_3x3~0|+|none~0|nor_conv_3x3~1|+|skip_connect~0|none~1|none~2|"
    none = "|none~0|+|none~0|none~1|+|skip_connect~0|none~1|none~2|"
    space = cell_space(filters=2)
    made = [
        CellNetwork(from_cell_string(t, space), shape=(1, 8, 8), classes=2) for t in (text, none)
    ]
    assert count(made[0]) == count(made[1])


def test_a_cell_is_the_sum_of_what_its_edges_make():
    skips = {f"edge_{s}_{t}": "skip_connect" for t in (1, 2, 3) for s in range(t)}
    config = cell_space(filters=2).config(skips)
    network = CellNetwork(config, shape=(1, 4, 4), classes=2)
    x = torch.randn(2, 2, 4, 4)
    # Node 1 is x, node 2 is x + x, node 3 is x + x + 2 x.
    torch.testing.assert_close(network.trunk.layers[0](x, x), 4 * x)


def test_a_cell_without_a_way_through_gives_zeros():
    text = "|none~0|+|none~0|none~1|+|none~0|none~1|none~2|"
    network = CellNetwork(from_cell_string(text, cell_space(filters=2)), shape=(1, 4, 4), classes=2)
    x = torch.randn(2, 2, 4, 4)
    assert not network.trunk.layers[0](x, x).any()


@pytest.mark.skipif(not TABLE.is_file(), reason="the table of NAS-Bench-201 is not here")
def test_networks_have_the_parameters_that_the_benchmark_has_counted():
    table = np.load(TABLE)
    space = cell_space(filters=16, cells=5)
    # Cells in which no edge is dead: the benchmark counts dead ones too.
    whole = np.flatnonzero((table["op_names"][table["ops"]] != "none").all(axis=1))
    alike = 0
    for row in np.random.default_rng(0).choice(whole, 20, replace=False):
        config = from_cell_string(str(table["arch"][row]), space)
        with torch.device("meta"):
            network = CellNetwork(config, shape=(3, 32, 32), classes=10)
        alike += abs(count(network) / 1e6 - table["params_mb"][0, row]) < 1e-6
    # A hundredth of the table's counts are off by one convolution.
    assert alike >= 18


def test_darts_cells_have_four_times_the_channels_and_halve_twice():
    network = CellNetwork(darts_space(filters=2, cells=6).default(), shape=(1, 8, 8), classes=3)
    kinds = [layer.kind for layer in network.trunk.layers]
    assert kinds == ["normal", "normal", "reduce", "normal", "reduce", "normal"]
    before = now = network.trunk.stem(torch.randn(2, 1, 8, 8))
    shapes = []
    for layer in network.trunk.layers:
        before, now = now, layer(before, now)
        shapes.append(tuple(now.shape[1:]))
    assert shapes == [(8, 8, 8)] * 2 + [(16, 4, 4)] * 2 + [(32, 2, 2)] * 2


def test_macro_layers_are_divided_into_thirds():
    config = Config(
        {"network": "macro", "layers": 6, "filters": 2}
        | {f"kernel_{n}": 3 for n in range(1, 7)}
        | {f"skip_{n}": n % 2 == 0 for n in range(1, 7)}
    )
    network = ArchitectureFactory((1, 8, 8), 2)(config)
    x, shapes = torch.randn(1, 1, 8, 8), []
    for layer in network.layers:
        x = layer(x)
        shapes.append(tuple(x.shape[1:]))
    assert list(dict.fromkeys(shapes)) == [(2, 8, 8), (4, 4, 4), (8, 2, 2)]


@pytest.mark.parametrize("name", SMALL)
def test_the_engine_trains_rows_of_one_architecture_as_the_trainer_does(few_digits, name):
    architecture = dict(SMALL[name].sample(np.random.default_rng(3), 1)[0])
    training = {"optimizer": "sgd", "momentum": 0.9, "batch_size": 32}
    configs = [Config({**architecture, **training, "lr": lr}) for lr in (0.1, 0.01)]
    recipe = Recipe(ArchitectureFactory(few_digits.shape, 10), epochs=1, dtype="float64")
    orders = [Order(number, config, 0, 1) for number, config in enumerate(configs)]
    alone = TrainerRunner(recipe, few_digits)
    stacked = PopulationRunner(recipe, few_digits, tier="leaves")
    runs = [runner.run(orders, MemoryArtifacts(), lambda: False) for runner in (alone, stacked)]
    for left, right in zip(*runs, strict=True):
        assert left.error is right.error is None
        assert "leaves" in right.notes
        for metric, value in left.metrics[-1].items():
            assert right.metrics[-1][metric] == pytest.approx(value, rel=1e-8), metric


def test_the_recipe_searches_architecture_and_training(few_digits):
    recipe = nas(few_digits)
    assert {"edge_0_1", "lr", "optimizer"} <= set(recipe.space)
    limited = nas(few_digits, macro_space().where("layers <= 2", "shallow"))
    assert all(c.layers <= 2 for c in limited.space.sample(np.random.default_rng(0), 20))


def test_what_no_space_of_architectures_knows_is_refused(few_digits):
    factory = nas(few_digits).model
    with pytest.raises(RecipeError, match="edge_7_8"):
        factory.check_names({"edge_7_8": "none"})
    with pytest.raises(SpaceError, match="nor_conv_9x9"):
        factory(Config({**cell_space().default(), "edge_0_1": "nor_conv_9x9"}))
    with pytest.raises(SpaceError, match="network"):
        CellNetwork({}, shape=(1, 8, 8), classes=2)
    with pytest.raises(SpaceError, match="stages"):
        factory(Config({k: v for k, v in cell_space().default().items() if k != "stages"}))
    with pytest.raises(SpaceError, match="kernel_1"):
        factory(Config({"network": "macro", "layers": 1, "filters": 2}))
