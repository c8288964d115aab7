"""Small studies that take a moment."""

import numpy as np
import pytest
from torch import nn

import ripieno as rp

SPACE = rp.Space(
    hidden=rp.Int(2, 6, default=4),
    lr=rp.Float(1e-3, 1e-1, log=True),
    dropout=rp.Float(0.0, 0.3),
)


def model(config: rp.Config) -> nn.Module:
    return nn.Sequential(
        nn.Linear(3, config.hidden), nn.Tanh(), nn.Dropout(config.dropout),
        nn.Linear(config.hidden, 2),
    )  # fmt: skip


@pytest.fixture
def space() -> rp.Space:
    return SPACE


@pytest.fixture
def factory():
    return model


@pytest.fixture(scope="session")
def arrays():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(160, 3)).astype(np.float32)
    return x, (x.sum(axis=1) > 0).astype(np.int64)


@pytest.fixture
def tuned(tmp_path, arrays):
    with rp.tune(
        model, arrays, SPACE, trials=6, epochs=3, workers=1, out=tmp_path / "study", progress=False
    ) as study:
        yield study
