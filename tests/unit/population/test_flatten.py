import torch
from torch.func import functionalize
from torch.fx.experimental.proxy_tensor import make_fx

from ripieno.population.flatten import flatten

aten = torch.ops.aten


def graph_of(function, *inputs):
    return make_fx(functionalize(function))(*inputs)


def targets(graph):
    return [node.target for node in graph.graph.nodes if node.op == "call_function"]


def test_an_elementwise_function_of_views_becomes_a_view_of_the_function():
    def function(x):
        image = x.view(4, 6, 2, 3).permute(0, 3, 1, 2)
        return image.relu().permute(0, 2, 3, 1).reshape(24, 6).exp()

    x = torch.randn(24, 6)
    graph = flatten(graph_of(function, x))
    assert targets(graph) == [aten.relu.default, aten.exp.default]
    assert torch.equal(graph(x), function(x))


def test_functions_of_unlike_views_stay_where_they_are():
    def function(x, y):
        return x.view(6, 4).t() + y.view(4, 6)

    x, y = torch.randn(24), torch.randn(24)
    graph = flatten(graph_of(function, x, y))
    assert torch.equal(graph(x, y), function(x, y))


def test_a_number_with_no_axes_may_stand_beside_the_views():
    def function(x, scale):
        return torch.where(x.view(4, 6) > 0, x.view(4, 6), scale).view(24)

    x, scale = torch.randn(24), torch.tensor(3.0)
    graph = flatten(graph_of(function, x, scale))
    assert aten.reshape.default not in targets(graph)
    assert torch.equal(graph(x, scale), function(x, scale))


def test_writes_to_inputs_stay():
    def function(x, y):
        x.view(4, 6).add_(y.view(4, 6))

    x, y = torch.randn(24), torch.randn(24)
    expected = x + y
    flatten(graph_of(function, x.clone(), y))(x, y)
    assert torch.equal(x, expected)


def test_a_layout_is_not_moved():
    def function(x):
        return x.view(4, 6).t().contiguous().view(24)

    x = torch.randn(24)
    graph = flatten(graph_of(function, x))
    assert torch.equal(graph(x), function(x))
