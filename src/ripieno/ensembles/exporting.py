"""An ensemble as one graph that runs without Ripieno: ``torch.export`` and ONNX."""

import warnings
from collections.abc import Callable
from functools import partial
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ripieno.errors import ArtifactError, EnsembleError

if TYPE_CHECKING:
    from ripieno.ensembles.ensemble import Ensemble

__all__ = ["export"]


def export(ensemble: "Ensemble", path: str | PathLike[str], example: Tensor | None = None) -> None:
    """Write an ensemble, its rule and its calibrator as one graph, for any number of rows.

    It maps standardised rows to log-probabilities (log-odds, values), as ``forward`` does;
    what ``ensemble.preprocess`` does to raw rows is not in it. With several preprocessings it
    has one input for each, ``x``, ``x_1``, …

    Args:
        ensemble: Members that ``torch.export`` can read: no control flow that looks at data.
        path: ``.pt2``, read by ``torch.export.load(path).module()``; or ``.onnx``, read by
            ``onnxruntime.InferenceSession(path)``, which needs ``ripieno[onnx]`` to be written.
        example: Standardised rows, at least two; made from the facts where absent.

    Raises:
        EnsembleError: Another kind of file, no example, a member that cannot be exported, or
            ``onnxscript`` is not installed.
        ArtifactError: The file cannot be written.
    """
    target = Path(path)
    if target.suffix not in {".pt2", ".onnx"}:
        raise EnsembleError(
            f"{target.suffix or 'no suffix'!r} is no kind of file to export to.",
            where=f"{ensemble!r}.export({str(path)!r})",
            fix="name a file that ends in .pt2 (torch.export) or .onnx.",
        )
    views = max(1, len(ensemble.preprocesses))
    inputs = ((ensemble.example() if example is None else example),) * views
    modes = [(part, part.training) for part in ensemble.modules()]
    ensemble.eval()
    try:
        with torch.no_grad(), warnings.catch_warnings():
            # Of torch's own code, which the reader can do nothing about.
            warnings.simplefilter("ignore")
            write = _graph(ensemble, inputs, target)
    except ImportError as error:
        raise EnsembleError(
            f"ONNX cannot be written: {error}.",
            where=f"{ensemble!r}.export({str(path)!r})",
            fix='pip install "ripieno[onnx]", or export to .pt2, which needs nothing more.',
        ) from error
    except Exception as error:  # what a member's forward does may fail in any way
        lines = str(error).strip().splitlines() or [""]
        raise EnsembleError(
            f"it cannot be exported: {type(error).__name__}: {lines[0]}",
            where=f"{ensemble!r}.export({str(path)!r})",
            fix="use members whose forward does not look at the values of its data, and rows "
            "of the shape that they read.",
        ) from error
    finally:
        for part, training in modes:
            part.training = training
    try:
        write()
    except (OSError, RuntimeError) as error:  # torch says with the latter what it cannot write
        raise ArtifactError(
            f"the ensemble cannot be written: {error}.",
            where=str(target),
            fix="name a file in a folder that exists and that you may write to.",
        ) from error


def _graph(ensemble: "Ensemble", inputs: tuple[Tensor, ...], target: Path) -> Callable[[], None]:
    """Return what writes the ensemble as a graph."""
    rows = torch.export.Dim("rows", min=1)
    shapes: tuple[Any, ...] = ({0: rows},)
    if len(inputs) > 1:
        shapes = ({0: rows}, tuple({0: rows} for _ in inputs[1:]))
    program = torch.export.export(ensemble, inputs, dynamic_shapes=shapes)
    if target.suffix == ".pt2":
        return partial(torch.export.save, program, target)
    names = ["x", *(f"x_{number}" for number in range(1, len(inputs)))]
    written = torch.onnx.export(
        program, inputs, dynamo=True, input_names=names, output_names=["scores"], verbose=False
    )
    assert written is not None  # noqa: S101 - with dynamo=True there is a program
    # In the file itself, not beside it: an ensemble is one thing.
    return partial(written.save, target, external_data=False)
