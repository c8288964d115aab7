import numpy as np
import pytest
import torch

from ripieno.errors import RecipeError
from ripieno.recipes import (
    Data,
    Recipe,
    State,
    check_seeds,
    draws,
    in_equal_epochs,
    join,
    mean_metrics,
    replicas_of,
    split_state,
)
from ripieno.recipes.keeping import Finished


def state(value, epoch=4):
    weight = torch.full((2,), float(value))
    return State({"0.weight": weight}, {"0.weight": {"step": weight[0]}}, epoch)


def finished(value, probabilities):
    metrics = {"train_loss": value, "log_loss": 2 * value, "learning_rate": 0.1}
    return Finished(metrics, state(value), np.array(probabilities, dtype=np.float32))


@pytest.fixture(scope="module")
def data():
    x = np.arange(40.0).reshape(20, 2)
    return Data.from_arrays(x, np.arange(20) % 2, test_share=0, folds=3)


def test_replicas_are_numbered_folds_first_and_named_where_there_are_several():
    made = replicas_of(7, study_seed=2, folds=3, seeds=2)
    assert [(one.fold, one.repeat) for one in made] == [
        (0, 0), (1, 0), (2, 0), (0, 1), (1, 1), (2, 1),
    ]  # fmt: skip
    assert made[4].name == "fold 2, seed 2"
    assert [one.name for one in replicas_of(7, study_seed=2, folds=2, seeds=1)] == [
        "fold 1", "fold 2",
    ]  # fmt: skip
    assert [one.name for one in replicas_of(7, study_seed=2, folds=1, seeds=2)] == [
        "seed 1", "seed 2",
    ]  # fmt: skip


def test_a_replicas_seed_is_a_function_of_the_trials_seed_and_its_number():
    own = draws.trial_seed(2, 7)
    made = replicas_of(7, study_seed=2, folds=3, seeds=2)
    assert [one.seed for one in made] == [
        own, *(draws.fold(own, draws.Purpose.REPLICA, number) for number in range(1, 6)),
    ]  # fmt: skip
    assert made[:3] != replicas_of(8, study_seed=2, folds=3, seeds=1)
    (alone,) = replicas_of(7, study_seed=2, folds=1, seeds=1)
    assert (alone.seed, alone.name) == (own, "")


def test_means_and_sample_deviations_of_the_metrics():
    rows = [{"train_loss": v, "log_loss": v, "learning_rate": 0.1} for v in (1.0, 2.0, 6.0)]
    assert mean_metrics(rows, measured=("log_loss",)) == {
        "train_loss": 3.0,
        "log_loss": 3.0,
        "log_loss_spread": np.std([1.0, 2.0, 6.0], ddof=1),
        "learning_rate": 0.1,
    }


def test_what_replicas_leave_is_joined_and_taken_apart_again(data):
    sizes = [len(rows) for rows in data.folds.rows]
    found = [finished(n, np.full((sizes[n % 3], 2), n)) for n in range(6)]
    whole = join(found, data, measured=("log_loss",))
    assert whole.metrics["train_loss"] == 2.5
    assert whole.metrics["log_loss"] == 5.0
    # Row i is in one fold f, whose replicas f and f + 3 say f and f + 3.
    for fold, rows in enumerate(data.folds.rows):
        assert (whole.predictions[rows] == fold + 1.5).all()
    assert whole.predictions.dtype == np.float32
    arrays = whole.state.to_arrays()
    assert "model/replica-5/0.weight" in arrays
    assert "optimizer/replica-0/0.weight/step" in arrays
    for number, own in enumerate(split_state(State.from_arrays(arrays, epoch=4), 6)):
        wanted = state(number)
        assert own.epoch == 4
        assert torch.equal(own.model["0.weight"], wanted.model["0.weight"])
        assert torch.equal(own.optimizer["0.weight"]["step"], wanted.optimizer["0.weight"]["step"])


def test_seeds_alone_are_averaged_on_the_validation_part():
    data = Data.from_arrays(np.zeros((10, 2)), np.arange(10) % 2, test_share=0)
    found = [finished(v, [[v, 1 - v], [0.0, 1.0]]) for v in (0.0, 0.5, 1.0)]
    joined = join(found, data, measured=("log_loss",)).predictions
    assert np.array_equal(joined, np.array([[0.5, 0.5], [0.0, 1.0]], dtype=np.float32))


def test_a_state_of_other_replicas_is_refused(data):
    one = state(1)
    assert split_state(one, 1) == (one,)
    with pytest.raises(RecipeError, match="not that of a trial of 3 models") as error:
        split_state(one, 3)
    assert "folds and seeds" in error.value.fix
    found = [finished(n, np.full((len(rows), 2), n)) for n, rows in enumerate(data.folds.rows)]
    with pytest.raises(RecipeError, match="of 6 models"):
        split_state(join(found, data, measured=()).state, 6)


def test_epochs_are_equally_long_in_all_folds(data):
    recipe = Recipe(model=lambda config: None)
    assert in_equal_epochs(recipe, data).epoch_rows == data.folds.epoch_rows == 13
    short = Recipe(model=lambda config: None, epoch_rows=5)
    assert in_equal_epochs(short, data).epoch_rows == 5
    assert in_equal_epochs(recipe, data.folds.parts[0]) is recipe


@pytest.mark.parametrize("seeds", [0, -2, 1.5, True])
def test_an_impossible_number_of_seeds_is_refused(seeds):
    with pytest.raises(RecipeError, match="trains no model") as error:
        check_seeds(seeds, "here")
    assert "at least 1" in error.value.fix
