import numpy as np
import pytest

from ripieno.errors import SpaceError
from ripieno.nas import cell_space, darts_space, from_cell_string, macro_space, to_cell_string
from ripieno.recipes import KNOBS
from ripieno.records import Objective, Trial, TrialStatus
from ripieno.searchers import make_searcher
from ripieno.space import Space

SPACES = {"cell": cell_space(), "darts": darts_space(), "macro": macro_space()}
BEST = (
    "|nor_conv_3x3~0|+|nor_conv_3x3~0|nor_conv_1x1~1|"
    "+|skip_connect~0|nor_conv_3x3~1|avg_pool_3x3~2|"
)


def test_the_cells_of_nas_bench_201_are_15625():
    assert cell_space().size == 15_625


def test_the_cells_of_darts_are_counted_as_the_paper_does():
    # Two kinds of cells of four nodes, with (k + 1) k / 2 pairs of inputs and 7^2 operations.
    one = np.prod([(k + 1) * k / 2 * 49 for k in (1, 2, 3, 4)])
    assert darts_space().size == pytest.approx(one**2)


def test_a_macro_network_has_kernels_and_shortcuts_for_its_own_layers_alone():
    space = macro_space(depth=3, filters=(4, 8), kernels=(3, 5))
    assert space.size == 2 * (4 + 4**2 + 4**3)
    config = space.config(layers=1, filters=4, kernel_1=5, skip_1=True)
    assert "kernel_2" not in config


@pytest.mark.parametrize("name", SPACES)
def test_a_space_travels_as_json_and_names_no_knob_of_training(name):
    space = SPACES[name]
    assert Space.from_json(space.to_json()) == space
    assert not set(space) & set(KNOBS)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize(
    "searcher", ["random", "evolution", "localsearch", "reinforce", "treeparzen", "bananas"]
)
def test_every_searcher_finds_its_way_about_the_space(name, searcher):
    space = SPACES[name]
    found = make_searcher(searcher, space, seed=1, objective=Objective("loss"))
    for number in range(6):
        (config,) = found.suggest(1)
        assert space.config(config) == config
        found.observe([Trial(number, config, TrialStatus.PAUSED, ({"loss": float(number)},))])


def test_a_cell_is_read_and_written_as_nas_bench_201_does():
    config = from_cell_string(BEST)
    assert config.edge_0_1 == config.edge_0_2 == config.edge_1_3 == "nor_conv_3x3"
    assert (config.edge_1_2, config.edge_0_3) == ("nor_conv_1x1", "skip_connect")
    assert to_cell_string(config) == BEST
    for config in cell_space().sample(np.random.default_rng(0), 20):
        assert from_cell_string(to_cell_string(config)) == config


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("nonsense", "is no edge"),
        ("|none~0|", "the edge from node 0 to node 2 is missing"),
        (BEST.replace("avg_pool_3x3", "max_pool_3x3"), "max_pool_3x3"),
    ],
)
def test_a_text_that_is_no_cell_is_refused(text, says):
    with pytest.raises(SpaceError, match=says):
        from_cell_string(text)


@pytest.mark.parametrize(
    "make",
    [
        lambda: cell_space(filters=0),
        lambda: darts_space(cells=2),
        lambda: macro_space(kernels=(4,)),
        lambda: macro_space(filters=(0,)),
        lambda: macro_space(depth=0),
    ],
)
def test_a_space_without_networks_is_refused(make):
    with pytest.raises(SpaceError):
        make()
