"""Libraries of predictions whose members differ in what they know."""

import numpy as np
import pytest

from ripieno.ensembles import Predictions


@pytest.fixture
def library():
    """Builds predictions on held-out rows: members see the truth through noise of their own."""

    def build(task="classification", *, members=6, rows=200, classes=3, seed=0, noise=1.5):
        rng = np.random.default_rng(seed)
        names = tuple(f"m{number}" for number in range(members))
        level = noise * rng.uniform(0.6, 1.6, members)[:, None, None]
        if task == "regression":
            y = rng.normal(10.0, 3.0, (rows, 2))
            values = y + level * rng.normal(size=(members, rows, 2)) + rng.normal(size=(rows, 2))
            return Predictions(values, y, names, f"rows {seed}", task)
        signal = rng.normal(size=(rows, classes))
        seen = signal + level * rng.normal(size=(members, rows, classes))
        if task == "multilabel":
            y = (rng.random((rows, classes)) < 1 / (1 + np.exp(-2 * signal))).astype(int)
            return Predictions(1 / (1 + np.exp(-seen)), y, names, f"rows {seed}", task)
        p = np.exp(2 * signal)
        p /= p.sum(axis=1, keepdims=True)
        y = (p.cumsum(axis=1) < rng.random((rows, 1))).sum(axis=1)
        q = np.exp(seen - seen.max(axis=2, keepdims=True))
        return Predictions(q / q.sum(axis=2, keepdims=True), y, names, f"rows {seed}")

    return build
