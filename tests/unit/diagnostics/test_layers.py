import pytest
import torch
import torch.nn.functional as F
from torch import nn

import ripieno as rp
from ripieno.diagnostics import Gradient, Layers, watch_layers
from ripieno.diagnostics.layer_checks import dead_relus, gradient_sizes, saturation
from ripieno.diagnostics.layers import activations
from ripieno.recipes import Recipe


class Plain(nn.Module):
    """Functions instead of modules; the first two of four units are dead."""

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(6, 4), nn.Linear(4, 3)
        self.first.bias.data[:2] = -100.0

    def forward(self, x):
        return self.last(F.relu(self.first(x)))


def test_dead_units_of_functions_and_of_modules_are_counted_alike(data):
    module = Plain()
    same = nn.Sequential(module.first, nn.ReLU(), module.last)
    x = torch.from_numpy(data.train.x)
    (function,), (layer,) = activations(module, x), activations(same, x)
    assert (function.layer, function.dead, function.units) == ("", 0.5, 4)
    assert (layer.layer, layer.dead, layer.units) == ("1", 0.5, 4)
    assert module.training


def test_the_units_of_images_are_their_channels():
    module = nn.Sequential(nn.Conv2d(1, 5, 3), nn.ReLU())
    module[0].bias.data[:1] = -100.0
    (found,) = activations(module, torch.randn(8, 1, 6, 6, generator=torch.manual_seed(0)))
    assert (found.units, found.dead) == (5, 0.2)


@pytest.mark.parametrize(("layer", "flat"), [(nn.Sigmoid(), 6.1), (nn.Tanh(), 3.1)])
def test_a_value_is_saturated_where_the_slope_is_a_hundredth(layer, flat):
    (found,) = activations(layer, torch.tensor([[flat, -flat, 0.0, flat - 0.5]]))
    assert found.saturated == 0.5


def test_gradients_of_a_watched_training_are_those_of_torch(data):
    def model(config):
        return nn.Linear(6, 3)

    layers = watch_layers(Recipe(model), data, rp.Config({"batch_size": 500}), steps=1)
    module = nn.Linear(6, 3)
    from ripieno.recipes import build_model

    module = build_model(Recipe(model), rp.Config({}), 0)
    F.cross_entropy(
        module(torch.from_numpy(data.train.x)), torch.from_numpy(data.train.y)
    ).backward()
    (gradient,) = layers.gradients
    norm = module.weight.grad.norm().item()
    assert gradient.size == pytest.approx(norm / 18**0.5, rel=1e-5)
    assert gradient.relative == pytest.approx(norm / module.weight.norm().item(), rel=1e-5)


def test_a_healthy_network_has_no_finding(recipe, data):
    layers = watch_layers(recipe, data, rp.Config({}))
    assert dead_relus(layers) + saturation(layers) + gradient_sizes(layers) == []


def test_deep_sigmoids_lose_their_gradient(data):
    def model(config):
        hidden = [part for _ in range(12) for part in (nn.Linear(6, 6), nn.Sigmoid())]
        return nn.Sequential(*hidden, nn.Linear(6, 3))

    layers = watch_layers(Recipe(model), data, rp.Config({}), steps=5)
    (finding,) = gradient_sizes(layers)
    assert finding.kind == "vanishing_gradients"
    assert finding.evidence["layer"] == "0.weight"


def test_a_gradient_a_hundred_times_its_weight_explodes():
    gradients = (Gradient("a.weight", 1.0, 0.1), Gradient("b.weight", 1.0, 101.0))
    (finding,) = gradient_sizes(Layers((), (), gradients, 10))
    assert (finding.kind, finding.evidence["layer"]) == ("exploding_gradients", "b.weight")
    assert gradient_sizes(Layers((), (), gradients[:1], 10)) == []


def test_units_that_were_dead_from_the_start_are_not_blamed_on_the_learning_rate(data):
    def model(config):
        module = nn.Sequential(nn.Linear(6, 8), nn.ReLU(), nn.Linear(8, 3))
        nn.init.constant_(module[0].bias, -50.0)
        return module

    (finding,) = dead_relus(watch_layers(Recipe(model), data, rp.Config({}), steps=3))
    assert finding.evidence == {"layer": "1", "dead": 1.0, "dead_before": 1.0, "layers": 1}
    assert "already before training" in finding.sentence
    assert "learning rate" not in finding.advice
