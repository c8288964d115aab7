import numpy as np
import pandas as pd
import pytest

from ripieno.ensembles import Ensemble
from ripieno.recipes import Data, mlp
from ripieno.space import Config


@pytest.fixture
def frame():
    rng = np.random.default_rng(0)
    return pd.DataFrame(
        {
            "size": rng.lognormal(size=300),
            "town": [f"town {i}" for i in rng.integers(90, size=300)],
            "kind": rng.choice(["a", "b", None], 300),
            "y": np.arange(300) % 2,
        }
    )


def test_an_ensemble_of_embedding_networks_reads_raw_tables_before_and_after_saving(
    frame, tmp_path
):
    data = Data.from_frame(frame, folds=2)
    config = Config(
        {
            "depth": 1, "width": 8, "activation": "relu", "norm": "batch", "dropout": 0.1,
            "numeric_embedding": "periodic", "frequency_scale": 0.3,
        }
    )  # fmt: skip
    ensemble = Ensemble(
        [mlp(data).model(config) for _ in data.parts],
        [0.5, 0.5],
        classes=data.classes,
        preprocess=[part.preprocess for part in data.parts],
        reads=[0, 1],
        facts={
            "input_shape": data.shape,
            "numbers": data.preprocess.numbers,
            "cardinalities": data.preprocess.cardinalities,
            "members": [{"id": str(i), "recipe": "mlp", "config": dict(config)} for i in range(2)],
        },
    )
    assert len(data.preprocess.cardinalities) == 1
    expected = ensemble.predict_proba(data.test)
    path = tmp_path / "rows.csv"
    frame.to_csv(path, index=False)
    ensemble.save(tmp_path / "stored")
    for each in (ensemble, Ensemble.load(tmp_path / "stored")):
        raw = each.preprocesses[0].read(path)
        assert np.array_equal(each.predict_proba(raw), each.predict_proba(frame))
        assert np.array_equal(each.predict_proba(data.test), expected)
        rows = {row.tobytes() for row in each.predict_proba(frame)}
        assert {row.tobytes() for row in each.predict_proba(raw)} == rows
