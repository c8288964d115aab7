import numpy as np
import torch

from ripieno.searchers.perceptrons import Perceptrons


def sine(rows, seed=0):
    x = np.random.default_rng(seed).uniform(-1.0, 1.0, (rows, 2))
    return x, np.sin(2.0 * x[:, 0]) * x[:, 1]


def test_a_stack_answers_as_its_members_do_one_by_one():
    generator = torch.Generator().manual_seed(0)
    stack = Perceptrons.untrained(3, (2, 4, 4, 1), generator)
    for bias in stack.biases:
        bias.normal_(generator=generator)
    x, _ = sine(6)
    found = stack.predict(x)
    assert found.shape == (3, 6)
    for member in range(3):
        hidden = x
        for weight, bias in zip(stack.weights[:-1], stack.biases[:-1], strict=True):
            hidden = np.maximum(hidden @ weight[member].numpy() + bias[member].numpy(), 0.0)
        out = hidden @ stack.weights[-1][member].numpy() + stack.biases[-1][member].numpy()
        np.testing.assert_allclose(found[member], out[:, 0], rtol=1e-12)


def test_members_learn_a_function_and_differ_where_they_know_nothing():
    x, y = sine(200)
    stack = Perceptrons.fit(x, y, members=5, seed=0)
    fresh, expected = sine(50, seed=1)
    assert np.abs(stack.predict(fresh).mean(0) - expected).mean() < 0.1
    far = stack.predict(10.0 * fresh)
    assert far.std(0).mean() > 3.0 * stack.predict(fresh).std(0).mean()


def test_the_absolute_error_is_made_small_and_not_its_square():
    x = np.ones((30, 1))
    y = np.array([0.0] * 20 + [10.0] * 10)
    found = Perceptrons.fit(x, y, members=3, seed=0).predict(x)
    np.testing.assert_allclose(found, 0.0, atol=0.5)  # the median; the mean is 3.3


def test_the_same_seed_gives_the_same_networks_and_leaves_the_callers_generator_alone():
    x, y = sine(40)
    torch.manual_seed(3)
    expected = torch.rand(2)
    torch.manual_seed(3)
    first, second = (Perceptrons.fit(x, y, members=2, seed=7).predict(x) for _ in range(2))
    assert torch.equal(torch.rand(2), expected)
    np.testing.assert_array_equal(first, second)
    assert (Perceptrons.fit(x, y, members=2, seed=8).predict(x) != first).any()
