import pytest

from ripieno.recipes import KNOBS, Sizing


@pytest.mark.parametrize(
    ("rows", "epochs", "epoch_rows", "batch"),
    [
        (50, 81, None, 32),
        (999, 81, None, 32),
        (1_000, 27, None, 32),
        (20_000, 27, None, 32),
        (20_001, 27, 10_000, 64),
    ],
)
def test_few_rows_are_seen_more_often_and_many_in_portions(rows, epochs, epoch_rows, batch):
    sizing = Sizing.of(rows)
    assert (sizing.epochs, sizing.epoch_rows, sizing.batch_sizes[0]) == (epochs, epoch_rows, batch)
    assert all(KNOBS["batch_size"].allows(size) for size in sizing.batch_sizes)


@pytest.mark.parametrize(
    ("rows", "minutes", "epochs"),
    [(20_001, 14.9, 27), (20_001, 15.0, 81), (20_000, 60.0, 27), (999, 1.0, 81)],
)
def test_many_rows_are_seen_more_often_where_there_is_time(rows, minutes, epochs):
    assert Sizing.of(rows, minutes=minutes).epochs == epochs


def test_every_training_has_some_hundred_steps():
    for rows in (100, 500, 1_000, 10_000, 20_000, 100_000):
        sizing = Sizing.of(rows)
        seen = min(rows, sizing.epoch_rows or rows) * sizing.epochs
        assert seen / sizing.batch_sizes[0] > 250
