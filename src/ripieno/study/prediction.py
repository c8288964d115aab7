"""A study's ensemble on a file of new rows."""

import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ripieno.ensembles import Ensemble
from ripieno.errors import StudyError
from ripieno.study.folder import Folder
from ripieno.study.jobs import TuneJob
from ripieno.study.opening import open as open_study

__all__ = ["load_ensemble", "predict_file"]


def load_ensemble(path: Path) -> Ensemble:
    """Return the ensemble that a study has left in its folder.

    Raises:
        StudyError: The folder holds no study, or the study has left no ensemble.
        EnsembleError: The ensemble's files are damaged.
    """
    folder = Folder(path)
    folder.check()
    if not folder.ensemble.is_dir():
        raise StudyError(
            "the study has no ensemble yet.",
            where=str(folder.path),
            fix=f"finish it first: ripieno resume {folder.path}.",
        )
    with open_study(path, read_only=True) as study:
        recipe = study.settings.recipe
    if recipe in {"cnn", "mlp", "nas", "resnet"}:
        return Ensemble.load(folder.ensemble)
    with open_study(path) as study:
        if not isinstance(study.job, TuneJob):
            raise StudyError(
                "the study's model was a Python object, which is not stored.",
                where=str(folder.path),
                fix="load it in Python: rp.Ensemble.load(folder, model=your_function).",
            )
        return Ensemble.load(folder.ensemble, model=study.job.recipe.model)


def predict_file(path: Path, rows: Path, out: Path | None) -> str:
    """Predict every row of a file with a study's ensemble.

    Args:
        path: The study's folder.
        rows: A ``.csv``, ``.parquet`` or ``.npz`` file as the study was trained on, with or
            without the target; or an image, or a folder of images.
        out: A ``.csv`` or ``.npz`` file; None for CSV text. Columns, for images after the
            file: of a classification ``prediction`` and one ``probability_<class>`` a class;
            of several labels one ``prediction_<label>``, 0 or 1, and one
            ``probability_<label>`` each; of a regression ``prediction``, or one
            ``prediction_<column>`` each. A ``.npz`` holds the arrays ``prediction``, for
            images ``files`` and, but for a regression, ``probabilities``.

    Returns:
        The CSV text if ``out`` is None, else the path that was written, as a line.

    Raises:
        DataError: The rows cannot be read or do not fit the study.
        StudyError: There is no ensemble, or ``out`` cannot be written.
    """
    ensemble = load_ensemble(path)
    assert ensemble.preprocess is not None  # noqa: S101 - a study's ensemble reads raw rows
    x = ensemble.preprocess.read(rows)
    files = ensemble.preprocess.row_names(rows)
    arrays: dict[str, NDArray[Any]] = {}
    if ensemble.task == "regression":
        arrays["prediction"] = ensemble.predict(x)
    else:
        probabilities = ensemble.predict_proba(x)
        arrays["prediction"] = _answers(probabilities, ensemble)
        arrays["probabilities"] = probabilities
    if out is not None and out.suffix == ".npz":
        buffer = io.BytesIO()
        if files is not None:
            arrays["files"] = np.array(files)
        np.savez(buffer, allow_pickle=False, **arrays)
        return _write(out, buffer.getvalue())
    import pandas as pd

    table = pd.DataFrame(_columns(arrays, ensemble.classes))
    if files is not None:
        table.insert(0, "file", files)
    # Values keep the digits that a float32 network gives them; probabilities need fewer.
    digits = "%.9g" if ensemble.task == "regression" else "%.6g"
    text = table.to_csv(index=False, float_format=digits)
    return text if out is None else _write(out, text.encode())


def _answers(probabilities: NDArray[np.floating[Any]], ensemble: Ensemble) -> NDArray[Any]:
    """Return the likeliest class of each row, or which labels it has."""
    if ensemble.task == "multilabel":
        return (probabilities > 0.5).astype(np.int64)
    named: NDArray[Any] = np.asarray(ensemble.classes)[probabilities.argmax(axis=1)]
    return named


def _columns(
    arrays: Mapping[str, NDArray[Any]], names: Sequence[object]
) -> dict[str, NDArray[Any]]:
    """Return a table's columns: one of an array of one axis, else one a name."""
    columns: dict[str, NDArray[Any]] = {}
    for kind, array in arrays.items():
        head = "probability" if kind == "probabilities" else kind
        if array.ndim == 1:
            columns[head] = array
        else:
            columns |= {f"{head}_{name}": array[:, place] for place, name in enumerate(names)}
    return columns


def _write(out: Path, content: bytes) -> str:
    try:
        out.write_bytes(content)
    except OSError as error:
        raise StudyError(
            f"{str(out)!r} cannot be written: {error.strerror}.",
            where="--out",
            fix="name a file in a folder that exists and that you may write to.",
        ) from error
    return f"{out}\n"
