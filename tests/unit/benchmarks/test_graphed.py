"""What a step on a GPU needs at least, against a count by hand."""

import importlib
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

FOLDER = Path(__file__).parents[3] / "benchmarks"


@pytest.fixture
def graphed(monkeypatch):
    """A file of the benchmarks, which are scripts and no package."""
    monkeypatch.syspath_prepend(FOLDER)
    return importlib.import_module("graphed")


def test_the_bound_of_a_network_of_linear_layers_is_counted_by_hand(graphed):
    bound = graphed.Roofline.of(graphed.GPU_SHAPES["MLP 784-128-128-10, batch 64"])
    products = 784 * 128 + 128 * 128 + 128 * 10
    weights = products + 128 + 128 + 10
    outputs = 4 * 128 + 10  # of linear layers and of activations
    assert bound.operations == 6 * 64 * products
    assert bound.moved == 4 * (8 * weights + 64 * (4 * outputs + 2 * 784))
    # The memory is the slower one on an H200: 4.8 TB/s, 67 TFLOP/s.
    assert bound.seconds(4.8e12, 67e12) == pytest.approx(0.98e-6, rel=0.01)


def test_a_convolution_multiplies_its_filter_at_every_pixel(graphed):
    bound = graphed.Roofline.of(graphed.GPU_SHAPES["CNN 28x28, 32-64 filters, batch 64"])
    products = 28 * 28 * 32 * 9 + 14 * 14 * 64 * 32 * 9 + 7 * 7 * 64 * 10
    assert bound.operations == 6 * 64 * products


def test_there_are_no_graphs_of_the_cpu(graphed):
    assert graphed.graphed_step(SimpleNamespace(device=torch.device("cpu"))) is None
