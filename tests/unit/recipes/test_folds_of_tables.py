import numpy as np
import pandas as pd
import pytest
import torch
from torch.utils.data import TensorDataset

from ripieno.errors import DataError
from ripieno.recipes import Data


@pytest.fixture
def people():
    """Two hundred rows; one gap and one category are in one fold alone."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(
        {
            "age": rng.normal(40, 9, 200),
            "job": rng.choice(["cook", "baker", "clerk"], 200).astype(object),
            "home": np.arange(200) // 4,
            "left": rng.integers(2, size=200),
        }
    )
    frame.loc[3, "age"] = np.nan
    frame.loc[7, "job"] = "pilot"
    return frame


def test_folds_of_a_table_have_one_layout_and_scales_of_their_own(people):
    data = Data.from_frame(people, target="left", drop="home", test_share=0, folds=5)
    features = {part.preprocess.features for part in data.parts}
    assert features == {
        ("age", "age is missing", "job = baker", "job = clerk", "job = cook", "job = pilot")
    }
    fills = [part.preprocess.table.columns[0].fill for part in data.parts]
    assert fills == [people.age.drop(rows).median() for rows in data.folds.rows]


def test_the_test_rows_decide_nothing(people):
    known = people.assign(left=people.left.where(people.index != 7, 0))
    for seed in range(20):
        data = Data.from_frame(known, target="left", drop="home", folds=3, seed=seed)
        if (data.test.raw.columns[1] == "pilot").any():
            assert "job = pilot" not in data.preprocess.features
            return
    pytest.fail("the pilot was never in the test part")


def test_no_group_is_in_two_folds(people):
    data = Data.from_frame(people, target="left", groups="home", folds=4)
    rows = data.folds.rows
    assert sorted(np.concatenate(rows).tolist()) == list(range(160))
    # Which search row is which home: the age tells.
    everything = {tuple(row): home for row, home in zip(
        data.preprocess.apply(people), people.home, strict=True
    )}  # fmt: skip
    first = data.parts[0]
    homes = [{everything[tuple(row)] for row in part.x} for part in (first.train, first.validation)]
    assert not homes[0] & homes[1]
    assert all(abs(len(part) - 40) <= 4 for part in rows)


def test_what_has_no_folds_is_refused(people):
    frame = people.assign(day=range(200))
    x, y = frame[["age"]].fillna(0).to_numpy(), frame.left.to_numpy()
    with pytest.raises(DataError, match="a split by time has none"):
        Data.from_arrays(x, y, time=frame.day, folds=3)
    with pytest.raises(DataError, match="a given validation part has none"):
        Data.from_arrays(x, y, x_validation=x, y_validation=y, folds=3)
    dataset = TensorDataset(torch.tensor(x.tolist()), torch.tensor(y.tolist()))
    with pytest.raises(DataError, match="read batch by batch has none"):
        Data.from_dataset(dataset, in_memory=False, folds=3)
    assert len(Data.from_dataset(dataset, folds=3).folds) == 3
