"""Mother test 1 for what the built-in recipes build: rows of a stack are the trainer's models."""

import numpy as np
import pytest

import ripieno as rp
from ripieno.ledger import MemoryArtifacts
from ripieno.population import PopulationRunner
from ripieno.recipes import (
    CnnFactory,
    Data,
    MlpFactory,
    Recipe,
    ResnetFactory,
    TrainerRunner,
)
from ripieno.records import Order, OutcomeStatus

EPOCHS, SEED = 2, 3
SHAPE = (3, 6, 6)


@pytest.fixture(scope="module")
def data():
    """Rows that leave a short last batch: 37 = 2 * 16 + 5."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(62, *SHAPE)).astype(np.float32)
    y = (x[:, 0, :3].sum(axis=(1, 2)) > x[:, 0, 3:].sum(axis=(1, 2))).astype(int)
    return Data.from_arrays(x, y, seed=0)


FACTORIES = {
    "cnn": CnnFactory(SHAPE, 2),
    "mlp": MlpFactory(SHAPE, 2),
    "resnet": ResnetFactory(SHAPE, 2),
}
SMALL = {"filters": 4, "width": 8, "depth": 2, "norm_groups": 2}
READ = {
    "cnn": {"filters", "width", "depth", "norm_groups"},
    "mlp": {"width", "depth", "norm_groups"},
    "resnet": {"filters", "depth", "norm_groups"},
}
# What each row may have for itself, whatever the architecture.
ROWS = (
    {"dropout": 0.0, "lr": 0.02, "init": "torch"},
    {"dropout": 0.3, "lr": 0.01, "init": "kaiming_uniform", "flip": 0.5, "crop_padding": 1},
    {"dropout": 0.1, "lr": 0.03, "init": "orthogonal", "rotation": 30.0, "cutout": 0.3},
)

ACTIVATIONS = ("relu", "leaky_relu", "prelu", "elu", "gelu", "silu", "sigmoid", "tanh")
CASES = {
    **{f"cnn {a}": ("cnn", {"activation": a, "depth": 1}) for a in ACTIVATIONS},
    **{f"mlp {n}": ("mlp", {"norm": n, "residual": True}) for n in ("layer", "group", "none")},
    **{f"cnn {n}": ("cnn", {"norm": n, "depth": 1}) for n in ("layer", "group", "none")},
    "mlp own layers": ("mlp", {"width_2": 5, "residual": True, "dropout_1": 0.2}),
    "cnn average": ("cnn", {"pool": "average", "kernel": 2, "width": 0}),
    "cnn stride": ("cnn", {"pool": "stride", "kernel": 4, "global_pool": "average"}),
    "cnn valid": ("cnn", {"padding_1": "valid", "pool": "none", "dilation_2": 2}),
    "cnn global max": ("cnn", {"global_pool": "max", "stride_1": 2, "pool_1": "none"}),
    "cnn residual": ("cnn", {"residual": True, "filters_growth": 1.0, "spatial_dropout": 0.2}),
    "resnet": ("resnet", {"blocks_1": 2, "spatial_dropout_2": 0.3}),
    "resnet group": ("resnet", {"norm": "group", "activation": "leaky_relu", "kernel_2": 5}),
}


def orders(recipe, architecture, rows=ROWS):
    small = {name: value for name, value in SMALL.items() if name in READ[recipe]}
    common = {"batch_size": 16, "schedule": "cosine", **small, **architecture}
    return [Order(t, rp.Config({**common, **row}), 0, EPOCHS) for t, row in enumerate(rows)]


def train(runner, asked, store):
    outcomes = {o.order.trial: o for o in runner.run(asked, store, lambda: False)}
    return [outcomes[order.trial] for order in asked]


def compare(data, recipe, asked, *, tier):
    """Train both ways; compare metrics and every stored array; return rows and tier."""
    made = Recipe(FACTORIES[recipe], epochs=EPOCHS, dtype="float64")
    stores = (MemoryArtifacts(), MemoryArtifacts())
    runner = PopulationRunner(made, data, SEED, tier=tier)
    got = train(runner, asked, stores[0])
    if tier in {"leaves", "traced"}:
        engines = list(runner._engines.values())  # noqa: SLF001 - how it was computed
        assert engines
        assert all(engine.direct for engine in engines)
    wanted = train(TrainerRunner(made, data, SEED), asked, stores[1])
    for mine, theirs in zip(got, wanted, strict=True):
        assert mine.status is theirs.status is OutcomeStatus.DONE, theirs.error
        for row, other in zip(mine.metrics, theirs.metrics, strict=True):
            assert row == pytest.approx(dict(other), rel=1e-9, abs=1e-11)
        found, expected = stores[0].read(mine.state)[0], stores[1].read(theirs.state)[0]
        assert set(found) == set(expected)
        for name, array in expected.items():
            np.testing.assert_allclose(found[name], array, rtol=1e-7, atol=1e-10, err_msg=name)
    return {"; ".join(outcome.notes.split("; ")[:2]) for outcome in got}


@pytest.mark.parametrize("case", CASES)
def test_every_network_is_stacked_and_gives_the_trainers_numbers(case, data):
    recipe, architecture = CASES[case]
    notes = compare(data, recipe, orders(recipe, architecture), tier="leaves")
    assert notes == {"3 rows; leaves: forced"}


@pytest.mark.parametrize(
    ("case", "tier"),
    [
        ("cnn residual", "traced"),
        ("cnn residual", "vmap"),
        ("mlp layer", "vmap"),
        ("resnet group", "vmap"),
    ],
)
def test_every_tier_gives_the_trainers_numbers(case, tier, data):
    recipe, architecture = CASES[case]
    notes = compare(data, recipe, orders(recipe, architecture), tier=tier)
    assert notes == {f"3 rows; {tier}: forced"}


@pytest.mark.parametrize("recipe", ["cnn", "resnet"])
def test_rows_of_one_stack_have_slopes_and_rates_of_their_own(recipe, data):
    rows = (
        {"negative_slope": 0.0, "spatial_dropout": 0.0, "dropout": 0.1, "init_gain": 1.0},
        {"negative_slope": 0.01, "spatial_dropout": 0.2, "dropout": 0.0, "init_gain": 0.5},
        {"negative_slope": 1.0, "spatial_dropout": 0.4, "dropout": 0.4, "init": "xavier_normal"},
    )
    asked = orders(recipe, {"activation": "leaky_relu", "lr": 0.02}, rows)
    assert compare(data, recipe, asked, tier="leaves") == {"3 rows; leaves: forced"}


@pytest.mark.parametrize("recipe", ["cnn", "mlp"])
def test_every_augmentation_gives_the_trainers_numbers_beside_rows_without(recipe, data):
    rows = (
        {},
        {"flip": 1.0},
        {"crop_padding": 2},
        {"rotation": 45.0},
        {"cutout": 0.5},
        {"color_jitter": 0.5},
        {"flip": 0.3, "crop_padding": 1, "rotation": 10.0, "cutout": 0.2, "color_jitter": 0.1},
    )
    asked = orders(recipe, {"lr": 0.02, "dropout": 0.1}, rows)
    assert compare(data, recipe, asked, tier="leaves") == {"7 rows; leaves: forced"}


def test_an_augmented_training_goes_on_as_if_it_had_not_been_stopped(data):
    """Mother test 2: augmentations are drawn by epoch and step, not by a generator."""
    made = Recipe(FACTORIES["cnn"], epochs=3)
    (whole,) = orders("cnn", {"depth": 1}, ROWS[1:2])
    store = MemoryArtifacts()
    runner = TrainerRunner(made, data, SEED)
    config = whole.config
    (once,) = train(runner, [Order(0, config, 0, 3)], store)
    (first,) = train(runner, [Order(0, config, 0, 1)], store)
    (rest,) = train(runner, [Order(0, config, 1, 3, state=first.state)], store)
    assert once.metrics == (*first.metrics, *rest.metrics)
    expected, found = store.read(once.state)[0], store.read(rest.state)[0]
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, err_msg=name)
