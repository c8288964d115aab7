"""What only a GPU can show: ``pytest -m gpu`` where torch finds one. Elsewhere it is skipped.

Rounding is the GPU's own: float64 agrees with the CPU to 1e-9, float32 to 1e-5 after a few
steps, which training then amplifies.
"""

import numpy as np
import pytest
import torch
from torch import nn

import ripieno as rp
from ripieno.ledger import MemoryArtifacts
from ripieno.population import PopulationRunner
from ripieno.recipes import Data, Device, Recipe, TrainerRunner, draws
from ripieno.records import Order, OutcomeStatus

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no GPU of CUDA's here"),
]

TOLERANCE = {"float32": 1e-5, "float64": 1e-9}
TIERS = ("trainer", "vmap", "leaves", "traced", "auto")


@pytest.fixture(scope="module")
def data() -> Data:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(129, 1, 8, 8)).astype(np.float32)
    y = (x[:, 0, :4].sum(axis=(1, 2)) > x[:, 0, 4:].sum(axis=(1, 2))).astype(int)
    return Data.from_arrays(x, y, seed=0)


def mlp(config):
    return nn.Sequential(
        nn.Flatten(), nn.Linear(64, 16), nn.ReLU(), nn.Dropout(config.dropout), nn.Linear(16, 2)
    )


def cnn(config):
    return nn.Sequential(
        nn.Conv2d(1, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(), nn.MaxPool2d(2),
        nn.Dropout2d(config.dropout), nn.Conv2d(8, 8, 3), nn.GELU(), nn.Flatten(),
        nn.Linear(32, 2),
    )  # fmt: skip


class Recurrent(nn.Module):
    def __init__(self, config):
        super().__init__()
        self.cell = nn.GRU(8, 5, batch_first=True)
        self.head = nn.Linear(5, 2)

    def forward(self, x):
        return self.head(self.cell(x.squeeze(1))[0][:, -1])


MODELS = {"mlp": mlp, "cnn": cnn, "recurrent": Recurrent}


def runner(tier, recipe, data, device):
    if tier == "trainer":
        return TrainerRunner(recipe, data, 3, device=Device(device))
    return PopulationRunner(recipe, data, 3, tier=tier, device=Device(device))


def orders(begin=0, end=1, states=(None,) * 3, **values):
    values = {"lr": 0.02, "optimizer": "sgd", "batch_size": 16, "dropout": 0.2, **values}
    return [
        Order(t, rp.Config({**values, "lr": values["lr"] * (1 + t / 10)}), begin, end, state=state)
        for t, state in enumerate(states)
    ]


def trained(runner, wanted, store=None):
    store = MemoryArtifacts() if store is None else store
    found = sorted(runner.run(wanted, store, lambda: False), key=lambda each: each.order.trial)
    assert [outcome.error for outcome in found] == [None] * len(found)
    return found, [dict(store.read(outcome.state)[0]) for outcome in found]


def assert_close(mine, other, atol):
    for one, same in zip(mine, other, strict=True):
        for name in same:
            np.testing.assert_allclose(one[name], same[name], rtol=atol, atol=atol, err_msg=name)


@pytest.mark.parametrize("dtype", TOLERANCE)
@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("model", MODELS)
def test_models_are_those_of_the_cpu(model, tier, dtype, data):
    recipe = Recipe(MODELS[model], epochs=4, dtype=dtype)
    values = {"momentum": 0.9, "mixup": 0.2, "l1": 1e-4, "flip": 0.5, "input_noise": 0.1}
    found, states = trained(runner(tier, recipe, data, "cuda"), orders(**values))
    _, wanted = trained(runner(tier, recipe, data, "cpu"), orders(**values))
    assert_close(states, wanted, TOLERANCE[dtype])
    assert all("; on cuda (" in f"; {outcome.notes}" for outcome in found)


@pytest.mark.parametrize("optimizer", ["adam", "adamw", "rmsprop", "nadam", "adagrad", "muon"])
@pytest.mark.parametrize("tier", ["trainer", "traced"])
def test_every_optimizer_gives_the_cpus_numbers(tier, optimizer, data):
    recipe = Recipe(mlp, epochs=4, dtype="float64")
    values = {"optimizer": optimizer, "lr": 0.01}
    _, states = trained(runner(tier, recipe, data, "cuda"), orders(**values))
    _, wanted = trained(runner(tier, recipe, data, "cpu"), orders(**values))
    # Muon computes in bfloat16.
    assert_close(states, wanted, 1e-2 if optimizer == "muon" else 1e-7)


@pytest.mark.parametrize("tier", ["trainer", "leaves"])
@pytest.mark.parametrize("optimizer", ["adam", "nadam"])
def test_a_trial_goes_on_on_another_device(optimizer, tier, data):
    recipe = Recipe(cnn, epochs=4, dtype="float64")
    values = {"optimizer": optimizer, "lr": 0.01}
    _, whole = trained(runner(tier, recipe, data, "cpu"), orders(0, 4, **values))
    for first, second in (("cuda", "cpu"), ("cpu", "cuda")):
        store = MemoryArtifacts()
        begun, _ = trained(runner(tier, recipe, data, first), orders(0, 2, **values), store)
        left = orders(2, 4, [outcome.state for outcome in begun], **values)
        _, rest = trained(runner(tier, recipe, data, second), left, store)
        assert_close(rest, whole, 1e-6)


def test_random_numbers_are_the_same_on_every_device():
    keys = draws.step_keys(7, 3, 5)
    for drawn in (
        lambda k: draws.bits(k, (33, 7)),
        lambda k: draws.uniform(k, (100,)),
        lambda k: draws.keep_mask(k, (100,), p=0.3),
        lambda k: draws.permutations(k, 50),
    ):
        assert torch.equal(drawn(keys.cuda()).cpu(), drawn(keys))


def test_models_draw_their_own_numbers_from_the_generator_of_the_gpu(data):
    class Random(nn.Module):
        def __init__(self, config):
            super().__init__()
            self.line = nn.Linear(64, 2)

        def forward(self, x):
            return self.line(x.flatten(1)) + 0.1 * torch.rand(1, device=x.device)

    recipe = Recipe(Random, epochs=4)
    before = torch.cuda.get_rng_state()
    _, first = trained(runner("trainer", recipe, data, "cuda"), orders())
    torch.rand(5, device="cuda")
    _, again = trained(runner("trainer", recipe, data, "cuda"), orders())
    assert_close(first, again, 1e-7)
    torch.cuda.set_rng_state(before)
    trained(runner("trainer", recipe, data, "cuda"), orders())
    assert torch.equal(torch.cuda.get_rng_state(), before)


@pytest.fixture
def gigabyte():
    """Let this process have one gigabyte of the GPU; more of it is out of memory."""
    _, total = torch.cuda.mem_get_info()
    torch.cuda.empty_cache()
    torch.cuda.set_per_process_memory_fraction(min(1.0, 1e9 / total))
    yield int(1e9)
    torch.cuda.set_per_process_memory_fraction(1.0)


def test_a_stack_that_does_not_fit_is_halved(data, gigabyte):
    """A row takes a third of the memory: parameters, gradient and two moments."""
    width = gigabyte // 3 // (4 * 4 * 67)
    recipe = Recipe(
        lambda config: nn.Sequential(nn.Flatten(), nn.Linear(64, width), nn.Linear(width, 2)),
        epochs=1,
    )
    made = PopulationRunner(recipe, data, 3, tier="leaves", width=4, device=Device("cuda"))
    found, _ = trained(made, orders(states=(None,) * 4, optimizer="adam"))
    assert {outcome.status for outcome in found} == {OutcomeStatus.DONE}
    assert any("memory ran out" in outcome.notes for outcome in found)


class Wide(nn.Module):
    """Needs more memory in its forward than there is."""

    def __init__(self, numbers):
        super().__init__()
        self.line, self.numbers = nn.Linear(64, 2), numbers

    def forward(self, x):
        out = self.line(x.flatten(1))
        return out + torch.ones(self.numbers, device=x.device).sum()


def test_a_model_that_fits_nowhere_has_failed_with_a_remedy(data, gigabyte):
    numbers = gigabyte  # of four bytes each
    made = TrainerRunner(
        Recipe(lambda config: Wide(numbers), epochs=1), data, 3, device=Device("cuda")
    )
    (outcome,) = made.run(orders()[:1], MemoryArtifacts(), lambda: False)
    assert outcome.status is OutcomeStatus.FAILED
    assert "out of memory" in outcome.error


@pytest.mark.skipif(torch.cuda.device_count() < 2, reason="there is one GPU")
def test_two_ranks_train_on_two_gpus(data, tmp_path):
    options = {"trials": 2, "epochs": 1, "scheduler": "full", "seed": 1, "progress": False}
    arrays = (data.train.x, data.train.y)
    one = rp.tune("mlp", arrays, device="cuda", workers=1, out=tmp_path / "one", **options)
    two = rp.tune("mlp", arrays, device="cuda", devices=2, out=tmp_path / "two", **options)
    for mine, other in zip(two.trials, one.trials, strict=True):
        assert mine.metrics == pytest.approx(dict(other.metrics), rel=1e-3)


def test_a_study_in_processes_trains_on_the_gpu_and_leaves_an_ensemble_on_the_cpu(tmp_path):
    study = rp.tune(
        "cnn", "digits", device="cuda", trials=6, epochs=2, workers=2, seed=1,
        out=tmp_path / "s", progress=False,
    )  # fmt: skip
    done = [trial for trial in study.trials if trial.notes]
    assert done
    assert all("on cuda (" in trial.notes for trial in done)
    ensemble = study.ensemble()
    assert {p.device.type for p in ensemble.parameters()} == {"cpu"}
    x = study.job.data.test.x[:16]
    here = ensemble(torch.from_numpy(np.array(x)))
    there = ensemble.to("cuda")(torch.from_numpy(np.array(x)).cuda())
    assert torch.allclose(here, there.cpu(), atol=1e-4)
