from ripieno.nas import cell_space, darts_space, graphs_of, macro_space


def test_the_graph_of_a_cell_lacks_what_is_no_connection():
    space = cell_space()
    values = dict.fromkeys((n for n in space if n.startswith("edge")), "none")
    config = space.config({**values, "edge_0_3": "nor_conv_3x3"})
    assert graphs_of(config) == {"normal cell": {(0, 3): "nor_conv_3x3"}}


def test_the_graphs_of_darts_are_of_both_kinds_of_cells():
    graphs = graphs_of(darts_space().default())
    assert [len(graph) for graph in graphs.values()] == [8, 8]
    assert list(graphs) == ["normal cell", "reduce cell"]


def test_the_graph_of_a_macro_network_is_its_chain():
    space = macro_space(depth=3)
    config = space.config(layers=2, filters=8, kernel_1=3, skip_1=False, kernel_2=5, skip_2=True)
    assert graphs_of(config) == {"network": {(0, 1): "conv 3x3", (1, 2): "conv 5x5 + skip"}}


def test_a_config_of_another_space_has_none():
    assert graphs_of({"network": "resnet", "lr": 0.1}) == {}
    assert graphs_of({"lr": 0.1}) == {}
