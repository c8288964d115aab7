"""One sentence about what the best single model and the ensemble answer, task by task."""

import numpy as np

from ripieno.reports.figures import style
from ripieno.reports.summary import Answers

__all__ = ["compare"]


def compare(answers: Answers) -> str:
    """Return how the answers of the best single model and of the ensemble compare.

    Args:
        answers: Answers of both.
    """
    assert answers.ensemble is not None  # noqa: S101 - asked by the caller
    both = (answers.single, answers.ensemble)
    rows, part = len(answers.targets), answers.part
    if answers.task == "regression":
        errors = [np.median(np.abs(p - answers.targets), axis=0) for p in both]
        single, ensemble = (", ".join(style.number(float(e)) for e in found) for found in errors)
        named = f" ({', '.join(answers.names)})" if len(answers.names) > 1 else ""
        return (
            f"Half of the {part} values{named} are predicted within {single} by the best single "
            f"model, and within {ensemble} by the ensemble."
        )
    if answers.task == "multilabel":
        right = [int(((p > 0.5) == answers.targets).all(axis=1).sum()) for p in both]
        what = f"has every label of {right[0]:,} of {rows:,} {part} rows right"
    else:
        right = [int((p.argmax(axis=1) == answers.targets).sum()) for p in both]
        what = f"answers {right[0]:,} of {rows:,} {part} rows right"
    return f"The best single model {what}, the ensemble {right[1]:,}."
