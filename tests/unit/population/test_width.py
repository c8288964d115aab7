import numpy as np
import pytest
import torch
from torch import nn

import ripieno as rp
from ripieno.population import width
from ripieno.population.footprint import peak_bytes
from ripieno.population.group import Group
from ripieno.population.remembered import Remembered
from ripieno.population.trials import rows_of
from ripieno.population.width import Width, Widths, best_width
from ripieno.recipes import Data, Device, Recipe, complete
from ripieno.records import Order

RECIPE = Recipe(model=lambda config: nn.Linear(4, 2))


def rate_of(cost):
    """Rows a second where a step costs ``cost(rows)`` seconds; notes what was asked."""
    asked = []

    def rate(rows):
        asked.append(rows)
        return rows / cost(rows)

    return rate, asked


def test_where_every_step_costs_the_same_the_widest_is_best():
    rate, asked = rate_of(lambda rows: 1.0)
    assert best_width(rate, first=8, most=60)[0] == 60
    assert asked == [8, 16, 32, 60]


def test_where_every_row_costs_the_same_the_narrowest_is_as_good():
    rate, asked = rate_of(lambda rows: 1.0 * rows)
    assert best_width(rate, first=8, most=64)[0] == 1
    assert asked == [8, 16, 4, 2, 1]


def test_it_stops_where_the_cache_overflows():
    # 1 ms a step and 0.1 ms a row, and twice that for what is beyond 32 rows.
    rate, asked = rate_of(lambda rows: 1.0 + 0.1 * rows + 0.1 * max(0, rows - 32))
    assert best_width(rate, first=16, most=128)[0] == 32
    assert asked == [16, 32, 64]


def test_small_losses_do_not_add_up_on_the_way_down():
    # Each halving loses 4 percent, which is not clearly worse; two of them are.
    losses = {8: 1.0, 4: 0.96, 2: 0.96**2, 1: 0.96**3, 16: 1.0}
    assert best_width(losses.__getitem__, first=8, most=16)[0] == 4


def test_memory_narrows_a_width_and_says_so():
    found = Width(32, "measured", 64, each=10_000_000, base=20_000_000)
    assert found.within(None) is found
    assert found.within(10**9) is found
    narrow = found.within(125_000_000)  # 0.8 of it, less the base, is 80 MB
    assert narrow.rows == 8
    assert narrow.reason == "8 of 10 MB each fit the memory that is free, 125 MB"
    assert found.within(0).rows == 1


@pytest.fixture(scope="module")
def data():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(64, 4)).astype(np.float32)
    return Data.from_arrays(x, (x[:, 0] > 0).astype(int), seed=0)


def group(data, rows=3, tier="leaves", layer=nn.Identity):
    def model(config):
        return nn.Sequential(nn.Linear(4, 30), nn.ReLU(), layer(), nn.Linear(30, 2))

    orders = [Order(t, rp.Config({"lr": 0.01, "batch_size": 16}), 0, 1) for t in range(rows)]
    made = [
        row
        for o in orders
        for row in rows_of(o, None, recipe=RECIPE, study_seed=0, folds=1, seeds=1)
    ]
    return Group(complete(Recipe(model=model), data), data, made, tier=tier, engines={}, name="g")


def test_the_bytes_of_a_stack_are_a_line_that_one_and_two_rows_tell(data):
    probe = group(data).probe()
    each, base = probe.bytes()
    arrays, batch = probe.stack(9)
    peak = peak_bytes(lambda: probe.engine.leaves(arrays, batch))
    assert 9 * (each - 2 * probe.kept) + base == pytest.approx(peak, rel=0.01)
    parameters = 4 * (4 * 30 + 30 + 30 * 2 + 2)
    assert each > 4 * parameters  # with the gradient and AdamW's two moments


class RowByRow(nn.Module):
    def forward(self, x):
        return x if float(x.sum()) == 0 else x * 1


def test_a_model_that_cannot_be_stacked_has_no_width_to_measure(data):
    assert group(data, layer=RowByRow).probe().bytes() is None


@pytest.fixture
def widths(tmp_path, monkeypatch):
    """A machine with room for all, and a cache of one megabyte."""
    monkeypatch.setattr(width, "available_bytes", lambda: 10**9)
    monkeypatch.setattr(width, "cache_bytes", lambda: 10**6)
    return lambda most=64: Widths(most, measured=True, remembered=Remembered(tmp_path))


def never():
    raise AssertionError("nothing has to be measured")


def test_what_fits_the_cache_is_trained_together_and_what_is_known_is_not_measured(widths, data):
    first = widths()
    probe = group(data).probe
    found = first.find("g", 20, probe=probe, steps=100)
    assert (found.rows, found.tried) == (20, 20)
    assert "fit the cache" in found.reason
    assert first.find("g", 12, probe=never, steps=100) == found
    again = widths().find("g", 20, probe=never, steps=100)
    assert again.rows == 20
    assert again.reason.endswith("fit the cache, remembered")
    wider = widths().find("g", 30, probe=probe, steps=100)
    assert (wider.rows, wider.tried) == (30, 30)


def test_a_small_cache_makes_a_narrower_stack_without_a_probe_where_there_is_little_work(
    widths, data, monkeypatch
):
    each, base = group(data).probe().bytes()
    monkeypatch.setattr(width, "cache_bytes", lambda: int((12.5 * each + base) / 0.7))
    found = widths().find("g", 64, probe=group(data).probe, steps=100)
    assert found.rows == 12
    assert found.reason.endswith("each as the cache holds")


def test_where_there_is_much_work_steps_are_timed(widths, data, monkeypatch):
    monkeypatch.setattr(width, "cache_bytes", lambda: 1)
    probe = group(data).probe()
    found = widths().find("g", 64, probe=lambda: probe, steps=10**9)
    assert found.reason.startswith("by row-steps a second, ")
    assert " of 8" in found.reason
    assert 1 <= found.rows <= 64
    assert probe.engine.choice is None  # the width of the probe is not that of the work


def test_a_few_rows_are_not_worth_a_measurement_unless_they_are_large(widths, data, monkeypatch):
    assert widths().find("g", 8, probe=group(data).probe, steps=10**9).reason == ""
    each, base = group(data).probe().bytes()
    monkeypatch.setattr(width, "available_bytes", lambda: int((5.5 * each + base) / 0.8))
    found = widths().find("h", 8, probe=group(data).probe, steps=10**9)
    assert found.rows == 5
    assert "fit the memory that is free" in found.reason


def test_a_width_that_memory_ran_out_with_is_not_tried_again_in_this_run_alone(widths, data):
    first = widths()
    first.shrink("g", 10)
    assert first.find("g", 64, probe=never, steps=1).rows == 5
    assert first.find("g", 3, probe=never, steps=1).reason == "memory ran out with 10 rows"
    assert widths().find("g", 9, probe=group(data).probe, steps=1).rows == 9


def test_a_width_without_a_reason_is_remembered_without_one(widths):
    facts = {"rows": 4, "tried": 4, "each": 0, "base": 0, "reason": ""}
    first = widths()
    first.remembered.put("width", width._key("g", Device()), facts)  # noqa: SLF001 - its own key
    assert first.find("g", 4, probe=lambda: None, steps=1) == Width(4, "", 4)


def test_what_was_remembered_wrongly_is_measured_anew(widths, data):
    first = widths()
    for facts in ({"rows": 5}, {"rows": 9, "tried": 8, "each": 1, "base": 0},
                  {"rows": "9", "tried": 9, "each": 1, "base": 0},
                  {"rows": 0, "tried": 8, "each": 1, "base": 0}):  # fmt: skip
        first.remembered.put("width", width._key("g", Device()), facts)  # noqa: SLF001 - its own key
        assert widths().find("g", 20, probe=group(data).probe, steps=1).rows == 20


def test_a_width_that_is_given_is_not_measured(tmp_path):
    given = Widths(32, measured=False, remembered=Remembered(tmp_path))
    assert given.find("g", 64, probe=never, steps=10**9) == Width(32, "", 32)
    assert not given.remembered.path.exists()


def test_a_probe_leaves_the_row_as_it_was(data):
    probe = group(data).probe()
    before = {name: array.clone() for name, array in probe.arrays.items()}
    probe.bytes()
    probe.seconds(4, "leaves")
    for name, array in probe.arrays.items():
        assert torch.equal(array, before[name])
