import pytest

from ripieno.errors import ReportError
from ripieno.records import Config
from ripieno.reports import Summary, write_page
from ripieno.reports.figures import architecture
from ripieno.space import Categorical, Space

GRAPHS = {
    "normal cell": {(0, 1): "nor_conv_3x3", (0, 3): "skip_connect", (1, 3): "avg_pool_3x3"},
    "reduce cell": {(0, 1): "sep_conv_5x5"},
}


def test_an_edge_is_a_line_between_its_nodes_with_its_name():
    lines = [trace for trace in architecture(GRAPHS).data if trace.mode == "lines+text"]
    assert [(line.x[0], line.x[-1]) for line in lines] == [(0, 1), (0, 3), (1, 3), (0, 1)]
    assert [[text for text in line.text if text] for line in lines] == [
        ["nor conv 3x3"], ["skip connect"], ["avg pool 3x3"], ["sep conv 5x5"]
    ]  # fmt: skip
    # Past the nodes between, on the side of its source.
    assert [max(line.y, key=abs) for line in lines] == [0.0, 1.0, -0.5, 0.0]


def test_the_title_counts_what_learns():
    assert architecture(GRAPHS).layout.title.text == (
        "2 of the 4 edges of the best architecture learn"
    )


def test_an_architecture_without_edges_is_refused():
    with pytest.raises(ReportError, match="no edge"):
        architecture({"normal cell": {}})


@pytest.mark.parametrize(("network", "drawn"), [("macro", True), ("my_resnet", False)])
def test_the_page_shows_the_architecture_of_the_best_trial_where_there_is_one(
    trial, minimize, tmp_path, network, drawn
):
    space = Space(network=Categorical("macro", "my_resnet"), kernel_1=Categorical(3, 5))
    best = trial(0, 0.5, config=Config({"network": network, "kernel_1": 3}))
    page = write_page(Summary("a study", minimize, (best,), space), tmp_path / "page.html")
    assert ("conv 3x3" in page.read_text()) == drawn
