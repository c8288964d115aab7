from dataclasses import replace

import numpy as np
import pytest
from torch import nn

import ripieno as rp
from ripieno.recipes import Data, Recipe, Split


@pytest.fixture(scope="session")
def data() -> Data:
    """Three classes that a small network tells apart."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=(300, 6)).astype(np.float32)
    return Data.from_arrays(x, (x[:, :3] + 0.2 * x[:, 3:]).argmax(axis=1), name="three")


@pytest.fixture
def recipe() -> Recipe:
    def model(config: rp.Config) -> nn.Module:
        return nn.Sequential(
            nn.Linear(6, 16), nn.ReLU(), nn.Dropout(config.get("dropout", 0.0)), nn.Linear(16, 3)
        )

    return Recipe(model)


@pytest.fixture
def with_training(data):
    """Puts another training part into the data."""

    def build(x, y=None) -> Data:
        y = data.train.y if y is None else np.asarray(y, dtype=np.int64)
        return replace(data, train=Split(np.asarray(x, dtype=np.float32), y))

    return build
