"""What the tests of the training wing share: small real data and a store."""

import copy

import numpy as np
import pytest

from ripieno.errors import ArtifactError
from ripieno.recipes import Data, load


class DictStore:
    """An artifact store that is a dict."""

    def __init__(self):
        self.items = {}

    def write(self, name, arrays, facts=None):
        key = f"{name}-{len(self.items)}"
        self.items[key] = (copy.deepcopy(dict(arrays)), dict(facts or {}))
        return key

    def read(self, key):
        if key not in self.items:
            raise ArtifactError(f"no {key!r}.", where="DictStore", fix="write it first.")
        return copy.deepcopy(self.items[key])

    def delete(self, key):
        self.items.pop(key, None)


@pytest.fixture
def store():
    return DictStore()


@pytest.fixture(scope="session")
def digits():
    return load("digits")


@pytest.fixture(scope="session")
def few_digits(digits):
    """A hundred training rows, so that an epoch takes milliseconds."""
    x = np.concatenate([digits.train.x[:100], digits.validation.x[:60]])[:, 0]
    y = np.concatenate([digits.train.y[:100], digits.validation.y[:60]])
    return Data.from_arrays(x, y, test_share=0, validation_share=0.35, name="few digits")
