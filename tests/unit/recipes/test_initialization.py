import math

import numpy as np
import pytest
import torch
from torch import nn

from ripieno.recipes import KNOBS, Recipe, activation_gain, build_model, initialize
from ripieno.recipes.layers import ACTIVATIONS
from ripieno.space import Config

NAMES = KNOBS["init"].choices


def draw(module, name, seed=0, **options):
    generator = torch.Generator().manual_seed(seed)
    initialize(module, name, generator=generator, **options)
    return module


@pytest.mark.parametrize("nonlinearity", ["relu", "leaky_relu", "tanh", "sigmoid", "selu"])
def test_a_gain_is_torchs_where_torch_has_one(nonlinearity):
    made = nn.SELU() if nonlinearity == "selu" else ACTIVATIONS[nonlinearity]()
    assert activation_gain(made) == pytest.approx(nn.init.calculate_gain(nonlinearity), abs=1e-12)
    slopes = nn.LeakyReLU(0.3)
    assert activation_gain(slopes) == pytest.approx(nn.init.calculate_gain("leaky_relu", 0.3))
    assert activation_gain(nn.PReLU(init=0.3)) == pytest.approx(activation_gain(slopes))


@pytest.mark.parametrize("name", ["relu", "elu", "gelu", "silu"])
def test_any_other_gain_keeps_the_mean_square_of_a_normal_number(name):
    z = torch.linspace(-12, 12, 200_001, dtype=torch.float64)
    density = torch.exp(-z * z / 2) / math.sqrt(2 * math.pi)
    square = float(torch.trapezoid(ACTIVATIONS[name]()(z) ** 2 * density, z))
    assert activation_gain(ACTIVATIONS[name]()) == pytest.approx(1 / math.sqrt(square), abs=1e-4)


def test_what_is_no_activation_has_no_gain():
    assert activation_gain(nn.BatchNorm2d(3)) is None


@pytest.mark.parametrize("name", [name for name in NAMES if name != "torch"])
@pytest.mark.parametrize("layer", [nn.Linear(6, 9), nn.Conv2d(4, 6, 3), nn.Conv1d(4, 6, 3)])
def test_weights_are_those_of_torch_nn_init(name, layer):
    net = draw(nn.Sequential(layer, nn.BatchNorm1d(3), nn.ReLU()), name, seed=3)
    torch.manual_seed(3)
    expected = torch.empty_like(layer.weight)
    if name.startswith("kaiming"):
        getattr(nn.init, f"{name}_")(expected, nonlinearity="relu")
    else:
        getattr(nn.init, f"{name}_")(expected, gain=math.sqrt(2))
    torch.testing.assert_close(net[0].weight.detach(), expected, rtol=1e-6, atol=1e-7)
    assert not net[0].bias.any()


@pytest.mark.parametrize("name", ["kaiming_normal", "xavier_uniform"])
def test_a_transposed_convolution_counts_its_fans_the_other_way_round(name):
    net = draw(nn.ConvTranspose2d(50, 10, 3), name)
    fan = 450 if name == "kaiming_normal" else (450 + 90) / 2
    assert float(net.weight.detach().std()) == pytest.approx(1 / math.sqrt(fan), rel=0.03)


def gains(module, **options):
    """Return the norms of orthogonal rows, which are the gains."""
    draw(module, "orthogonal", **options)
    layers = [m for m in module.modules() if isinstance(m, nn.Linear)]
    return [float(layer.weight.detach().norm(2, dim=1)[0]) for layer in layers]


def test_each_layer_has_the_gain_of_the_activation_that_comes_next():
    net = nn.Sequential(
        nn.Linear(8, 8), nn.LayerNorm(8), nn.Tanh(), nn.Linear(8, 8), nn.Dropout(0.1), nn.ReLU(),
        nn.Linear(8, 8), nn.Linear(8, 8),
    )  # fmt: skip
    assert gains(net) == pytest.approx([5 / 3, math.sqrt(2), 1, 1], abs=1e-5)
    assert gains(net, gain=2.0) == pytest.approx([10 / 3, 2 * math.sqrt(2), 2, 2], abs=1e-5)


class Functional(nn.Module):
    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(8, 8), nn.Linear(8, 8)


@pytest.mark.parametrize(
    ("activation", "gain"), [(None, math.sqrt(2)), ("tanh", 5 / 3), ("mine", math.sqrt(2))]
)
def test_without_modules_of_activations_the_config_says_which(activation, gain):
    assert gains(Functional(), activation=activation) == pytest.approx([gain, 1], abs=1e-5)


def test_only_known_layers_that_are_trained_are_drawn_anew():
    torch.manual_seed(0)
    frozen, tied, normed = nn.Linear(4, 4), nn.Linear(4, 4), nn.Linear(4, 4)
    frozen.weight.requires_grad_(False)
    twin = nn.Linear(4, 4)
    twin.weight = tied.weight
    nn.utils.parametrizations.weight_norm(normed)
    net = nn.Sequential(frozen, tied, nn.ReLU(), twin, normed, nn.Embedding(3, 4))
    before = {name: value.clone() for name, value in net.state_dict().items()}
    draw(net, "orthogonal")
    changed = {n for n, value in net.state_dict().items() if not torch.equal(value, before[n])}
    assert changed == {"1.weight", "1.bias", "3.weight"}
    # Once, with the gain of its first place.
    assert torch.allclose(tied.weight.T @ tied.weight, 2 * torch.eye(4), atol=1e-5)


def net(config):
    return nn.Sequential(nn.Linear(4, 5), nn.ReLU(), nn.Linear(5, 2))


def test_init_of_torch_leaves_the_constructors_weights():
    plain = build_model(Recipe(net), Config({}), 5)
    named = build_model(Recipe(net), Config({"init": "torch", "init_gain": 3.0}), 5)
    assert torch.equal(plain[0].weight, named[0].weight)


def test_init_depends_on_the_trials_seed_alone_and_not_on_what_the_constructor_drew():
    def wasteful(config):
        torch.rand(7)
        return net(config)

    config = Config({"init": "kaiming_normal"})
    torch.manual_seed(1)
    first = build_model(Recipe(net), config, 5)[0].weight
    torch.manual_seed(2)
    expected = torch.rand(3)
    torch.manual_seed(2)
    assert torch.equal(build_model(Recipe(wasteful), config, 5)[0].weight, first)
    assert torch.equal(torch.rand(3), expected)
    assert not torch.equal(build_model(Recipe(net), config, 6)[0].weight, first)
    assert not torch.equal(build_model(Recipe(net), Config({}), 5)[0].weight, first)


@pytest.mark.parametrize("name", NAMES)
def test_every_name_works_for_the_built_in_networks_and_lazy_ones(name, digits):
    from ripieno.recipes import cnn

    recipe = cnn(digits)
    config = Config({"init": name, "norm": "none", "residual": True, "depth": 2})
    x = torch.from_numpy(digits.train.x[:8])
    assert torch.isfinite(build_model(recipe, config, 0)(x)).all()
    lazy = Recipe(lambda config: nn.Sequential(nn.Flatten(), nn.LazyLinear(3)))
    made = build_model(lazy, Config({"init": name}), 0, example=x)
    assert made[1].weight.shape == (3, 64)
    assert made[1].bias.any() == (name == "torch")


def test_a_network_of_relus_keeps_the_size_of_what_goes_through_it():
    """He et al., section 2.2: with kaiming's gain the signal neither dies nor explodes."""
    layers = [part for _ in range(20) for part in (nn.Linear(100, 100), nn.ReLU())]
    x = torch.from_numpy(np.random.default_rng(0).normal(size=(200, 100))).float()
    deep = draw(nn.Sequential(*layers), "kaiming_normal")
    assert 0.3 < float((deep(x).detach() ** 2).mean() * 2) < 3
    shallow = draw(nn.Sequential(*layers), "kaiming_normal", gain=0.5)
    assert float((shallow(x).detach() ** 2).mean()) < 1e-9
