import pytest
import torch

from ripieno.errors import SpaceError
from ripieno.nas import CellNetwork, Gates, Supernet, cell_space, darts_space, macro_space
from ripieno.nas.layouts import CELLS
from ripieno.nas.operations import Place
from ripieno.nas.supernet import Mixed

NAMES = CELLS["nasbench201"].operations


def edges_of(cells):
    """Gates that are open for the operations of some cells alone."""
    gates = {}
    for kind, (layout, cell) in cells.items():
        table = torch.zeros(len(layout.edges), len(layout.operations))
        for number, edge in enumerate(layout.edges):
            table[number, layout.operations.index(cell.get(edge, "none"))] = 1.0
        gates[kind] = Gates(table)
    return gates


def test_a_mixture_is_the_weighted_sum_of_its_operations():
    mixed = Mixed(NAMES, Place(2))
    x, gates = torch.randn(3, 2, 4, 4), torch.tensor([0.1, 0.2, 0.3, 0.15, 0.25])
    expected = sum(g * module(x) for g, module in zip(gates, mixed.operations, strict=True))
    torch.testing.assert_close(mixed(x, gates), expected)


def test_what_has_no_weight_is_not_computed():
    mixed = Mixed(NAMES, Place(2))
    mixed.operations[3] = None  # calling it would raise
    x = torch.randn(3, 2, 4, 4)
    assert torch.equal(mixed(x, torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0])), x)


@pytest.mark.parametrize(("stride", "side"), [(1, 5), (2, 3)])
def test_the_channels_that_pass_by_are_shuffled_among_the_others(stride, side):
    mixed = Mixed(NAMES, Place(4, stride), share=4)
    x = torch.arange(4.0).view(1, 4, 1, 1).expand(1, 4, 5, 5)
    out = mixed(x, torch.tensor([1.0, 0.0, 0.0, 0.0, 0.0]))
    assert out.shape == (1, 4, side, side)
    assert out[0, :, 0, 0].tolist() == [0.0, 1.0, 2.0, 3.0]
    wide = Mixed(NAMES, Place(8), share=4)
    x = torch.arange(8.0).view(1, 8, 1, 1).expand(1, 8, 5, 5)
    out = wide(x, torch.tensor([0.0, 1.0, 0.0, 0.0, 0.0]))
    # Two mixed channels and six others, as four groups of two side by side.
    assert out[0, :, 0, 0].tolist() == [0, 2, 4, 6, 1, 3, 5, 7]


SPACES = {
    "nasbench201": cell_space(filters=2, stages=2),
    "darts": darts_space(filters=2, cells=3),
}
CONFIGS = {
    "nasbench201": SPACES["nasbench201"].config(
        {
            "edge_0_1": "nor_conv_3x3", "edge_0_2": "skip_connect", "edge_1_2": "avg_pool_3x3",
            "edge_0_3": "none", "edge_1_3": "nor_conv_1x1", "edge_2_3": "nor_conv_3x3",
        }
    ),
    "darts": SPACES["darts"].config(
        {
            **{f"{k}_{n}_{p}": o for k in ("normal", "reduce") for n in range(2, 6)
               for p, o in (("first", "skip_connect"), ("second", "sep_conv_3x3"))},
            **{f"{k}_{n}_inputs": i for k in ("normal", "reduce")
               for n, i in ((2, "0 1"), (3, "1 2"), (4, "0 3"), (5, "2 4"))},
        }
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CONFIGS)
def test_a_supernet_with_one_open_gate_an_edge_is_the_network_of_that_config(name):
    config, layout = CONFIGS[name], CELLS[name]
    space = SPACES[name]
    torch.manual_seed(0)
    net = Supernet(space, shape=(1, 6, 6), classes=3)
    alone = CellNetwork(config, shape=(1, 6, 6), classes=3)
    weights = net.state_dict()
    cells = {kind: layout.read(config, kind) for kind in layout.kinds}
    for key, value in alone.state_dict().items():
        parts, there = key.split("."), key
        if parts[1] == "layers" and parts[3] == "edges":
            edge = tuple(map(int, parts[4].split("_")))
            kind = alone.trunk.layers[int(parts[2])].kind
            place = layout.operations.index(cells[kind][edge])
            there = ".".join([*parts[:5], "operations", str(place), *parts[5:]])
        if there in weights:  # a supernet has no running statistics, no scales and no shifts
            value.copy_(weights[there])
    x = torch.randn(4, 1, 6, 6)
    gates = edges_of({kind: (layout, cells[kind]) for kind in layout.kinds})
    torch.testing.assert_close(net(x, gates), alone(x))
    assert net.config({kind: gate.operations for kind, gate in gates.items()}) == config


def test_of_pairs_the_two_strongest_edges_of_a_node_are_kept_whatever_no_connection_weighs():
    layout = CELLS["darts"]
    net = Supernet(darts_space(filters=2, cells=3), shape=(1, 8, 8), classes=2)
    table = torch.zeros(len(layout.edges), len(layout.operations))
    table[:, layout.operations.index("none")] = 9.0
    for edge, name, strength in (((0, 4), "sep_conv_5x5", 2.0), ((3, 4), "skip_connect", 3.0),
                                 ((1, 4), "max_pool_3x3", 1.0)):  # fmt: skip
        table[layout.edges.index(edge), layout.operations.index(name)] = strength
    config = net.config({"normal": table, "reduce": table})
    assert config["normal_4_inputs"] == "0 3"
    assert (config["normal_4_first"], config["normal_4_second"]) == ("sep_conv_5x5", "skip_connect")
    assert net.skips(config) == 1
    named = net.cell_layout.read(config, "normal").values()
    poolings = sum("pool" in name for name in named)
    assert net.idle(config) == 1 + poolings


def test_a_space_without_cells_has_no_supernet():
    with pytest.raises(SpaceError, match="'macro' is no network of cells"):
        Supernet(macro_space(), shape=(1, 8, 8), classes=2)


def test_an_architecture_that_breaks_a_constraint_is_refused():
    space = cell_space(filters=2).where("edge_0_1 != 'none'", "an edge must be there")
    net = Supernet(space, shape=(1, 8, 8), classes=2)
    with pytest.raises(SpaceError, match="an edge must be there"):
        net.config({"normal": torch.eye(5)[[0] * 6]})


@pytest.mark.parametrize("name", SPACES)
def test_the_gates_of_a_config_are_open_for_its_operations_alone(name):
    net = Supernet(SPACES[name], shape=(1, 6, 6), classes=3)
    config, layout = CONFIGS[name], net.cell_layout
    cells = {kind: (layout, layout.read(config, kind)) for kind in layout.kinds}
    for kind, gates in edges_of(cells).items():
        assert torch.equal(net.gates(config)[kind].operations, gates.operations)
    tables = {kind: gates.operations for kind, gates in net.gates(config).items()}
    assert net.config(tables) == config
