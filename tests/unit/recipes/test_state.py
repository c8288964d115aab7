import numpy as np
import pytest
import torch
from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes import State, build_optimizer, read_knobs, state_slots

CONFIGS = [
    {"optimizer": "sgd"},
    {"optimizer": "sgd", "momentum": 0.9},
    {"optimizer": "adam"},
    {"optimizer": "adamw"},
    {"optimizer": "rmsprop"},
    {"optimizer": "rmsprop", "momentum": 0.5},
]


def start(config, seed=0):
    torch.manual_seed(seed)
    net = nn.Sequential(nn.Linear(4, 5), nn.BatchNorm1d(5), nn.PReLU(), nn.Linear(5, 2))
    net[0].bias.requires_grad_(False)
    return net, build_optimizer(net, read_knobs({"lr": 1e-3, **config}))


def train(net, optimizer, steps):
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        optimizer.zero_grad()
        net(torch.randn(8, 4, generator=generator)).square().sum().backward()
        optimizer.step()


@pytest.mark.parametrize("config", CONFIGS)
def test_going_on_from_arrays_equals_going_on(config):
    net, optimizer = start(config)
    train(net, optimizer, 3)
    arrays = State.of(net, optimizer, epoch=7).to_arrays()
    train(net, optimizer, 3)

    twin, twins = start(config, seed=1)
    state = State.from_arrays(arrays, epoch=7)
    state.load_into(twin, twins, slots=state_slots(read_knobs(config)))
    train(twin, twins, 3)
    assert state.epoch == 7
    for name, value in net.state_dict().items():
        assert torch.equal(value, twin.state_dict()[name]), name


def test_the_state_loads_into_ordinary_torch_objects():
    net, optimizer = start({"optimizer": "adam"})
    train(net, optimizer, 3)
    state = State.of(net, optimizer, epoch=1)
    train(net, optimizer, 2)

    twin, _ = start({}, seed=1)
    trained = [p for p in twin.parameters() if p.requires_grad]
    plain = torch.optim.Adam(trained, lr=1e-3)
    state.load_into(twin, plain, slots=frozenset({"step", "exp_avg", "exp_avg_sq"}))
    train(twin, plain, 2)
    assert torch.allclose(net[3].weight, twin[3].weight, rtol=1e-6)


def test_a_module_can_be_loaded_alone():
    net, optimizer = start({"optimizer": "adam"})
    train(net, optimizer, 3)
    twin, _ = start({}, seed=1)
    State.from_arrays(State.of(net, optimizer, epoch=1).to_arrays()).load_into(twin)
    for name, value in net.state_dict().items():
        assert torch.equal(value, twin.state_dict()[name]), name


def test_the_arrays_are_named_by_module_and_slot():
    net, optimizer = start({"optimizer": "adam"})
    train(net, optimizer, 3)
    arrays = State.of(net, optimizer, epoch=1).to_arrays()
    assert {name for name in arrays if name.startswith("model/")} == {
        f"model/{name}" for name in net.state_dict()
    }
    assert arrays["model/1.num_batches_tracked"] == 3
    assert arrays["optimizer/0.weight/step"].shape == ()
    assert arrays["optimizer/0.weight/step"] == 3
    assert arrays["optimizer/3.weight/exp_avg"].shape == (2, 5)
    assert "optimizer/0.bias/step" not in arrays
    assert all(isinstance(array, np.ndarray) for array in arrays.values())


def test_a_state_is_a_copy():
    net, optimizer = start({"optimizer": "adam"})
    train(net, optimizer, 1)
    state = State.of(net, optimizer, epoch=1)
    before = {name: array.copy() for name, array in state.to_arrays().items()}
    train(net, optimizer, 1)
    assert all(np.array_equal(state.to_arrays()[name], before[name]) for name in before)
    twin, twins = start({"optimizer": "adam"})
    state.load_into(twin, twins, slots=frozenset({"step", "exp_avg", "exp_avg_sq"}))
    train(twin, twins, 1)
    assert all(np.array_equal(state.to_arrays()[name], before[name]) for name in before)


@pytest.mark.parametrize("old", CONFIGS)
@pytest.mark.parametrize("new", CONFIGS)
def test_a_fork_may_change_its_optimizer(old, new):
    net, optimizer = start(old)
    train(net, optimizer, 2)
    twin, twins = start(new, seed=1)
    slots = state_slots(read_knobs(new))
    State.of(net, optimizer, epoch=1).load_into(twin, twins, slots=slots)
    assert torch.equal(net[0].weight, twin[0].weight)
    train(twin, twins, 2)
    kept = {name for name, value in twins.state[twin[0].weight].items() if value is not None}
    assert kept == slots


def test_the_state_of_another_model_is_refused():
    net, optimizer = start({})
    with pytest.raises(RecipeError, match="does not fit the model"):
        State.of(net, optimizer, epoch=1).load_into(nn.Linear(2, 2), optimizer, slots=frozenset())


def test_a_buffer_of_a_dtype_that_no_file_holds_is_refused():
    net = nn.Linear(2, 2)
    net.register_buffer("phase", torch.ones(2, dtype=torch.complex64))
    with pytest.raises(RecipeError, match=r"'phase' .* torch\.complex64"):
        State.of(net, torch.optim.SGD(net.parameters()), epoch=0)


def test_extra_state_that_is_no_tensor_is_refused():
    class Odd(nn.Linear):
        def get_extra_state(self):
            return {"a": 1}

        def set_extra_state(self, state):
            pass

    net = Odd(2, 2)
    with pytest.raises(RecipeError, match="'_extra_state' in the module's state is a dict"):
        State.of(net, torch.optim.SGD(net.parameters()), epoch=0)
