"""A combiner of your own: one class with one method.

Run: python examples/own_combiner.py
"""

import tempfile
from pathlib import Path

import numpy as np

import ripieno as rp
from ripieno.ensembles import Predictions, log_loss


class Akaike:
    """Weigh every trial by exp(-rows * excess loss / heat): the worse, the less it says."""

    def __init__(self, heat: float = 20.0) -> None:
        self.heat = heat

    def fit(self, library: Predictions) -> np.ndarray:
        """Return one weight a member; they are divided by their sum."""
        losses = np.array([log_loss(p, library.targets) for p in library.probabilities])
        return np.exp(-library.rows * (losses - losses.min()) / self.heat)


def main() -> None:
    """Tune, combine with the built-in default and with our own, and compare."""
    out = Path(tempfile.mkdtemp()) / "study"
    with rp.tune("mlp", "digits", trials=12, epochs=4, out=out, progress=False) as study:
        for method in ("greedy", Akaike()):
            chosen = study.choose(method)
            gain = chosen.estimated_gain()  # in nested folds: the test part is not touched
            print(f"{method}: {len(chosen.members)} trials, estimated gain {gain.value:.4f} nats")
        print(study.ensemble(Akaike()).report(study.job.data.test))


if __name__ == "__main__":
    main()
