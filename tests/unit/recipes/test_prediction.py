import numpy as np
import pytest
import torch
from torch import nn

from ripieno.errors import RecipeError
from ripieno.recipes import Coding, predict_probabilities, predict_scores


@pytest.fixture
def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))


def test_probabilities_are_the_softmax_of_the_logits_in_evaluation_mode(net):
    x = np.random.default_rng(0).normal(size=(1000, 4)).astype(np.float32)
    predicted = predict_probabilities(net.train(), x, batch_size=64)
    assert net.training
    with torch.no_grad():
        expected = net.eval()(torch.from_numpy(x)).softmax(1).numpy()
    assert predicted.dtype == np.float32
    assert np.allclose(predicted, expected, atol=1e-6)
    assert np.allclose(predict_probabilities(net, torch.from_numpy(x)), expected, atol=1e-6)
    assert not net.training


def test_a_read_only_array_is_no_obstacle(net):
    x = np.ones((3, 4), dtype=np.float32)
    x.flags.writeable = False
    assert predict_probabilities(net, x).shape == (3, 3)


def test_a_double_model_reads_single_rows(net):
    x = np.ones((3, 4), dtype=np.float32)
    assert np.allclose(predict_probabilities(net.double(), x).sum(1), 1)


def test_log_probabilities_do_not_saturate():
    logs = predict_scores(nn.Identity(), torch.tensor([[0.0, 500.0]]), Coding(), outputs=2)
    assert logs.tolist() == [[-500.0, 0.0]]


@pytest.mark.parametrize(
    ("module", "problem"),
    [
        (nn.Flatten(0), r"a tensor of shape \(8,\), and outputs of shape \(2, 3\)"),
        (nn.Linear(4, 5), r"a tensor of shape \(2, 5\)"),
        (nn.LSTM(4, 3), "returned tuple"),
    ],
)
def test_what_is_no_matrix_of_logits_is_refused(module, problem):
    with pytest.raises(RecipeError, match=problem):
        predict_scores(module, torch.ones(2, 4), Coding(), outputs=3)
