"""A study's ensemble on a file of new rows."""

import io
from pathlib import Path

import numpy as np
import pandas as pd

from ripieno.ensembles import Ensemble
from ripieno.errors import StudyError
from ripieno.study.folder import Folder
from ripieno.study.jobs import TuneJob
from ripieno.study.starting import open as open_study

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
    if recipe in {"cnn", "mlp", "resnet"}:
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
        out: A ``.csv`` (label and one probability a class, for images the file first) or
            ``.npz`` file (arrays ``prediction`` and ``probabilities``, for images ``files``);
            None for text.

    Returns:
        The CSV text if ``out`` is None, else the path that was written, as a line.

    Raises:
        DataError: The rows cannot be read or do not fit the study.
        StudyError: There is no ensemble, or ``out`` cannot be written.
    """
    ensemble = load_ensemble(path)
    assert ensemble.preprocess is not None  # noqa: S101 - a study's ensemble reads raw rows
    probabilities = ensemble.predict_proba(ensemble.preprocess.read(rows))
    files = ensemble.preprocess.row_names(rows)
    labels = np.asarray(ensemble.classes)[probabilities.argmax(axis=1)]
    if out is not None and out.suffix == ".npz":
        buffer = io.BytesIO()
        arrays = {"prediction": labels, "probabilities": probabilities}
        if files is not None:
            arrays["files"] = np.array(files)
        np.savez(buffer, allow_pickle=False, **arrays)
        return _write(out, buffer.getvalue())
    table = pd.DataFrame({"prediction": labels})
    if files is not None:
        table.insert(0, "file", files)
    for index, label in enumerate(ensemble.classes):
        table[f"probability_{label}"] = probabilities[:, index]
    text = table.to_csv(index=False, float_format="%.6g")
    return text if out is None else _write(out, text.encode())


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
