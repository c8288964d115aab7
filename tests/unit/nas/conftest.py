"""What the tests of architectures share: few rows of real data."""

import numpy as np
import pytest

from ripieno.recipes import Data, load


@pytest.fixture(scope="session")
def few_digits():
    """A hundred training rows, so that an epoch takes milliseconds."""
    digits = load("digits")
    x = np.concatenate([digits.train.x[:100], digits.validation.x[:60]])[:, 0]
    y = np.concatenate([digits.train.y[:100], digits.validation.y[:60]])
    return Data.from_arrays(x, y, test_share=0, validation_share=0.35, name="few digits")
