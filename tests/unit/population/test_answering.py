import pytest
import torch
from torch import nn

from ripieno.population import stack_answers


def mlp(seed, *, dropout=0.5, activation=nn.Tanh, dtype=torch.float64):
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Linear(4, 8), nn.BatchNorm1d(8), activation(), nn.Dropout(dropout), nn.Linear(8, 3)
    ).to(dtype).eval()  # fmt: skip


def cnn(seed):
    torch.manual_seed(seed)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU(), nn.MaxPool2d(2),
        nn.Flatten(), nn.Linear(4 * 9, 3),
    ).double()  # fmt: skip
    model(torch.randn(16, 1, 6, 6, dtype=torch.float64))  # running statistics of its own
    return model.eval()


@pytest.mark.parametrize(("make", "shape"), [(mlp, (4,)), (cnn, (1, 6, 6))])
@pytest.mark.parametrize("rows", [1, 7, 64])
def test_a_stack_answers_as_its_models_do(make, shape, rows):
    models = [make(seed) for seed in range(5)]
    x = torch.randn(rows, *shape, dtype=torch.float64)
    stack = stack_answers(models, x)
    with torch.no_grad():
        expected = torch.stack([model(x) for model in models])
    torch.testing.assert_close(stack(x), expected, rtol=1e-12, atol=1e-12)


def test_numbers_that_differ_from_model_to_model_are_each_models_own():
    models = [nn.Sequential(nn.Linear(4, 3), nn.LeakyReLU(slope)).eval() for slope in (0.1, 0.5)]
    x = torch.randn(9, 4)
    with torch.no_grad():
        expected = torch.stack([model(x) for model in models])
    torch.testing.assert_close(stack_answers(models, x)(x), expected)


def test_models_of_several_architectures_are_no_stack():
    x = torch.randn(3, 4, dtype=torch.float64)
    assert stack_answers([mlp(0), mlp(1, activation=nn.ReLU)], x) is None
    assert stack_answers([mlp(0)], x) is None
    assert stack_answers([nn.Flatten(), nn.Flatten()], x) is None


class Noisy(nn.Linear):
    def forward(self, x):
        return super().forward(x) + torch.randn(len(x), 1)


class Recurrent(nn.Module):
    def __init__(self):
        super().__init__()
        self.cell = nn.LSTM(4, 3)

    def forward(self, x):
        return self.cell(x)[0]


@pytest.mark.parametrize("make", [lambda: Noisy(4, 3), Recurrent])
def test_a_forward_that_cannot_be_shared_is_left_alone(make):
    assert stack_answers([make().eval() for _ in range(3)], torch.randn(5, 4)) is None


@pytest.mark.parametrize(("make", "shape"), [(mlp, (4,)), (cnn, (1, 6, 6))])
def test_what_is_asked_often_is_traced_and_answered_alike(make, shape):
    models = [make(seed) for seed in range(5)]
    stack = stack_answers(models, torch.randn(2, *shape, dtype=torch.float64))
    for rows in (*range(1, 12), 3):
        for _ in range(5):
            x = torch.randn(rows, *shape, dtype=torch.float64)
            with torch.no_grad():
                expected = torch.stack([model(x) for model in models])
            torch.testing.assert_close(stack(x), expected, rtol=1e-12, atol=1e-12)
    graphs = [kind[0][0] for kind, graph in stack.graphs.items() if graph is not None]
    assert graphs == list(range(1, 9))  # and no more than eight


class AsksItsRows(nn.Module):
    def __init__(self, seed):
        super().__init__()
        torch.manual_seed(seed)
        self.linear = nn.Linear(4, 3)

    def forward(self, x):
        return self.linear(x) if bool((x.detach() > -100).all()) else -self.linear(x)


def test_what_cannot_be_traced_goes_on_as_before():
    models = [AsksItsRows(seed).double().eval() for seed in range(5)]
    rows = torch.rand(6, 4, dtype=torch.float64)
    stack = stack_answers(models, rows)
    for x in (rows, rows, rows, rows, -1000 * rows):
        with torch.no_grad():
            expected = torch.stack([model(x) for model in models])
        torch.testing.assert_close(stack(x), expected, rtol=1e-12, atol=1e-12)
    assert list(stack.graphs.values()) == [None]
