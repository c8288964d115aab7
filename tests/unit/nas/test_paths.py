import numpy as np
import pytest

from ripieno.nas import cell_space, darts_space, from_cell_string, macro_space, path_encoding
from ripieno.space import Constant, Float, Space


def test_a_cell_of_nas_bench_201_is_described_by_its_four_paths():
    config = from_cell_string(
        "|nor_conv_3x3~0|+|none~0|skip_connect~1|+|nor_conv_1x1~0|avg_pool_3x3~1|nor_conv_3x3~2|"
    )
    found = path_encoding(cell_space())(config)
    assert found.shape == (5 + 25 + 125,)
    direct = 2  # nor_conv_1x1
    by_one = 5 + 3 * 5 + 4  # nor_conv_3x3, avg_pool_3x3
    by_two = 5 + 0 * 5 + 3  # none, nor_conv_3x3
    by_both = 30 + (3 * 5 + 1) * 5 + 3  # nor_conv_3x3, skip_connect, nor_conv_3x3
    assert np.flatnonzero(found).tolist() == sorted([direct, by_one, by_two, by_both])
    assert found.max() == 1.0


def test_cells_of_the_same_paths_are_alike_and_others_are_not():
    space, rng = cell_space(), np.random.default_rng(0)
    encode = path_encoding(space)
    same = space.config(
        edge_0_1="nor_conv_1x1", edge_0_2="nor_conv_3x3", edge_1_2="none",
        edge_0_3="skip_connect", edge_1_3="nor_conv_3x3", edge_2_3="nor_conv_1x1",
    )  # fmt: skip
    other = {**same, "edge_0_3": "none"}
    assert (encode(same) != encode(space.config(other))).sum() == 2
    for config in space.sample(rng, 20):
        assert 3 <= encode(config).sum() <= 4  # both paths of two edges may be the same


def test_long_paths_of_the_cells_of_darts_are_left_out():
    space = darts_space()
    found = path_encoding(space)(space.default())
    per_input = 7 + 7**2 + 7**3
    assert found.shape == (2 * 2 * per_input,)
    # Nodes of inputs (0, 1): a direct path from either input, in both kinds of cells.
    assert found.reshape(4, per_input)[:, :7].sum(1).tolist() == [1.0] * 4


def test_training_hyperparameters_are_not_read():
    space = Space(**cell_space(), lr=Float(1e-3, 1.0, log=True))
    encode = path_encoding(space)
    low, high = ({**space.default(), "lr": lr} for lr in (1e-2, 1e-1))
    assert (encode(space.config(low)) == encode(space.config(high))).all()


@pytest.mark.parametrize(
    "space", [macro_space(), Space(x=Float(0.0, 1.0)), Space(network=Constant("darts"))]
)
def test_a_space_without_cells_has_no_paths(space):
    assert path_encoding(space) is None
