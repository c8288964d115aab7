"""A second device gives the CPU's numbers, and nothing that it computes with was left behind.

The device is a pretended one (``tests/pretend.py``): its numbers are the CPU's own, so that
they are compared bit for bit where the operations are the same, and an operation on tensors of
both devices fails. What only hardware can show is in ``tests/gpu``.
"""

import copy
import dataclasses
import gc
import weakref

import numpy as np
import pytest
import torch
from torch import nn

import pretend
import ripieno as rp
from ripieno.hypergradient import KnobTuner
from ripieno.ledger import MemoryArtifacts
from ripieno.population import PopulationRunner
from ripieno.recipes import Data, Device, FineTuned, Recipe, State, TrainerRunner, fine_tune
from ripieno.records import Order, OutcomeStatus

EPOCHS = 2


@pytest.fixture(scope="module")
def data() -> Data:
    """Rows that leave a short last batch: 39 = 2 * 16 + 7."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(65, 1, 6, 6)).astype(np.float32)
    y = (x[:, 0, :3].sum(axis=(1, 2)) > x[:, 0, 3:].sum(axis=(1, 2))).astype(int)
    return Data.from_arrays(x, y, seed=0)


def cnn(config):
    return nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1, bias=False), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout2d(config.dropout), nn.Conv2d(4, 4, 3), nn.GELU(), nn.Flatten(),
        nn.Dropout(config.dropout), nn.Linear(4, 2),
    )  # fmt: skip


class Tied(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.one, self.two = nn.Linear(36, 36), nn.Linear(36, 36)
        self.two.weight = self.one.weight
        self.head = nn.Linear(36, 2)

    def forward(self, x):
        return self.head(torch.tanh(self.two(torch.tanh(self.one(x.flatten(1))))))


class Attention(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.mix = nn.MultiheadAttention(6, 2, batch_first=True)
        self.norm = nn.LayerNorm(6)
        self.head = nn.Linear(6, 2)

    def forward(self, x):
        x = x.squeeze(1)
        return self.head(self.norm(x + self.mix(x, x, x, need_weights=False)[0]).mean(1))


def trainer(recipe, data, device, **options):
    return TrainerRunner(recipe, data, 3, device=Device(device), **options)


def stacked(tier):
    def make(recipe, data, device, **options):
        return PopulationRunner(recipe, data, 3, tier=tier, device=Device(device), **options)

    return make


def orders(begin=0, end=EPOCHS, states=(None,) * 3, **values):
    values = {"lr": 0.05, "optimizer": "sgd", "batch_size": 16, "dropout": 0.2, **values}
    rates = [values["lr"] * (1 + trial / 10) for trial in range(len(states))]
    return [
        Order(trial, rp.Config({**values, "lr": rates[trial]}), begin, end, state=state)
        for trial, state in enumerate(states)
    ]


def trained(make, recipe, data, *, on, wanted=None, store=None, **options):
    """Return what orders leave: outcomes, arrays of their states, and predictions."""
    store = MemoryArtifacts() if store is None else store
    runner = make(recipe, data, on, **options)
    found = list(runner.run(orders() if wanted is None else wanted, store, lambda: False))
    found.sort(key=lambda outcome: outcome.order.trial)
    assert [outcome.error for outcome in found] == [None] * len(found)
    assert {outcome.status for outcome in found} == {OutcomeStatus.DONE}
    states = [dict(store.read(outcome.state)[0]) for outcome in found]
    answers = [dict(store.read(outcome.predictions)[0]) for outcome in found]
    return found, states, answers


def compare(make, recipe, data, device, *, atol=0.0, **options):
    """Train on both devices, and return the outcomes of the pretended one."""
    here = trained(make, recipe, data, on="cpu", **options)
    there = trained(make, recipe, data, on=device, **options)
    for kind in (1, 2):
        for mine, other in zip(there[kind], here[kind], strict=True):
            assert list(mine) == list(other)
            for name in mine:
                np.testing.assert_allclose(mine[name], other[name], rtol=0, atol=atol, err_msg=name)
    for mine, other in zip(there[0], here[0], strict=True):
        assert mine.notes.endswith("on pretend")
        for row, same in zip(mine.metrics, other.metrics, strict=True):
            assert dict(row) == pytest.approx(dict(same), abs=10 * atol)
    return there[0]


CASES = {
    "sgd": {"momentum": 0.9, "nesterov": True, "mixup": 0.4, "l1": 1e-4, "weight_decay": 0.01},
    "adamw": {"optimizer": "adamw", "lr": 0.01, "flip": 0.5, "cutout": 0.3, "input_noise": 0.1},
    "rmsprop": {"optimizer": "rmsprop", "lr": 0.005, "cutmix": 0.5, "label_smoothing": 0.1},
    "nadam": {"optimizer": "nadam", "lr": 0.01, "rotation": 15.0, "color_jitter": 0.2},
    "adagrad": {"optimizer": "adagrad", "lr": 0.01, "gradient_clip": 1.0, "max_norm": 1.0},
    "muon": {"optimizer": "muon", "lr": 0.01, "class_weights": "balanced", "crop_padding": 1},
    "lion": {
        "optimizer": "lion",
        "lr": 0.001,
        "gradient_clip_value": 0.1,
        "loss": "focal",
        "early_stopping": 3,
    },
}
"""Configs that between them use every number that a step reads."""


@pytest.mark.parametrize("case", CASES)
def test_one_model_has_the_numbers_of_the_cpu(case, data, device):
    # Channels last, as CPUs have it, would be rounded otherwise.
    recipe = Recipe(cnn, epochs=EPOCHS, channels_last=False)
    compare(trainer, recipe, data, device, wanted=orders(**CASES[case])[:1])


@pytest.mark.parametrize("model", [Tied, Attention])
@pytest.mark.parametrize("make", [trainer, stacked("auto")], ids=["trainer", "stack"])
def test_other_models_have_the_numbers_of_the_cpu(make, model, data, device):
    recipe = Recipe(model, epochs=EPOCHS, dtype="float64")
    compare(make, recipe, data, device, atol=1e-12)


@pytest.mark.parametrize(
    ("case", "tier"),
    [*((case, "traced") for case in CASES), ("rmsprop", "leaves"), ("sgd", "vmap")],
)
def test_a_stack_has_the_numbers_of_the_cpu(case, tier, data, device):
    recipe = Recipe(cnn, epochs=EPOCHS, dtype="float64")
    found = compare(stacked(tier), recipe, data, device, atol=1e-9, wanted=orders(**CASES[case]))
    assert all(outcome.notes.startswith(f"3 rows; {tier}: ") for outcome in found)


TUNED = {
    "hypergradient": "class_weights+label_smoothing+weight_decay_per_layer+rotation+mixup+"
    "input_noise+l1+lr",
    "optimizer": "adam",
    "lr": 0.01,
    "color_jitter": 0.2,
}


@pytest.mark.parametrize("make", [trainer, stacked("traced"), stacked("vmap")],
                         ids=["trainer", "traced", "vmap"])  # fmt: skip
def test_knobs_that_tune_themselves_have_the_numbers_of_the_cpu(make, data, device):
    recipe = Recipe(cnn, epochs=3, dtype="float64")
    wanted = orders(0, 3, **TUNED)
    found = compare(make, recipe, data, device, atol=1e-9, wanted=wanted, tuner=KnobTuner())
    assert all(outcome.metrics[-1]["tuned_rotation"] != 5.0 for outcome in found)


def test_what_cannot_be_stacked_is_trained_in_the_loop_tier(data, device):
    class Branching(Tied):
        def forward(self, x):
            return self.head(x.flatten(1) if x.sum() > 0 else -x.flatten(1))

    recipe = Recipe(Branching, epochs=EPOCHS, dtype="float64")
    found = compare(stacked("leaves"), recipe, data, device, atol=1e-12)
    assert all("3 rows; loop: " in outcome.notes for outcome in found)


@pytest.mark.parametrize("make", [trainer, stacked("leaves")], ids=["trainer", "stack"])
@pytest.mark.parametrize("optimizer", ["adam", "nadam", "muon"])
def test_a_trial_goes_on_on_another_device(make, optimizer, data, device):
    recipe = Recipe(cnn, epochs=4, dtype="float64")
    values = {"optimizer": optimizer, "lr": 0.01, "momentum": 0.9, "restore": "best"}
    whole = trained(make, recipe, data, on="cpu", wanted=orders(0, 4, **values))
    for first, second in ((device, "cpu"), ("cpu", device)):
        store = MemoryArtifacts()
        begun = trained(make, recipe, data, on=first, store=store, wanted=orders(0, 2, **values))
        states = [outcome.state for outcome in begun[0]]
        left = orders(2, 4, states, **values)
        rest = trained(make, recipe, data, on=second, store=store, wanted=left)
        for mine, other in zip(rest[1], whole[1], strict=True):
            for name in other:
                np.testing.assert_allclose(mine[name], other[name], rtol=0, atol=1e-8, err_msg=name)


@pytest.mark.parametrize("make", [trainer, stacked("traced")], ids=["trainer", "stack"])
def test_folds_seeds_and_regressions_are_on_the_device_too(make, device):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(61, 4)).astype(np.float32)
    y = np.stack([x[:, 0] * 3 + 1, x[:, 1]], axis=1)
    recipe = Recipe(
        lambda config: nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 2)),
        epochs=EPOCHS,
        dtype="float64",
    )
    folds = Data.from_arrays(x, y, folds=3, seed=0)
    compare(make, recipe, folds, device, atol=1e-12, seeds=2, wanted=orders()[:2])


@pytest.mark.parametrize("make", [trainer, stacked("leaves")], ids=["trainer", "stack"])
def test_labels_have_their_weights_on_the_device(make, device):
    rng = np.random.default_rng(1)
    x = rng.normal(size=(60, 4)).astype(np.float32)
    labels = Data.from_arrays(x, (x[:, :3] > 0.5).astype(int), task="multilabel", seed=0)
    recipe = Recipe(lambda config: nn.Linear(4, 3), epochs=EPOCHS, dtype="float64")
    compare(make, recipe, labels, device, atol=1e-12, wanted=orders(pos_weight="balanced"))


class Noisy(torch.utils.data.Dataset):
    targets = tuple(row % 2 for row in range(64))

    def __len__(self):
        return 64

    def __getitem__(self, row):
        return torch.full((4,), row / 64) + 0.01 * torch.rand(4), row % 2


@pytest.mark.parametrize("make", [trainer, stacked("leaves")], ids=["trainer", "stack"])
def test_batches_of_a_stream_are_moved(make, device):
    stream = Data.from_dataset(Noisy(), in_memory=False)
    recipe = Recipe(lambda config: nn.Linear(4, 2), epochs=EPOCHS, dtype="float64")
    compare(make, recipe, stream, device, atol=1e-12)


@pytest.mark.parametrize("make", [trainer, stacked("leaves")], ids=["trainer", "stack"])
@pytest.mark.parametrize("knobs", [{}, {"flip": 0.5}], ids=["features", "inputs"])
def test_a_frozen_backbone_computes_on_the_device(make, knobs, data, device):
    torch.manual_seed(1)
    body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))
    recipe = dataclasses.replace(fine_tune(data, body), epochs=EPOCHS)
    compare(make, recipe, data, device, atol=1e-5, wanted=orders(unfrozen=0, **knobs))


@pytest.mark.parametrize("make", [trainer, stacked("leaves")], ids=["trainer", "stack"])
def test_data_that_are_too_large_stay_behind_and_batches_are_moved(make, data, device, monkeypatch):
    monkeypatch.setattr("ripieno.recipes.devices.free_bytes", lambda device: 1000)
    recipe = Recipe(cnn, epochs=EPOCHS, dtype="float64")
    compare(make, recipe, data, device, atol=1e-8, wanted=orders(**CASES["adamw"]))


def test_data_are_moved_once(data, device):
    there = Device(device)
    made = []

    def make():
        made.append(torch.from_numpy(data.train.x))
        return made[-1]

    first = there.hold(data.train.x, "x", make)
    assert there.hold(data.train.x, "x", make) is first
    assert first.device == there.found
    assert len(made) == 1
    own = np.ones(3)
    alive = weakref.ref(there.hold(own, "x", lambda: torch.ones(3)))
    assert alive() is not None
    del own
    gc.collect()
    assert alive() is None  # a device keeps no data alive


@pytest.mark.parametrize("case", ["sgd", "adamw", "rmsprop"])
def test_a_device_without_doubles_is_given_batches_that_are_ready(case, data, device, monkeypatch):
    monkeypatch.setattr(Device, "has_doubles", property(lambda self: self.is_cpu))
    monkeypatch.setattr("ripieno.recipes.targets._NO_DOUBLES", {device})
    monkeypatch.setattr(pretend.Pretend, "forbidden", {torch.float64})
    # Channels last, as CPUs have it, would be rounded otherwise.
    recipe = Recipe(cnn, epochs=EPOCHS, channels_last=False)
    compare(trainer, recipe, data, device, wanted=orders(**CASES[case])[:1])
    (outcome, *_), _, _ = trained(stacked("auto"), recipe, data, on=device)
    assert "has no float64" in outcome.notes


@pytest.mark.parametrize("tier", ["leaves", "traced"])
def test_no_step_of_a_stack_waits_for_the_device(tier, data, device):
    """Numbers that are looked at are numbers that are waited for."""
    recipe = Recipe(cnn, epochs=EPOCHS, epoch_rows=32)
    runner = stacked(tier)(recipe, data, device)

    def looks(begin, size, states):
        pretend.Pretend.moved.clear()
        wanted = orders(begin, begin + 1, states, batch_size=size, mixup=0.2, flip=0.5)
        store_of = trained(
            lambda *_, **__: runner, recipe, data, on=device, store=store, wanted=wanted
        )
        return [o.state for o in store_of[0]], sum(pretend.Pretend.moved.values())

    store, counts = MemoryArtifacts(), []
    for size in (16, 8):
        states, _ = looks(0, size, (None,) * 3)  # everything is tried out here
        counts.append(looks(1, size, states)[1])
    assert counts[0] == counts[1]  # two steps and four


def test_a_tensor_that_a_model_left_behind_is_the_trials_failure(data, device):
    class Forgetful(nn.Module):
        def __init__(self, config):
            super().__init__()
            self.line, self.shift = nn.Linear(36, 2), torch.ones(2)

        def forward(self, x):
            return self.line(x.flatten(1)) + self.shift

    runner = trainer(Recipe(Forgetful, epochs=1), data, device)
    (outcome,) = runner.run(orders(0, 1)[:1], MemoryArtifacts(), lambda: False)
    assert outcome.status is OutcomeStatus.FAILED
    assert "same device" in outcome.error


def test_a_runner_is_sent_to_another_process_without_what_lies_on_the_device(data, device):
    there = Device(device)
    first = there.hold(data.train.x, "x", lambda: torch.from_numpy(data.train.x))
    other = copy.copy(there)  # as pickle does
    assert other.name == device
    assert other.hold(data.train.x, "x", lambda: torch.from_numpy(data.train.x)) is not first


def test_states_are_read_without_the_device(data, device):
    _, states, _ = trained(trainer, Recipe(cnn, epochs=EPOCHS), data, on=device)
    state = State.from_arrays(states[0])
    assert {tensor.device.type for tensor in state.model.values()} == {"cpu"}


def test_a_backbone_follows_its_inputs(data, device):
    torch.manual_seed(1)
    body = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(64, 5))
    recipe = fine_tune(data, body)
    model = recipe.model(rp.Config({"unfrozen": 0})).eval()
    assert isinstance(model, FineTuned)
    x = torch.from_numpy(data.train.x[:3])
    here = model(x)
    there = model.to(device)(x.to(device))
    assert torch.equal(there.cpu(), here)
    assert torch.equal(model.to("cpu")(x), here)


def test_the_pretended_device_tells_devices_apart(device):
    x = torch.arange(3.0, device=device)
    assert x.device.type == device
    assert (x + 1).tolist() == [1.0, 2.0, 3.0]
    assert torch.equal((x * torch.tensor(2.0)).cpu(), torch.tensor([0.0, 2.0, 4.0]))
    for wrong in (
        lambda: x + torch.ones(3),
        lambda: x[torch.tensor([0])],
        lambda: torch.ones(3) @ x,
    ):
        with pytest.raises(RuntimeError, match="same device"):
            wrong()
    view = x[1:]
    view.add_(1)
    assert x.tolist() == [0.0, 2.0, 3.0]
