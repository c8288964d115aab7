"""Open a study again and look at what its ensemble is made of.

Run: python examples/ensemble_of_a_search.py
"""

import tempfile
from pathlib import Path

import numpy as np

import ripieno as rp


def main() -> None:
    """Tune the built-in recipe, open the folder again, and compare members with the whole."""
    folder = Path(tempfile.mkdtemp()) / "study"
    rp.tune("mlp", "digits", trials=22, epochs=9, out=folder).close()
    with rp.open(folder) as study:
        data = study.job.data
        ensemble = study.ensemble()
        print(f"the whole: {ensemble.score(data.test)}")
        for weight, module in zip(ensemble.weights, ensemble.members, strict=True):
            alone = rp.Ensemble([module], [1.0], classes=data.classes)
            print(f"weight {weight:.3f}: {alone.score(data.test)}")
        wrong = np.flatnonzero(ensemble.predict(data.test) != np.asarray(data.classes)[data.test.y])
        print(f"{len(wrong)} of {len(data.test)} test rows are wrong")


if __name__ == "__main__":
    main()
