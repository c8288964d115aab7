import numpy as np
import torch
from torch.utils.data import TensorDataset

from ripieno.recipes import Data, find_duplicates

RNG = np.random.default_rng(0)
X = RNG.normal(size=(120, 3)).astype(np.float32)
Y = np.arange(120) % 2


def leaky(x=X):
    """Rows 5 and 9 of the training part are test rows too, and row 5 twice."""
    seen = x[[5, 9, 5]]
    return Data.from_arrays(
        x[:60], Y[:60],
        x_validation=np.concatenate([x[60:80], seen[:1]]), y_validation=Y[:21],
        x_test=np.concatenate([x[80:], seen]), y_test=Y[:43],
        test_share=0,
    )  # fmt: skip


def test_rows_of_two_parts_are_found_with_their_places():
    found = {(d.part, d.other): d for d in find_duplicates(leaky())}
    assert set(found) == {("validation", "train"), ("test", "train"), ("test", "validation")}
    test = found["test", "train"]
    assert test.rows.tolist() == [40, 41, 42]
    assert test.others.tolist() == [5, 9, 5]
    assert test.share == 3 / 43
    assert len(test) == 3
    assert found["validation", "train"].rows.tolist() == [20]
    assert found["test", "validation"].rows.tolist() == [40, 42]


def test_the_sign_of_a_zero_is_no_difference():
    x = X.copy()
    x[:, 1] = 0.0
    x[80:, 1] = -0.0
    x[[5, 9], 1] = -0.0
    assert find_duplicates(leaky(x))[1].rows.tolist() == [40, 41, 42]


def test_an_honest_split_shares_nothing():
    assert find_duplicates(Data.from_arrays(X, Y)) == ()
    assert find_duplicates(Data.from_arrays(X, Y, test_share=0)) == ()


def test_streams_are_searched_as_arrays_are():
    twice = torch.from_numpy(np.concatenate([X, X]))
    dataset = TensorDataset(twice, torch.arange(240) % 2)
    streamed = find_duplicates(Data.from_dataset(dataset, in_memory=False))
    read = find_duplicates(Data.from_dataset(dataset, in_memory=True))
    assert [d.rows.tolist() for d in streamed] == [d.rows.tolist() for d in read]
    assert sum(map(len, streamed)) > 40
